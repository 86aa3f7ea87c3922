/** When each row last changed before our eyes. A snapshot says what is, not since when. */
export class Ages {
  #times = new Map()

  note({ touched }) {
    for (const [name, keys] of touched) {
      if (keys === "all") this.#times.set(name, new Map())
      else for (const key of keys) this.#of(name).set(key, Date.now())
    }
  }

  since(name, key) {
    return this.#times.get(name)?.get(key)
  }

  #of(name) {
    if (!this.#times.has(name)) this.#times.set(name, new Map())
    return this.#times.get(name)
  }
}
