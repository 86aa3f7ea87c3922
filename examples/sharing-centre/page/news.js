/** Which jobs are news: those that have come to an end since the last look, and not more than a minute ago. The first finds none. */
export const newest = 60_000

const ends = new Set(["done", "failed"])

export class News {
  #known

  /** `rows` as they are now, by key; `now`, ms since 1970, by the server's clock. */
  take(rows, now) {
    const before = this.#known
    this.#known = new Map([...rows].map(([key, row]) => [key, row.state]))
    if (before === undefined) return []
    return [...rows].flatMap(([key, row]) => {
      const isNews = ends.has(row.state) && before.get(key) !== row.state && now - row.at < newest
      return isNews ? [row] : []
    })
  }
}
