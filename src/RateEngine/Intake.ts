/**
 * Whether a poll counts, and what of it. One Intake is the memory that one polled collection has of its polls:
 * a poll that looks wrong changes nothing until the next repeats it, because a backend that is half down often says so
 * with a 200.
 */
import type { Declared } from "../Catalog.ts"
import type { Row, Rows } from "../Collection.ts"
import type { PolledOptions } from "../Config.ts"
import type { Extract, Failure, Notes, Since } from "../Upstream.ts"

export interface Accepted {
  readonly rows: Rows
  /** Where the rows that are committed are those of `since.rows`: nothing else has to be looked at. */
  readonly since?: Since | undefined
}

export type Verdict = { readonly accepted: Accepted } | { readonly failure: Failure }

const failures = {
  empty: {
    code: "upstream_empty",
    detail: "The answer has no rows; it is believed when the next one repeats it."
  },
  shrunk: {
    code: "upstream_shrunk",
    detail: "The answer lacks too many of the rows known before; it is believed when the next one repeats it."
  }
} as const satisfies { readonly [name: string]: Failure }

export class Intake {
  private readonly options: PolledOptions<Row>
  private readonly paged: boolean
  /** What the last poll would have made of the collection, had it not looked wrong. */
  private suspect: Rows | undefined
  private lastFailure: Failure | undefined
  /** Of a paged source: rows that the last complete poll did not have. */
  private missed: ReadonlySet<string> = new Set()
  /** What has been accepted as it was said, so that it is what is committed. */
  private committed: Rows | undefined

  constructor(declared: Declared) {
    this.options = declared.made.options as PolledOptions<Row>
    this.paged = this.options.source.options.pages !== undefined
  }

  /** A body came. `live`: the last poll counted, so having no rows is nothing new. */
  take(extract: Extract, held: Rows, live: boolean): { readonly verdict: Verdict; readonly notes: Notes } {
    const notes = { ...extract.notes, duplicates: extract.notes.duplicates + count(extract.mended, held) }
    if (extract.failure !== undefined) {
      this.suspect = undefined
      this.committed = undefined
      return { verdict: this.fail(extract.failure), notes }
    }
    const rows = withHeld(extract, held)
    const since = rows === extract.rows && extract.since?.rows === this.committed ? extract.since : undefined
    const verdict = this.judge(rows, held, live, since)
    const isSaid = "accepted" in verdict && verdict.accepted.rows === extract.rows
    this.committed = isSaid ? extract.rows : undefined
    return { verdict, notes }
  }

  /** The same body as last time came: it repeats what it said. `undefined`: nothing is to be done. */
  repeat(held: Rows): Verdict | undefined {
    if (this.suspect !== undefined) return this.believe(this.suspect)
    if (this.lastFailure !== undefined) return { failure: this.lastFailure }
    return this.missed.size === 0 ? undefined : this.accept(without(held, this.missed), held)
  }

  private judge(rows: Rows, held: Rows, live: boolean, since: Since | undefined): Verdict {
    const { allowEmpty = false, minKeep = 0.5 } = this.options
    const suspect = this.suspect
    this.suspect = undefined
    if (rows.size === 0 && !allowEmpty && !(live && held.size === 0)) {
      return suspect?.size === 0 ? this.believe(rows) : this.doubt(rows, failures.empty)
    }
    const kept = since === undefined ? share(held, rows) : remaining(since)
    if (kept < minKeep && !(rows.size === 0 && allowEmpty)) {
      const repeats = suspect !== undefined && suspect.size > 0 && share(suspect, rows) >= minKeep
      return repeats ? this.believe(rows) : this.doubt(rows, failures.shrunk)
    }
    return this.accept(rows, held, since)
  }

  private doubt(rows: Rows, failure: Failure): Verdict {
    this.suspect = rows
    return this.fail(failure)
  }

  /** Two polls have said so: what is missing is gone, in a paged source too. */
  private believe(rows: Rows): Verdict {
    this.suspect = undefined
    this.lastFailure = undefined
    this.missed = new Set()
    return { accepted: { rows } }
  }

  private fail(failure: Failure): Verdict {
    this.lastFailure = failure
    return { failure }
  }

  private accept(rows: Rows, held: Rows, since?: Since): Verdict {
    this.suspect = undefined
    this.lastFailure = undefined
    if (!this.paged) return { accepted: { rows, since } }
    // Rows move between pages while these are read, so one that is missing once may only have been passed by.
    const missed = new Set<string>()
    const kept = new Map(rows)
    for (const [key, row] of held) {
      if (rows.has(key) || this.missed.has(key)) continue
      missed.add(key)
      kept.set(key, row)
    }
    this.missed = missed
    return { accepted: { rows: kept } }
  }
}

/** A bad row keeps its last good version. */
const withHeld = ({ bad, rows }: Extract, held: Rows): Rows => {
  const kept = bad.flatMap((key) => {
    const row = rows.has(key) ? undefined : held.get(key)
    return row === undefined ? [] : [[key, row] as const]
  })
  return kept.length === 0 ? rows : new Map([...rows, ...kept])
}

const count = (keys: ReadonlyArray<string>, held: Rows): number => keys.filter((key) => held.has(key)).length

const remaining = ({ gone, rows }: Since): number => (rows.size === 0 ? 1 : 1 - gone.length / rows.size)

/** The share of the rows of `before` that are still there. */
const share = (before: { readonly size: number; keys(): Iterable<string> }, now: Rows): number => {
  if (before.size === 0) return 1
  let still = 0
  for (const key of before.keys()) if (now.has(key)) still++
  return still / before.size
}

const without = (rows: Rows, keys: ReadonlySet<string>): Rows => {
  const kept = new Map<string, Row>()
  for (const [key, row] of rows) if (!keys.has(key)) kept.set(key, row)
  return kept
}
