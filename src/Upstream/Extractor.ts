/**
 * From bodies to the rows of one collection. It remembers the last body: a row that stands there as it stood before is
 * neither parsed nor decoded again. The same in the thread that serves readers and in a thread of its own.
 */
import { Schema } from "effect"

import { missing, own } from "../BodyPath.ts"
import type { Declared } from "../Catalog.ts"
import { type Row, sameJson } from "../Collection.ts"
import type { PolledOptions } from "../Config.ts"
import { type Misfit, misfitIn } from "../Misfit.ts"
import type { Body } from "./Body.ts"
import { Digits } from "./Digits.ts"
import { Edition } from "./Edition.ts"
import { advance, type Extract, type Failure, type Notes, sinceOf } from "./Extract.ts"
import { unfitField } from "./Fit.ts"
import { JsonBody } from "./Json.ts"
import { type RawRow, RawRows } from "./RawRows.ts"
import { type Slices, slicesOf } from "./Slices.ts"

const failures = {
  twice: { code: "upstream_shape", detail: "Keys came twice in the answer." },
  threw: { code: "upstream_shape", detail: "The rows could not be taken from the answer." }
} as const satisfies { readonly [name: string]: Failure }

const notFound = (why: string): Failure => ({
  code: "upstream_shape",
  detail: "The answer has no rows where they should be.",
  more: why
})

const unreadable = (bad: number, total: number, maxBad: number): Failure => ({
  code: "upstream_shape",
  detail: `${bad} of ${total} rows of the answer could not be read, which is too many.`,
  more: `Mend ${bad === 1 ? "it" : "them"}, or set maxBad to more than ${maxBad}; what is wrong is in the log, too.`
})

const notesKept = 20
/** Characters of a reason. */
const mostSaid = 300
/** Rows of one answer that are read exactly only to name what loses digits: that is many times slower than parsing. */
const rowsLooked = 100

/** One row of a body, decoded: good, bad, or without a key. */
interface Item {
  readonly key: string | undefined
  /** As it came, where it is not known by its bytes. */
  readonly raw: unknown
  readonly row: Row | undefined
  /** Why it is bad. */
  readonly misfit: Misfit | undefined
  readonly inexact: ReadonlySet<string> | undefined
}

/** What an answer said, and what to remember of it: only once everything else of the answer went well, too. */
export interface Extracted {
  readonly extract: Extract
  readonly remember: () => void
}

interface Found {
  readonly items: Iterable<Item>
  readonly inexact: ReadonlySet<string>
}

export class Extractor {
  private readonly options: PolledOptions<Row>
  private readonly path: string | undefined
  private readonly whole: boolean
  private readonly raw: RawRows
  private readonly digits: Digits
  private readonly fields: ReadonlyArray<string>
  private readonly keyless: Misfit
  private readonly decode: (row: unknown) => ReturnType<ReturnType<typeof Schema.decodeUnknownResult>>
  private rows = Edition.empty()
  private slices: ReadonlyArray<Slices<Item> | undefined> = []
  /** Of rows that a function made. */
  private made: ReadonlyMap<string, Item> = new Map()
  private looked = 0

  constructor(declared: Declared) {
    this.options = declared.made.options as PolledOptions<Row>
    const { rows, source } = this.options
    this.path = typeof rows === "string" ? rows : source.options.rows
    this.whole = typeof rows === "function"
    this.raw = new RawRows(declared)
    this.fields = declared.collection.fields
    this.keyless = {
      reason: `has no key: ${JSON.stringify(this.options.key)} is neither text nor a number`,
      came: undefined
    }
    this.digits = new Digits(declared.row.ast, false)
    this.decode = Schema.decodeUnknownResult(declared.row)
  }

  /** The rows as they were said last. */
  get last(): Edition {
    return this.rows
  }

  /** Throws where a body is not JSON. */
  extract(bodies: ReadonlyArray<Body>): Extracted {
    const { duplicates: policy = "last", keep, maxBad = 0.1 } = this.options
    const said = new Map<string, Row>()
    const bad = new Set<string>()
    const mended = new Set<string>()
    const noted: Array<Notes["bad"][number]> = []
    const inexact = new Set<string>()
    const slices: Array<Slices<Item> | undefined> = []
    const made = new Map<string, Item>()
    let [badCount, duplicates, total] = [0, 0, 0]
    const notes = (thrown?: string): Notes => ({
      bad: noted,
      badCount,
      duplicates,
      inexact: [...inexact].slice(0, notesKept),
      thrown
    })
    const failed = (failure: Failure, thrown?: string): Extracted => {
      // What is not JSON is another failure, wherever in the answer it stands.
      for (const body of bodies.slice(slices.length)) void body.json
      const extract = {
        rows: this.rows,
        failure,
        notes: notes(thrown),
        bad: [],
        mended: [],
        since: undefined
      }
      return { extract, remember: () => this.remember(this.rows, slices, made) }
    }
    this.looked = 0
    for (const body of bodies) {
      let found: Found | undefined
      try {
        found = this.whole ? this.making(body.json, made) : this.reading(body, slices)
        if (found !== undefined) {
          for (const name of found.inexact) inexact.add(name)
          for (const item of found.items) {
            const { key, misfit = this.keyless, row } = item
            total++
            if (key === undefined || row === undefined) {
              badCount++
              if (noted.length < notesKept) noted.push({ key, ...misfit })
              if (key !== undefined) bad.add(key)
              continue
            }
            if (item.inexact !== undefined) for (const name of item.inexact) inexact.add(name)
            if (keep !== undefined && !keep(row)) continue
            const isAgain = said.has(key)
            if (isAgain) duplicates++
            else if (bad.has(key)) mended.add(key)
            if (!isAgain || policy === "last") said.set(key, row)
          }
        }
      } catch (thrown) {
        void body.json
        return failed(failures.threw, String(thrown))
      }
      if (found === undefined) return failed(notFound(missing(body.json.value, this.path)))
    }
    if (badCount > total * maxBad) return failed(unreadable(badCount, total, maxBad))
    if (policy === "error" && duplicates > 0) return failed(failures.twice)
    const since = sinceOf(this.rows, said)
    const rows = advance(since)
    return {
      extract: { rows, failure: undefined, notes: notes(), bad: [...bad], mended: [...mended], since },
      remember: () => this.remember(rows, slices, made)
    }
  }

  private remember(
    rows: Edition,
    slices: ReadonlyArray<Slices<Item> | undefined>,
    made: ReadonlyMap<string, Item>
  ): void {
    this.rows = rows
    this.slices = slices
    this.made = made
  }

  /** Slice by slice, where the body is as plain as that; and whole, where it is not. */
  private reading(body: Body, slices: Array<Slices<Item> | undefined>): Found | undefined {
    const sliced = slicesOf(body.bytes, this.path, this.slices[slices.length], this)
    if (sliced === undefined) {
      const found = this.raw.find(body.json)
      slices.push(undefined)
      if (found === undefined) return undefined
      return { items: this.items(found.rows), inexact: found.inexact }
    }
    slices.push(sliced)
    return { items: sliced.items, inexact: nothing }
  }

  private *items(rows: Iterable<RawRow>) {
    for (const { key, row } of rows) yield this.itemOf(keyText(key), row, undefined, undefined)
  }

  private making(json: JsonBody, made: Map<string, Item>): Found | undefined {
    const found = this.raw.find(json)
    return found === undefined ? undefined : { items: this.remade(found.rows, made), inexact: found.inexact }
  }

  private *remade(rows: Iterable<RawRow>, made: Map<string, Item>) {
    for (const { key, row } of rows) {
      const name = keyText(key)
      const before = name === undefined ? undefined : this.made.get(name)
      const item =
        before !== undefined && sameRaw(before.raw, row) ? before : this.itemOf(name, row, row, undefined)
      if (name !== undefined) made.set(name, item)
      yield item
    }
  }

  readonly keyOf = ({ key }: Item): string | undefined => key

  readonly parse = (text: string) => {
    const json = new JsonBody(text)
    let row = this.digits.resolve(json.value)
    let inexact: Set<string> | undefined
    const asNumbers = row !== json.value && !json.isPlain
    if (asNumbers || (json.losesDigits && ++this.looked <= rowsLooked)) {
      inexact = new Set()
      row = this.digits.resolve(json.exact, inexact)
    }
    const key = keyText(own(row, this.options.key))
    return { key, item: () => this.itemOf(key, row, undefined, inexact?.size === 0 ? undefined : inexact) }
  }

  private itemOf(
    key: string | undefined,
    raw: unknown,
    kept: unknown,
    inexact: Set<string> | undefined
  ): Item {
    const bad = (misfit: Misfit | undefined) => ({ key, raw: kept, row: undefined, misfit, inexact })
    if (key === undefined) return bad(undefined)
    const decoded = this.decode(raw)
    if (decoded._tag === "Failure") return bad(misfitIn(raw, decoded.failure, this.fields, mostSaid))
    const row = decoded.success as Row
    const reason = unfitField(row)
    if (reason !== undefined) return bad({ reason, came: undefined })
    const before = this.rows.get(key)
    const same = before !== undefined && sameJson(before, row)
    return { key, raw: kept, row: same ? before : row, misfit: undefined, inexact }
  }
}

const nothing: ReadonlySet<string> = new Set()

const keyText = (key: unknown): string | undefined =>
  typeof key === "string" ? key : typeof key === "number" && Number.isFinite(key) ? String(key) : undefined

/** What a function made need not be JSON: two dates have the same members, none. */
const sameRaw = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!sameRaw(a[i], b[i])) return false
    return true
  }
  if (Object.getPrototypeOf(a) !== Object.prototype || Object.getPrototypeOf(b) !== Object.prototype)
    return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  for (const name of names) {
    if (!Object.hasOwn(b, name)) return false
    if (!sameRaw((a as { [name: string]: unknown })[name], (b as { [name: string]: unknown })[name]))
      return false
  }
  return true
}
