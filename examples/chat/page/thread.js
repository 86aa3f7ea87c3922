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
  /** Of the messages since rows were taken the last time. */
  #evicted = new Set()
  #whole
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

  /** A message as it came: which rows left the window, rather than that they are gone, only it says. */
  hear({ collections }) {
    const part = collections?.[this.#name]
    if (part?.rows !== undefined) {
      this.#whole = part
      this.#evicted.clear()
    }
    for (const key of part?.evict ?? []) this.#evicted.add(key)
  }

  /** What the messages since the last time have made of the rows. */
  take(rows) {
    const before = this.#live
    const [evicted, whole] = [this.#evicted, this.#whole]
    this.#live = rows
    this.#evicted = new Set()
    this.#whole = undefined
    if (whole !== undefined) {
      this.#lose()
      // A snapshot says whether anything has left the window; else what is live is all there is.
      if (whole.retain !== undefined && whole.more !== true && evicted.size === 0) this.#begins = true
      return
    }
    const left = [...evicted].filter((key) => before.has(key) && !rows.has(key))
    for (const key of left) this.#past.set(key, before.get(key))
    // The oldest leave first. So if none of ours is left, others may have come and gone that we have not heard of.
    if (left.length > 0 && ![...before.keys()].some((key) => rows.has(key))) this.#lose()
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
