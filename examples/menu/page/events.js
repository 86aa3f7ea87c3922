/**
 * The last event of each company, as Ratecast tells it. Events are rows: who comes late, or was away for ten of them, holds
 * the newest, and nothing that happens between a request and the first message is lost.
 */
const name = "menuEvents"

export class Events {
  #rows = new Map()
  #listeners = new Set()

  /** A snapshot or a change. */
  take({ collections }) {
    const part = collections?.[name]
    if (part === undefined) return
    if (part.rows !== undefined) this.#rows.clear()
    for (const company of [...(part.remove ?? []), ...(part.evict ?? [])]) this.#rows.delete(company)
    const news = new Map(Object.entries({ ...part.rows, ...part.put }))
    for (const [company, fields] of Object.entries(part.set ?? {}))
      news.set(company, { ...this.#rows.get(company), ...fields })
    for (const [company, event] of news) this.#rows.set(company, event)
    for (const { company, listener } of this.#listeners) if (news.has(company)) listener(news.get(company))
  }

  /** Hears the last event at once, where there is one. Returns what ends it. */
  listen(company, listener) {
    const one = { company, listener }
    this.#listeners.add(one)
    const last = this.#rows.get(company)
    if (last !== undefined) listener(last)
    return () => this.#listeners.delete(one)
  }
}

const again = 3_000

/** One stream for the whole page. It comes back by itself, and with its cursor. */
export const follow = (events, said) => {
  const source = new EventSource(`v1/stream?collections=${name}`)
  for (const type of ["snapshot", "change", "ping"])
    source.addEventListener(type, ({ data }) => {
      said("live")
      events.take(JSON.parse(data))
    })
  source.addEventListener("error", () => {
    said("waiting")
    // A proxy has answered in our place, and an EventSource gives up on that.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(events, said), again)
  })
}
