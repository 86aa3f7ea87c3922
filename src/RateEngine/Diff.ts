/**
 * What changed between the rows that are committed and the rows that a poll or a derivation gave:
 * pure functions.
 */
import { type Delta, type Edit, field, type Json, type Row, type Rows, sameJson } from "../Collection.ts"

/** Which fields of a committed row may take the values of the next one. `undefined`: all that differ. */
export type Hold = (key: string, name: string, committed: Json | undefined, next: Json | undefined) => boolean

/** The row to commit over a committed one, or `undefined` where nothing is to be committed. */
export const editOf = (
  fields: ReadonlyArray<string>,
  key: string,
  committed: Row,
  next: Row,
  holds?: Hold
): Edit | undefined => {
  let moved: Array<string> | undefined
  let held: Array<string> | undefined
  for (const name of fields) {
    const before = field(committed, name)
    const after = field(next, name)
    if (sameJson(before, after)) continue
    if (holds?.(key, name, before, after) === true) (held ??= []).push(name)
    else (moved ??= []).push(name)
  }
  if (moved === undefined) return undefined
  return { row: held === undefined ? next : withFields(next, committed, held), fields: moved }
}

/** `row`, but with some fields as they are in `other`. */
const withFields = (row: Row, other: Row, names: ReadonlyArray<string>): Row => {
  const members = new Map(Object.entries(row))
  for (const name of names) {
    const value = field(other, name)
    if (value === undefined) members.delete(name)
    else members.set(name, value)
  }
  return Object.fromEntries(members)
}

/** The delta that takes `committed` to `next`, a whole collection. */
export const diffRows = (fields: ReadonlyArray<string>, committed: Rows, next: Rows, holds?: Hold): Delta => {
  const put = new Map<string, Row>()
  const set = new Map<string, Edit>()
  const remove: Array<string> = []
  for (const [key, row] of next) {
    const old = committed.get(key)
    if (old === undefined) {
      put.set(key, row)
      continue
    }
    const edit = old === row ? undefined : editOf(fields, key, old, row, holds)
    if (edit !== undefined) set.set(key, edit)
  }
  // As many rows as before and none of them new: then none can be missing.
  if (next.size - put.size < committed.size) {
    for (const key of committed.keys()) if (!next.has(key)) remove.push(key)
  }
  return { put, set, remove, evict: [] }
}

/** The delta that takes only these keys to what `next` has of them; a key it lacks is removed. */
export const diffKeys = (
  fields: ReadonlyArray<string>,
  committed: Rows,
  keys: Iterable<string>,
  next: (key: string) => Row | undefined,
  holds?: Hold
): Delta => {
  const put = new Map<string, Row>()
  const set = new Map<string, Edit>()
  const remove: Array<string> = []
  for (const key of keys) {
    const old = committed.get(key)
    const row = next(key)
    if (row === undefined) {
      if (old !== undefined) remove.push(key)
    } else if (old === undefined) {
      put.set(key, row)
    } else {
      const edit = editOf(fields, key, old, row, holds)
      if (edit !== undefined) set.set(key, edit)
    }
  }
  return { put, set, remove, evict: [] }
}

export const emptyDelta: Delta = { put: new Map(), set: new Map(), remove: [], evict: [] }

/** The first so many rows in order of birth. */
export const oldest = (held: Rows, count: number): ReadonlyArray<string> => {
  const keys: Array<string> = []
  if (count <= 0) return keys
  for (const key of held.keys()) {
    keys.push(key)
    if (keys.length >= count) break
  }
  return keys
}

/** Whether rows changed; a change of health alone is not asked about. */
export const touchesRows = (delta: Delta): boolean =>
  delta.put.size + delta.set.size + delta.remove.length + delta.evict.length > 0

/** The rows as they will be once a delta is committed: what everything derived in the same commit is computed from. */
export class Overlay implements Rows {
  private readonly base: Rows
  private readonly delta: Delta
  private readonly gone: ReadonlySet<string>

  constructor(base: Rows, delta: Delta) {
    this.base = base
    this.delta = delta
    this.gone = new Set([...delta.remove, ...delta.evict])
  }

  get size(): number {
    return this.base.size - this.gone.size + this.delta.put.size
  }
  get(key: string): Row | undefined {
    if (this.gone.has(key)) return undefined
    return this.delta.put.get(key) ?? this.delta.set.get(key)?.row ?? this.base.get(key)
  }
  has(key: string): boolean {
    return this.get(key) !== undefined
  }
  *keys(): Generator<string> {
    for (const [key] of this) yield key
  }
  *[Symbol.iterator](): Generator<readonly [string, Row]> {
    for (const [key, row] of this.base) {
      if (!this.gone.has(key) && !this.delta.put.has(key)) yield [key, this.delta.set.get(key)?.row ?? row]
    }
    yield* this.delta.put
  }
}
