/** The daemon's metrics (Prometheus text), as far as the meter needs them. */
const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const escapes = { "\\\\": "\\", '\\"': '"', "\\n": "\n" }

const samplesOf = function* (text) {
  for (const row of text.split("\n")) {
    const [, name, labels = "", value] = line.exec(row) ?? []
    if (name === undefined) continue
    const pairs = [...labels.matchAll(label)].map(([, key, text]) => [
      key,
      text.replace(/\\[\\"n]/g, (e) => escapes[e])
    ])
    yield { name, labels: new Map(pairs), value: Number(value) }
  }
}

/** By source: how large its last answer was, and how often it answered. And how many readers there are. */
export const readMetrics = (text) => {
  const sources = new Map()
  let readers
  for (const { labels, name, value } of samplesOf(text)) {
    if (name === "hub_readers") readers = value
    const source = labels.get("source")
    if (source === undefined) continue
    const known = sources.get(source) ?? { size: undefined, polls: 0 }
    sources.set(source, known)
    if (name === "upstream_body_size") known.size = value
    // A poll that failed brought nothing that a page could have used, and is not held against polling.
    if (name === "upstream_polls_total" && /^(un)?changed$/.test(labels.get("outcome"))) known.polls += value
  }
  return { readers, sources }
}

/** What polling would have cost a page that was opened with us: each source once to begin with, then at every poll. */
export class RawCost {
  total = 0
  #seen = new Map()

  add(sources) {
    for (const [source, { polls, size }] of sources) {
      if (size === undefined) continue
      const before = this.#seen.get(source) ?? { polls: polls - 1, fetched: 0 }
      // A counter that has fallen belongs to a daemon that has started anew.
      const since = polls < before.polls ? polls : polls - before.polls
      this.#seen.set(source, { polls, size, fetched: before.fetched + since })
      this.total += since * size
    }
  }

  /** By source: how often it would have been fetched, and how large it was the last time. */
  get fetches() {
    return this.#seen
  }
}
