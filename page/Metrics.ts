/** The daemon's metrics (Prometheus text), as far as the page shows them. */
const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g
const escapes: { readonly [escape: string]: string } = { "\\\\": "\\", '\\"': '"', "\\n": "\n" }

interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

const samplesOf = function* (text: string): Generator<Sample> {
  for (const row of text.split("\n")) {
    const [, name, labels = "", value] = line.exec(row) ?? []
    if (name === undefined) continue
    const pairs = [...labels.matchAll(label)].map(
      ([, key, text]) => [key!, text!.replace(/\\[\\"n]/g, (escape) => escapes[escape]!)] as const
    )
    yield { name, labels: new Map(pairs), value: Number(value) }
  }
}

export interface Source {
  /** Bytes of its last answer, unpacked. */
  size: number | undefined
  /** Polls that were answered. */
  polls: number
  failures: number
  /** By the code of the failure. */
  failed: Map<string, number>
  rejected: number
  received: number
  notModified: number
  /** ms, and ms since 1970 */
  took: number | undefined
  lastAt: number | undefined
  nextAt: number | undefined
  isOpen: boolean
}

export interface Figures {
  readonly sources: ReadonlyMap<string, Source>
  readonly readers: number
  readonly roads: ReadonlyMap<string, number>
  readonly cohorts: number | undefined
  readonly behind: number
  /** s */
  readonly slowest: number
  readonly messages: number
  readonly bytes: number
}

const source = (): Source => ({
  size: undefined,
  polls: 0,
  failures: 0,
  failed: new Map(),
  rejected: 0,
  received: 0,
  notModified: 0,
  took: undefined,
  lastAt: undefined,
  nextAt: undefined,
  isOpen: false
})

const take: { readonly [name: string]: (source: Source, value: number) => void } = {
  upstream_body_size: (source, value) => (source.size = value),
  upstream_polls_rejected_total: (source, value) => (source.rejected = value),
  upstream_received_bytes_total: (source, value) => (source.received = value),
  upstream_not_modified_total: (source, value) => (source.notModified = value),
  upstream_last_poll_seconds: (source, value) => (source.took = value * 1000),
  upstream_last_poll_timestamp_seconds: (source, value) => (source.lastAt = value * 1000),
  upstream_next_poll_timestamp_seconds: (source, value) =>
    (source.nextAt = value === 0 ? undefined : value * 1000),
  upstream_breaker_open: (source, value) => (source.isOpen = value > 0)
}

export const readMetrics = (text: string): Figures => {
  const sources = new Map<string, Source>()
  const roads = new Map<string, number>()
  const sums = new Map<string, number>()
  for (const { labels, name, value } of samplesOf(text)) {
    sums.set(name, (sums.get(name) ?? 0) + value)
    const road = labels.get("road")
    if (name === "hub_road_readers" && road !== undefined) roads.set(road, value)
    const of = labels.get("source")
    if (of === undefined) continue
    const known = sources.get(of) ?? source()
    sources.set(of, known)
    take[name]?.(known, value)
    if (name !== "upstream_polls_total") continue
    const outcome = labels.get("outcome") ?? ""
    // A poll that failed brought nothing that a page could have used, and is not held against polling.
    if (/^(un)?changed$/.test(outcome)) known.polls += value
    else {
      known.failures += value
      known.failed.set(outcome, value)
    }
  }
  const sum = (name: string) => sums.get(name) ?? 0
  return {
    sources,
    roads,
    readers: sum("hub_readers"),
    cohorts: sums.get("hub_cohorts"),
    behind: sum("hub_readers_behind"),
    slowest: sum("hub_slowest_reader_seconds"),
    messages: sum("hub_messages_total"),
    bytes: sum("hub_message_bytes_total")
  }
}

/** Since we look: polls that were answered, those of them that brought a body, and how large the last was. */
export interface Fetched {
  readonly polls: number
  readonly bodies: number
  readonly size: number
}

/**
 * What polling would have cost a page that was opened with us: each source once to begin with, then at every poll that was
 * not answered by 304. A browser revalidates what it keeps, as we do; what the headers of a 304 cost is not counted.
 */
export class RawCost {
  total = 0
  /** By source. */
  readonly fetches = new Map<string, Fetched>()
  private readonly seen = new Map<string, { readonly polls: number; readonly bodies: number }>()

  add(sources: Figures["sources"]): void {
    for (const [source, { notModified, polls, size }] of sources) {
      if (size === undefined) continue
      const bodies = polls - notModified
      let before = this.seen.get(source) ?? { polls: polls - 1, bodies: bodies - 1 }
      // A counter that has fallen belongs to a daemon that has started anew.
      if (polls < before.polls) before = { polls: 0, bodies: 0 }
      // An answer is counted before its poll is, so that a 304 may be told of first.
      const brought = Math.max(0, bodies - before.bodies)
      this.seen.set(source, { polls, bodies: before.bodies + brought })
      const fetched = this.fetches.get(source)
      this.fetches.set(source, {
        polls: (fetched?.polls ?? 0) + polls - before.polls,
        bodies: (fetched?.bodies ?? 0) + brought,
        size
      })
      this.total += brought * size
    }
  }
}
