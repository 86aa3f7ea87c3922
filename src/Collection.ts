/**
 * The vocabulary: what a collection is and what can happen to one. Every other module speaks these types.
 *
 * A row is committed once and never assigned into again, so it may be shared freely.
 */

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

/** One row: JSON values by field name. */
export type Row = { readonly [field: string]: Json }

/** What a row of another day has of the fields of today; the row itself where that is all. */
export const knownOf = (row: Row, known: ReadonlySet<string>): Row =>
  Object.keys(row).every((name) => known.has(name))
    ? row
    : Object.fromEntries(Object.entries(row).filter(([name]) => known.has(name)))

/** The rows of one collection by key, read-only, in order of birth. */
export interface Rows<A = Row> extends Iterable<readonly [key: string, row: A]> {
  readonly size: number
  get(key: string): A | undefined
  has(key: string): boolean
  keys(): Iterable<string>
}

/** What a collection looks like to everybody downstream of the config. */
export interface Collection {
  /** `pools`, or for a member of a family `order:17`. */
  readonly name: string
  readonly kind: "polled" | "derived" | "written"
  /** The field that holds the key. */
  readonly key: string
  /** Every field a row may have; other names from an upstream are dropped, or each new name would grow every row. */
  readonly fields: ReadonlyArray<string>
  /** Fields that hardly ever change: only these may stand in `where`. */
  readonly fixed: ReadonlySet<string>
  /** Of a written one: what stays live. `age`: ms. */
  readonly retain?: { readonly rows: number; readonly age?: number } | undefined
  /** Of a written one: it has no rows before some are read from where they were. */
  readonly loads?: true | undefined
}

export type ErrorCode =
  | "upstream_unreachable"
  | "upstream_timeout"
  | "upstream_status"
  | "upstream_shape"
  | "upstream_shrunk"
  | "upstream_empty"
  | "upstream_too_large"
  | "upstream_not_json"

/** `loading`: no poll has succeeded yet. `stale`: the last poll failed after its retries. */
export interface Health {
  readonly state: "loading" | "live" | "stale"
  readonly error?: { readonly code: ErrorCode; readonly detail: string } | undefined
}

/** Before anything was committed. What is written and nowhere else needs no upstream to be true. */
export const firstHealth = ({ kind, loads }: Pick<Collection, "kind" | "loads">): Health => ({
  state: kind === "written" && loads === undefined ? "live" : "loading"
})

export const sameHealth = (a: Health, b: Health): boolean =>
  a.state === b.state && a.error?.code === b.error?.code

const ranks = { live: 0, stale: 1, loading: 2 }

const rankOf = ({ error, state }: Health): number => ranks[state] + (error === undefined ? 0 : 0.5)

/** Of a collection made of others: the worst of theirs, and of two in the same state the one that says why. */
export const worst = (healths: ReadonlyArray<Health>): Health =>
  healths.reduce((a, b) => (rankOf(b) > rankOf(a) ? b : a), { state: "live" })

/** A row that lives on with other values: the whole next row, and the names of the fields that differ. */
export interface Edit {
  readonly row: Row
  readonly fields: ReadonlyArray<string>
}

/** What one commit does to one collection. A key stands in at most one of `put`, `set`, `remove`, `evict`. */
export interface Delta {
  readonly put: ReadonlyMap<string, Row>
  readonly set: ReadonlyMap<string, Edit>
  readonly remove: ReadonlyArray<string>
  /** Rows that leave the retained window: history now, not deleted. */
  readonly evict: ReadonlyArray<string>
  readonly health?: Health | undefined
}

/** Everything that one cause changes, in all collections at once. */
export interface Commit {
  /** ms since 1970 */
  readonly at: number
  readonly deltas: ReadonlyMap<string, Delta>
  /** When the upstream of a collection last answered well, ms since 1970. Not versioned: a quiet poll is no commit. */
  readonly asOf: ReadonlyMap<string, number>
}

/**
 * A field of a row, or `undefined` where the row does not have it. A plain read is not enough: every object inherits
 * `constructor` and the like, and no JSON value is a function or the prototype itself.
 */
export const field = (row: Row, name: string): Json | undefined => {
  const value: unknown = row[name]
  return value === undefined || typeof value === "function" || value === Object.prototype
    ? undefined
    : (value as Json)
}

/** Deep equality of JSON values; a nested object or array is one value. `undefined` is a field that is absent. */
export const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!sameJson(a[i] as Json, b[i] as Json)) return false
    return true
  }
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  for (const name of names) {
    if (!Object.hasOwn(b, name)) return false
    if (!sameJson((a as Row)[name], (b as Row)[name])) return false
  }
  return true
}

/** The family of a member's name and its id: `order:17` is `17` of `order`. */
export const familyOf = (name: string): { readonly family: string; readonly id: string } | undefined => {
  const colon = name.indexOf(":")
  return colon === -1 ? undefined : { family: name.slice(0, colon), id: name.slice(colon + 1) }
}
