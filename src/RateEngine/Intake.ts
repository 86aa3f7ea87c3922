/**
 * From a body to rows, and whether a poll counts. One Intake is the memory that one polled collection has of its polls:
 * a poll that looks wrong changes nothing until the next repeats it, because a backend that is half down often says so
 * with a 200.
 */
import { Schema } from "effect"

import type { Declared } from "../Catalog.ts"
import type { ErrorCode, Row, Rows } from "../Collection.ts"
import type { PolledOptions } from "../Config.ts"
import type { JsonBody } from "../Upstream.ts"
import { unfit } from "./Fit.ts"
import { RawRows } from "./RawRows.ts"

export interface Failure {
  readonly code: ErrorCode
  /** A fixed sentence: never a URL, header or body of the upstream. */
  readonly detail: string
}

export interface Accepted {
  readonly rows: ReadonlyMap<string, Row>
}

export type Verdict = { readonly accepted: Accepted } | { readonly failure: Failure }

/** What was set aside on the way, for counters and for one line in the log. */
export interface Notes {
  readonly bad: ReadonlyArray<{ readonly key: string | undefined; readonly reason: string }>
  readonly badCount: number
  readonly duplicates: number
  /** Fields, not declared decimal, with numbers that lost digits. */
  readonly inexact: ReadonlyArray<string>
  /** What the config's own functions threw. */
  readonly thrown: unknown
}

const failures = {
  notFound: { code: "upstream_shape", detail: "The answer has no rows where they should be." },
  unreadable: { code: "upstream_shape", detail: "Too many rows of the answer could not be read." },
  threw: { code: "upstream_shape", detail: "The rows could not be taken from the answer." },
  empty: {
    code: "upstream_empty",
    detail: "The answer has no rows; it is believed when the next one repeats it."
  },
  shrunk: {
    code: "upstream_shrunk",
    detail: "The answer lacks too many of the rows known before; it is believed when the next one repeats it."
  }
} as const satisfies { readonly [name: string]: Failure }

interface Read {
  readonly rows: ReadonlyMap<string, Row>
  readonly notes: Notes
  readonly failure: Failure | undefined
}

const notesKept = 20

export class Intake {
  private readonly options: PolledOptions<Row>
  private readonly raw: RawRows
  private readonly paged: boolean
  private readonly decode: (row: unknown) => ReturnType<ReturnType<typeof Schema.decodeUnknownResult>>
  /** What the last poll would have made of the collection, had it not looked wrong. */
  private suspect: ReadonlyMap<string, Row> | undefined
  private lastFailure: Failure | undefined
  /** Of a paged source: rows that the last complete poll did not have. */
  private missed: ReadonlySet<string> = new Set()

  constructor(declared: Declared) {
    this.options = declared.made.options as PolledOptions<Row>
    this.paged = this.options.source.options.pages !== undefined
    this.raw = new RawRows(declared)
    this.decode = Schema.decodeUnknownResult(declared.row)
  }

  /** A body came. `live`: the last poll counted, so having no rows is nothing new. */
  take(
    bodies: ReadonlyArray<JsonBody>,
    held: Rows,
    live: boolean
  ): { readonly verdict: Verdict; readonly notes: Notes } {
    const { failure, notes, rows } = this.read(bodies, held)
    if (failure !== undefined) {
      this.suspect = undefined
      return { verdict: this.fail(failure), notes }
    }
    return { verdict: this.judge(rows, held, live), notes }
  }

  /** The same body as last time came: it repeats what it said. `undefined`: nothing is to be done. */
  repeat(held: Rows): Verdict | undefined {
    if (this.suspect !== undefined) return this.believe(this.suspect)
    if (this.lastFailure !== undefined) return { failure: this.lastFailure }
    return this.missed.size === 0 ? undefined : this.accept(without(held, this.missed), held)
  }

  private judge(rows: ReadonlyMap<string, Row>, held: Rows, live: boolean): Verdict {
    const { allowEmpty = false, minKeep = 0.5 } = this.options
    const suspect = this.suspect
    this.suspect = undefined
    if (rows.size === 0 && !allowEmpty && !(live && held.size === 0)) {
      return suspect?.size === 0 ? this.believe(rows) : this.doubt(rows, failures.empty)
    }
    if (share(held, rows) < minKeep && !(rows.size === 0 && allowEmpty)) {
      const repeats = suspect !== undefined && suspect.size > 0 && share(suspect, rows) >= minKeep
      return repeats ? this.believe(rows) : this.doubt(rows, failures.shrunk)
    }
    return this.accept(rows, held)
  }

  private doubt(rows: ReadonlyMap<string, Row>, failure: Failure): Verdict {
    this.suspect = rows
    return this.fail(failure)
  }

  /** Two polls have said so: what is missing is gone, in a paged source too. */
  private believe(rows: ReadonlyMap<string, Row>): Verdict {
    this.suspect = undefined
    this.lastFailure = undefined
    this.missed = new Set()
    return { accepted: { rows } }
  }

  private fail(failure: Failure): Verdict {
    this.lastFailure = failure
    return { failure }
  }

  private accept(rows: ReadonlyMap<string, Row>, held: Rows): Verdict {
    this.suspect = undefined
    this.lastFailure = undefined
    if (!this.paged) return { accepted: { rows } }
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

  private read(bodies: ReadonlyArray<JsonBody>, held: Rows): Read {
    const { keep, maxBad = 0.1 } = this.options
    const rows = new Map<string, Row>()
    const bad: Array<{ key: string | undefined; reason: string }> = []
    const inexact = new Set<string>()
    let total = 0
    let badCount = 0
    let duplicates = 0
    const done = (failure: Failure | undefined, thrown?: unknown): Read => ({
      rows,
      failure,
      notes: { bad, badCount, duplicates, inexact: [...inexact].slice(0, notesKept), thrown }
    })
    const setAside = (key: string | undefined, reason: string) => {
      badCount++
      if (bad.length < notesKept) bad.push({ key, reason })
      const last = key === undefined ? undefined : held.get(key)
      if (last !== undefined && !rows.has(key!)) rows.set(key!, last)
    }
    try {
      for (const body of bodies) {
        const found = this.raw.find(body)
        if (found === undefined) return done(failures.notFound)
        for (const name of found.inexact) inexact.add(name)
        for (const { key, row } of found.rows) {
          total++
          const name = keyText(key)
          if (name === undefined) {
            setAside(undefined, "has no key")
            continue
          }
          const decoded = this.decode(row)
          const reason =
            decoded._tag === "Failure" ? firstLines(String(decoded.failure)) : unfit(decoded.success)
          if (reason !== undefined) {
            setAside(name, reason)
            continue
          }
          const whole = (decoded as { readonly success: Row }).success
          if (keep !== undefined && !keep(whole)) continue
          if (rows.has(name)) duplicates++
          rows.set(name, whole)
        }
      }
    } catch (thrown) {
      return done(failures.threw, thrown)
    }
    return done(badCount > total * maxBad ? failures.unreadable : undefined)
  }
}

const keyText = (key: unknown): string | undefined =>
  typeof key === "string" ? key : typeof key === "number" && Number.isFinite(key) ? String(key) : undefined

/** The share of the rows of `before` that are still there. */
const share = (
  before: { readonly size: number; keys(): Iterable<string> },
  now: ReadonlyMap<string, Row>
): number => {
  if (before.size === 0) return 1
  let still = 0
  for (const key of before.keys()) if (now.has(key)) still++
  return still / before.size
}

const without = (rows: Rows, keys: ReadonlySet<string>): ReadonlyMap<string, Row> => {
  const kept = new Map<string, Row>()
  for (const [key, row] of rows) if (!keys.has(key)) kept.set(key, row)
  return kept
}

const firstLines = (text: string): string => text.split("\n").slice(0, 2).join(" ").slice(0, 300)
