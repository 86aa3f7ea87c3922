/** One collection as a page has it: rows by key, each the same object until it changes, and whoever wants to know. */
import type { Calls } from "./Calls.ts"
import type { CastError } from "./CastError.ts"
import { type Changed, type Listener, subscribed, tellAll } from "./Listeners.ts"
import type { Change, CollectionState, Failure, Row, Whole } from "./Wire.ts"

export interface CollectionStatus {
  readonly state: CollectionState
  /** When the upstream last answered well, ms since 1970. */
  readonly asOf?: number | undefined
  readonly error?: Failure | undefined
  /** How many rows stay live, where only a window of them does. */
  readonly retain?: number | undefined
  /** Whether there are older ones: in history. */
  readonly more: boolean
}

/** What a collection has from the first on. */
export interface Begun<A = Row> extends Calls<A> {
  readonly name: string
  /** What the cast was given to start from, by key: what a server has rendered. */
  readonly initial?: { readonly [key: string]: A } | undefined
  /** Whose it is. */
  readonly cast: {
    readonly status: { readonly state: string; readonly error: CastError | undefined }
    readonly subscribe: (changed: () => void) => () => void
  }
}

export interface Collection<A = Row> extends Begun<A> {
  readonly get: (key: string) => A | undefined
  /** In the order in which they came; the same array until one of them changes. */
  readonly rows: ReadonlyArray<A>
  readonly keys: () => Iterable<string>
  /** The same object until it changes. */
  readonly status: CollectionStatus
  /**
   * Tells what changed, gathered for a frame of the page: of all rows, or of the one at `key`. Reads for as long as it is
   * subscribed; the function ends it.
   */
  readonly subscribe: {
    (changed: Changed): () => void
    (key: string, changed: Changed): () => void
  }
}

/** With what only the cast does with it. */
export interface Held extends Collection {
  readonly apply: (part: Change | Whole) => boolean
  /** Tells whoever has subscribed. */
  readonly tell: () => void
}

export const makeCollection = (begun: Begun, read: () => () => void, changed: () => void): Held => {
  const rows = new Map<string, Row>()
  const listeners = new Set<Listener>()
  let touched = new Set<string>()
  let hasNews = false
  let list: ReadonlyArray<Row> | undefined
  let status: CollectionStatus = { state: "loading", more: false }

  const touch = (key: string) => {
    list = undefined
    hasNews = true
    touched.add(key)
  }
  const put = (key: string, row: Row) => {
    if (same(rows.get(key), row)) return
    rows.set(key, row)
    touch(key)
  }
  const drop = (key: string) => {
    if (rows.delete(key)) touch(key)
  }
  const note = (more: Partial<CollectionStatus>) => {
    const next = { ...status, ...more }
    if (same(status, next)) return
    status = next
    hasNews = true
  }

  const replace = (whole: Whole) => {
    for (const key of rows.keys()) if (!Object.hasOwn(whole.rows, key)) drop(key)
    for (const [key, row] of Object.entries(whole.rows)) put(key, row)
    // Within a change its window is as it was.
    if (whole.retain) note({ retain: whole.retain.rows, more: !!whole.more })
  }

  /** `false`: a row that it changes is not here. Rows are spread and never written to: `__proto__` is a fine name. */
  const change = ({
    evict = [],
    put: born = {},
    remove = [],
    set = {},
    skipped,
    unset = {}
  }: Change): boolean => {
    ;[...remove, ...evict].forEach(drop)
    if (evict.length > 0 || skipped) note({ more: true })
    for (const [key, row] of Object.entries(born)) put(key, row)
    if (!Object.keys({ ...set, ...unset }).every((key) => rows.has(key))) return false
    for (const [key, fields] of Object.entries(set)) put(key, { ...rows.get(key), ...fields })
    for (const [key, names] of Object.entries(unset)) {
      const row: { [field: string]: unknown } = { ...rows.get(key) }
      for (const name of names) delete row[name]
      put(key, row)
    }
    return true
  }

  return {
    ...begun,
    get: (key: string) => rows.get(key),
    keys: () => rows.keys(),
    get rows() {
      return (list ??= [...rows.values()])
    },
    get status() {
      return status
    },
    subscribe: (key: string | Changed, told?: Changed) => {
      const listener = told ? { key, told } : { told: key }
      return subscribed(listeners, listener as Listener, read)
    },
    apply: (part) => {
      if (part.state) note({ state: part.state, error: part.error })
      if (part.asOf) note({ asOf: part.asOf })
      const isFit = part.rows ? (replace(part), true) : change(part)
      if (hasNews) changed()
      return isFit
    },
    tell: () => {
      if (!hasNews) return
      const keys = touched
      touched = new Set()
      hasNews = false
      tellAll(listeners, keys)
    }
  }
}

/** Of JSON. */
export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
