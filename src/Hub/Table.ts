/**
 * One collection's rows, in which every field carries the revision that last changed it.
 *
 * Live rows and tombstones stand in one list, oldest change first, so that what changed after a revision is the tail of
 * that list: a walk costs what changed, not what exists. Plain mutable data, because this is the hot loop; the only
 * writer is `State.apply`.
 */
import { type Collection, type Delta, firstHealth, type Health, type Row, type Rows } from "../Collection.ts"

export interface Entry {
  readonly key: string
  /** A tombstone keeps its values: they tell whose `where` the row was in. */
  row: Row
  /** Last change, death included. */
  rev: number
  born: number
  /** When it was born, ms since 1970. */
  bornAt: number
  /** The death before this birth, 0 if there was none or it is forgotten. */
  before: number
  /** Its death, 0 while it lives. */
  gone: number
  evicted: boolean
  /** Its line in the table of field revisions. */
  line: number
  older: Entry | undefined
  newer: Entry | undefined
}

/** What has to be kept of an entry to have it again. */
export type Kept = Omit<Entry, "line" | "older" | "newer"> & { readonly fieldRevs: ReadonlyArray<number> }

export class Table implements Rows {
  readonly collection: Collection
  readonly live = new Map<string, Entry>()
  /** In order of death: the first is the next to be forgotten. */
  readonly dead = new Map<string, Entry>()
  newest: Entry | undefined
  /** The highest revision of a forgotten tombstone: a cursor below it cannot be told what left. */
  floor: number
  health: Health
  healthRev = 0
  /** ms since 1970, 0 before the first good poll */
  asOf = 0
  /** The revision that last touched anything here. */
  rev = 0
  /** Whether rows have left the live window. */
  hasPast = false
  /** The `rev` at which it was kept by itself, to be paged out; 0 for never. */
  keptAt = 0
  /** When it was written or came back last, ms of the steady clock, where that decides whether it is paged out. */
  usedAt: number | undefined

  private revisions: Float64Array
  private lines = 0
  private readonly freeLines: Array<number> = []
  private readonly columns: ReadonlyMap<string, number>

  readonly minTombstones: number

  constructor(collection: Collection, floor: number, minTombstones: number) {
    this.collection = collection
    this.floor = floor
    this.health = firstHealth(collection)
    this.minTombstones = minTombstones
    this.columns = new Map(collection.fields.map((name, column) => [name, column]))
    this.revisions = new Float64Array(collection.fields.length * 16)
  }

  get size(): number {
    return this.live.size
  }
  get(key: string): Row | undefined {
    return this.live.get(key)?.row
  }
  has(key: string): boolean {
    return this.live.has(key)
  }
  keys(): Iterable<string> {
    return this.live.keys()
  }
  *[Symbol.iterator](): Iterator<readonly [string, Row]> {
    for (const entry of this.live.values()) yield [entry.key, entry.row]
  }

  /** When the oldest live row was born, ms since 1970. */
  get oldestAt(): number | undefined {
    for (const { bornAt } of this.live.values()) return bornAt
    return undefined
  }

  /** The revision that last changed or took away a field of this row; its birth, where nothing did since. */
  fieldRev(entry: Entry, name: string): number {
    return this.revisions[entry.line * this.columns.size + this.columns.get(name)!]!
  }

  /** Total: several writers may race in one log, so an edit of an absent row or a death of none does nothing. */
  apply(delta: Delta, revision: number, at: number): void {
    this.rev = revision
    for (const key of delta.remove) this.kill(key, revision, false)
    for (const key of delta.evict) this.kill(key, revision, true)
    // Also of rows that were never live here: they were loaded into history.
    this.hasPast ||= delta.evict.length > 0
    for (const [key, row] of delta.put) this.put(key, row, revision, at)
    for (const [key, { fields, row }] of delta.set) this.edit(key, row, fields, revision)
    if (delta.health !== undefined) {
      this.health = delta.health
      this.healthRev = revision
    }
    this.forget()
  }

  /** Everything that has to be kept, in order of birth, then of death. */
  *kept(): Generator<Kept> {
    for (const entries of [this.live, this.dead])
      for (const entry of entries.values())
        yield { ...entry, fieldRevs: this.collection.fields.map((name) => this.fieldRev(entry, name)) }
  }

  /** Puts back one that was kept. `restored` has to follow when all are there. */
  restore({ fieldRevs, ...kept }: Kept): void {
    const entry: Entry = { ...kept, line: this.takeLine(), older: undefined, newer: undefined }
    this.revisions.set(fieldRevs, entry.line * this.columns.size)
    ;(entry.gone > 0 ? this.dead : this.live).set(entry.key, entry)
  }

  /** Puts what was restored in order of its last change. */
  restored(): void {
    const entries = [...this.live.values(), ...this.dead.values()].toSorted((a, b) => a.rev - b.rev)
    for (const entry of entries) this.append(entry)
  }

  private put(key: string, row: Row, revision: number, at: number): void {
    const living = this.live.get(key)
    const tomb = living ?? this.dead.get(key)
    if (tomb !== undefined) this.unlink(tomb)
    if (living === undefined) this.dead.delete(key)
    const entry: Entry = {
      key,
      row,
      rev: revision,
      born: revision,
      bornAt: at,
      // A row put over a living one ends the life before it in the same instant.
      before: living !== undefined ? revision : (tomb?.gone ?? 0),
      gone: 0,
      evicted: false,
      line: tomb?.line ?? this.takeLine(),
      older: undefined,
      newer: undefined
    }
    const start = entry.line * this.columns.size
    this.revisions.fill(revision, start, start + this.columns.size)
    // A re-born row stands last in order of birth; Map keeps a replaced key in its old place.
    if (living !== undefined) this.live.delete(key)
    this.live.set(key, entry)
    this.append(entry)
  }

  private edit(key: string, row: Row, fields: ReadonlyArray<string>, revision: number): void {
    const entry = this.live.get(key)
    if (entry === undefined) return
    entry.row = row
    entry.rev = revision
    const start = entry.line * this.columns.size
    for (const name of fields) {
      const column = this.columns.get(name)
      if (column !== undefined) this.revisions[start + column] = revision
    }
    this.unlink(entry)
    this.append(entry)
  }

  private kill(key: string, revision: number, evicted: boolean): void {
    const entry = this.live.get(key)
    if (entry === undefined) return
    this.live.delete(key)
    entry.rev = revision
    entry.gone = revision
    entry.evicted = evicted
    this.unlink(entry)
    this.append(entry)
    this.dead.set(key, entry)
  }

  private forget(): void {
    const keep = Math.max(this.minTombstones, this.live.size)
    for (const tomb of this.dead.values()) {
      if (this.dead.size <= keep) return
      this.floor = tomb.gone
      this.dead.delete(tomb.key)
      this.unlink(tomb)
      this.freeLines.push(tomb.line)
    }
  }

  private append(entry: Entry): void {
    entry.older = this.newest
    entry.newer = undefined
    if (this.newest !== undefined) this.newest.newer = entry
    this.newest = entry
  }

  private unlink(entry: Entry): void {
    if (entry.older !== undefined) entry.older.newer = entry.newer
    if (entry.newer === undefined) this.newest = entry.older
    else entry.newer.older = entry.older
  }

  private takeLine(): number {
    const free = this.freeLines.pop()
    if (free !== undefined) return free
    const line = this.lines++
    const needed = (line + 1) * this.columns.size
    if (needed > this.revisions.length) {
      const grown = new Float64Array(Math.max(needed, this.revisions.length * 2))
      grown.set(this.revisions)
      this.revisions = grown
    }
    return line
  }
}
