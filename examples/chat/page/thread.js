/**
 * The messages that a page shows: the live ones, which the server keeps it up to date on, and behind them as much history
 * as it has read. History is not written any more, so what has been read of it stays right.
 */
export class Thread {
  #name
  /** By key, which sorts in the order of sending. */
  #live = new Map()
  #past = new Map()
  /** Whether the page has the first message of all; `undefined` until history was asked. */
  #begins = undefined
  /** Counts how often the page has lost what stands between the history it has and what is live. */
  #times = 0

  /** `name`: of its collection. */
  constructor(name) {
    this.#name = name
  }

  get keys() {
    return [...this.#past.keys(), ...this.#live.keys()].toSorted()
  }

  get hasOlder() {
    return this.#begins !== true && this.#live.size + this.#past.size > 0
  }

  at(key) {
    return this.#live.get(key) ?? this.#past.get(key)
  }

  isLive(key) {
    return this.#live.has(key)
  }

  /** What a message has made of the rows. */
  take({ message, outcome, touched }, rows) {
    const part = message.collections?.[this.#name]
    if (outcome !== "applied" || part === undefined) return
    const before = this.#live
    const changed = touched.get(this.#name)
    this.#live = new Map(
      [...rows].map(([key, row]) => [
        key,
        changed === "all" || changed.has(key) ? Object.fromEntries(row) : before.get(key)
      ])
    )
    if (part.rows !== undefined) {
      this.#lose()
      // A snapshot says whether anything has left the window; else what is live is all there is.
      if (part.retain !== undefined && part.more !== true) this.#begins = true
      return
    }
    const evicted = (part.evict ?? []).filter((key) => before.has(key))
    for (const key of evicted) this.#past.set(key, before.get(key))
    // The oldest leave first. So if none of ours is left, others may have come and gone that we have not heard of.
    if (evicted.length > 0 && ![...before.keys()].some((key) => rows.has(key))) this.#lose()
  }

  /** Which page of history to read, and what takes it. */
  older() {
    const before = this.keys[0]
    const times = this.#times
    return {
      before,
      take: (page) => {
        if (times !== this.#times) return
        for (const { key, row } of page.rows) if (!this.#live.has(key)) this.#past.set(key, row)
        this.#begins = page.before === null
      }
    }
  }

  #lose() {
    this.#past.clear()
    this.#begins = undefined
    this.#times++
  }
}
