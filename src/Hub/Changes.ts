/**
 * `changesSince`: what a reader is missing, from State alone.
 *
 * A reader stands at two places. `sent` is the cursor of its last message: the next one's `from`, and what its rows are
 * compared with. `seen` is where nothing more of its query is known to have changed: where the walk ends. The answer is
 * right over any rows the reader may hold between `sent` and now, so what was born and went in between is named too.
 */
import { type Health, type Row, field } from "../Collection.ts"
import { equalsText, inside, matchesPattern, type Part, project, type Query } from "./Query.ts"
import type { State } from "./State.ts"
import type { Entry, Table } from "./Table.ts"

/** What changed in one collection, for one query. A key stands in at most one of remove, evict, put, set. */
export interface Change {
  readonly health?: Health
  /** Replaces the collection: it has forgotten too much to say what left. */
  readonly rows?: ReadonlyMap<string, Row>
  readonly remove: ReadonlyArray<string>
  readonly evict: ReadonlyArray<string>
  /** So many of them the reader never saw: written, and history by now. */
  readonly skipped?: number
  readonly put: ReadonlyMap<string, Row>
  /** Only the fields that differ. */
  readonly set: ReadonlyMap<string, Row>
  readonly unset: ReadonlyMap<string, ReadonlyArray<string>>
}

interface Draft extends Change {
  readonly remove: Array<string>
  readonly evict: Array<string>
  readonly put: Map<string, Row>
  readonly set: Map<string, Row>
  readonly unset: Map<string, ReadonlyArray<string>>
}

export type Changes = ReadonlyMap<string, Change>

export interface Place {
  readonly sent: number
  readonly seen: number
}

const draft = (): Draft => ({ remove: [], evict: [], put: new Map(), set: new Map(), unset: new Map() })

const isEmpty = (change: Change): boolean =>
  change.health === undefined &&
  change.rows === undefined &&
  change.remove.length + change.evict.length + change.put.size + change.set.size + change.unset.size === 0

/** The collections a query covers now: those it names, whether or not they exist yet, and the members of its patterns. */
export const covered = function* (state: State, query: Query): Generator<readonly [Part, Table]> {
  for (const [name, part] of query.parts) {
    if (!state.away.has(name)) yield [part, state.tables.get(name) ?? state.empty(part.collection)]
  }
  yield* members(state, query)
}

/** Of those that it covers, the members that are paged out and were touched after a revision. */
export const awayFrom = function* (state: State, query: Query, seen = -1): Generator<string> {
  // Readers who are up to date, nearly all, are asked about with every commit.
  if (state.away.newest <= seen) return
  const isMissed = (name: string) => (state.away.get(name)?.rev ?? -1) > seen
  for (const name of query.parts.keys()) if (isMissed(name)) yield name
  for (const pattern of query.patterns.keys())
    for (const name of state.away.keys())
      if (isMissed(name) && !query.parts.has(name) && matchesPattern(pattern, name)) yield name
}

const members = function* (state: State, query: Query): Generator<readonly [Part, Table]> {
  for (const [pattern, part] of query.patterns) {
    for (const [name, table] of state.tables) {
      if (!query.parts.has(name) && matchesPattern(pattern, name)) yield [part, table]
    }
  }
}

/** Of the keys that a query asks for in a collection, those that can have changed since a place; `undefined` for any. */
export type Touched = (collection: string) => ReadonlyArray<string> | undefined

/** `"forgotten"` where the state no longer remembers that far back: the reader needs a snapshot. */
export const changesSince = (
  state: State,
  query: Query,
  place: Place,
  touched?: Touched
): Changes | "forgotten" => {
  // A member that is forgotten has no name here any more by which its rows could be taken back.
  if (query.patterns.size > 0 && place.seen < state.floor) return "forgotten"
  // Paged out before the reader was told: a snapshot waits until it is here again.
  for (const _ of awayFrom(state, query, place.seen)) return "forgotten"
  const changes = new Map<string, Change>()
  const add = (part: Part, table: Table): void => {
    if (table.rev <= place.seen && table.floor <= place.seen) return
    const { name } = table.collection
    const change = changeOf(part, table, place, touched?.(name) ?? part.keys)
    if (!isEmpty(change)) changes.set(name, change)
  }
  for (const [name, part] of query.parts)
    if (!state.away.has(name)) add(part, state.tables.get(name) ?? state.empty(part.collection))
  if (query.patterns.size > 0) for (const [part, table] of members(state, query)) add(part, table)
  return changes
}

const changeOf = (
  part: Part,
  table: Table,
  { seen, sent }: Place,
  keys: Iterable<string> | undefined
): Change => {
  if (seen < table.floor) return { ...draft(), health: table.health, rows: rowsOf(part, table) }
  const change = draft()
  if (keys === undefined) {
    for (let entry = table.newest; entry !== undefined && entry.rev > seen; entry = entry.older)
      tell(change, part, table, entry, sent)
  } else {
    for (const key of keys) {
      const entry = table.live.get(key) ?? table.dead.get(key)
      if (entry !== undefined && entry.rev > seen) tell(change, part, table, entry, sent)
    }
  }
  const told = table.collection.retain === undefined ? change : withSkipped(change, table, sent)
  return table.healthRev > sent ? { ...told, health: table.health } : told
}

const withSkipped = (change: Draft, table: Table, sent: number): Change => {
  const skipped = change.evict.filter((key) => table.dead.get(key)!.born > sent).length
  return skipped === 0 ? change : { ...change, skipped }
}

const tell = (change: Draft, part: Part, table: Table, entry: Entry, sent: number): void => {
  const since = Math.max(sent, entry.born)
  if (entry.gone > 0) {
    if (mayHaveBeenInside(part, table, entry, sent)) {
      ;(entry.evicted ? change.evict : change.remove).push(entry.key)
    }
  } else if (!inside(part, entry.row)) {
    if (mayHaveBeenInside(part, table, entry, sent)) change.remove.push(entry.key)
  } else if (entry.born > sent || part.where.some(([name]) => table.fieldRev(entry, name) > since)) {
    // Born, born again, come in, or gone out and in again: whatever the reader holds is replaced.
    change.put.set(entry.key, project(part, entry.row))
  } else {
    edit(change, part, table, entry, sent)
  }
}

/** Inside at any time after `sent`, in this life or, if that ended after `sent`, in the one before. */
const mayHaveBeenInside = (part: Part, table: Table, entry: Entry, sent: number): boolean => {
  if (part.where.length === 0 || entry.before > sent) return true
  const since = Math.max(sent, entry.born)
  return part.where.every(
    ([name, text]) => equalsText(entry.row, name, text) || table.fieldRev(entry, name) > since
  )
}

const edit = (change: Draft, part: Part, table: Table, entry: Entry, sent: number): void => {
  const set: Array<[string, Row[string]]> = []
  const unset: Array<string> = []
  for (const name of part.collection.fields) {
    if (table.fieldRev(entry, name) <= sent || part.fields?.has(name) === false) continue
    const value = field(entry.row, name)
    if (value === undefined) unset.push(name)
    else set.push([name, value])
  }
  if (set.length > 0) change.set.set(entry.key, Object.fromEntries(set))
  if (unset.length > 0) change.unset.set(entry.key, unset)
}

/** Every row of a query's part of one collection, as a snapshot shows it. */
export const rowsOf = (part: Part, table: Table): Map<string, Row> => {
  const rows = new Map<string, Row>()
  if (part.keys !== undefined) {
    for (const key of part.keys) {
      const entry = table.live.get(key)
      if (entry !== undefined && inside(part, entry.row)) rows.set(key, project(part, entry.row))
    }
    return rows
  }
  for (const [key, entry] of table.live) {
    if (inside(part, entry.row)) rows.set(key, project(part, entry.row))
  }
  return rows
}
