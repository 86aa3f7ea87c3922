/**
 * The heart: every collection's rows at one revision, and the chain that proves how they came to be. Resume, throttling,
 * slow readers and long polls are all `changesSince` over this.
 *
 * Plain mutable data with one writer, `apply`; everything else reads.
 */
import { type Collection, type Commit, familyOf, firstHealth, type Health, type Rows } from "../Collection.ts"
import { awayOf, Aways, Holds } from "./Away.ts"
import { formatCursor, parseCursor } from "./Cursor.ts"
import type { Query } from "./Query.ts"
import { Table } from "./Table.ts"
import { proofOf, sameHistory, Tips } from "./Tips.ts"

/** Why somebody gets a snapshot. */
export type Reason = "initial" | "epoch" | "query" | "diverged" | "forgotten" | "smaller"

export type Resume =
  | { readonly _tag: "Resumed"; readonly revision: number }
  | { readonly _tag: "Reset"; readonly reason: Reason }

/** What State remembers of the past. Part of how a commit is applied: two nodes of one log must agree on them. */
export interface Memory {
  /** Revisions whose tips are kept: 8 MB, about twelve days at one commit a second. */
  readonly tips: number
  /** Tombstones kept per collection, or as many as rows live. One commit that removes more puts even readers one commit behind under the floor. */
  readonly tombstones: number
  /** Empty, idle members of families that are remembered. One more, and the oldest is forgotten. */
  readonly idleMembers: number
}

export const defaultMemory: Memory = { tips: 1_048_576, tombstones: 1_000, idleMembers: 1_000 }

export class State {
  readonly epoch: string
  revision = 0
  /** When the newest commit was made, ms since 1970. */
  at = 0
  readonly tables = new Map<string, Table>()
  /** Members of families that are paged out: their tables are in the journal. */
  readonly away = new Aways()
  /** Whoever needs members here for a while. */
  readonly holds = new Holds((name) => this.pageOut(name))
  /** The highest revision of a forgotten collection: below it a cursor may know rows of collections that we do not. */
  floor = 0
  private readonly idle = new Set<string>()
  private readonly memory: Memory
  private readonly tips: Tips
  describe: (name: string) => Collection

  /** `describe` tells what a collection is; it is asked once, when the collection's first commit comes. */
  constructor(options: {
    readonly epoch: string
    readonly describe: (name: string) => Collection
    readonly memory?: Memory
  }) {
    this.epoch = options.epoch
    this.memory = options.memory ?? defaultMemory
    this.tips = new Tips(options.epoch, this.memory.tips)
    this.describe = options.describe
  }

  /** The tip of the next commit, whose bytes as they are stored come in pieces. */
  nextTip(): ReturnType<Tips["next"]> {
    return this.tips.next()
  }

  /** `bytes` is the commit as it is stored; or its tip, where that is known. */
  apply(commit: Commit, bytes: string | number): void {
    this.tips.extend(typeof bytes === "number" ? bytes : this.tipOf(bytes))
    this.revision++
    this.at = commit.at
    for (const [name, delta] of commit.deltas) {
      let table = this.tables.get(name)
      if (table === undefined) {
        if (this.away.has(name)) throw new RangeError(`a commit to ${name}, which is paged out`)
        table = this.empty(this.describe(name))
        this.tables.set(name, table)
      }
      // In a replay: one that was paged out since then has this already.
      if (table.rev >= this.revision) continue
      table.apply(delta, this.revision, commit.at)
      // A member goes in two steps: its rows are evicted by a commit, later the empty collection is forgotten.
      this.idle.delete(name)
      if (isIdle(name, table)) this.idle.add(name)
    }
    this.touch(commit.asOf)
    this.forget()
  }

  private tipOf(bytes: string): number {
    const { add, tip } = this.nextTip()
    add(bytes)
    return tip()
  }

  /** Of a state that was kept; its tips and tables follow. */
  restore({ at, floor, revision }: Pick<State, "revision" | "at" | "floor">): void {
    this.revision = revision
    this.at = at
    this.floor = floor
  }

  /** When all that was kept is back. */
  restored(): void {
    const tables = [...this.tables].toSorted(([, a], [, b]) => a.rev - b.rev)
    for (const [name, table] of tables) if (isIdle(name, table)) this.idle.add(name)
  }

  restoreTips(first: number, text: string): void {
    this.tips.restore(first, text)
  }

  /** The first revision whose tip is still kept. */
  get firstTip(): number {
    return this.tips.first
  }

  tipsText(first: number, last: number): string {
    return this.tips.text(first, last)
  }

  private forget(): void {
    for (const name of this.idle) {
      if (this.idle.size <= this.memory.idleMembers) return
      this.floor = Math.max(this.floor, this.tables.get(name)!.rev)
      this.tables.delete(name)
      this.idle.delete(name)
    }
  }

  /** Of a member that is kept elsewhere as it is now; later, where somebody needs it here. */
  pageOut(name: string): void {
    if (this.holds.defers(name)) return
    const table = this.tables.get(name)
    if (table === undefined) return
    this.tables.delete(name)
    this.away.set(name, awayOf(table))
  }

  /** `table`: as it was when it was paged out. */
  pageIn(name: string, table: () => Table): void {
    this.holds.stays(name)
    if (this.away.delete(name)) this.tables.set(name, table())
  }

  /** The upstream answered well, whether or not anything changed. */
  touch(asOf: ReadonlyMap<string, number>): void {
    for (const [name, at] of asOf) {
      const table = this.tables.get(name)
      if (table !== undefined) table.asOf = at
    }
  }

  /** A collection that has no commit yet, or none any more. */
  empty(collection: Collection): Table {
    return new Table(collection, this.floor, this.memory.tombstones)
  }

  rows(name: string): Rows {
    if (this.away.has(name)) throw new RangeError(`${name} is paged out`)
    return this.tables.get(name) ?? new Map()
  }

  health(name: string): Health {
    if (this.away.has(name)) return { state: "live" }
    return this.tables.get(name)?.health ?? firstHealth(this.describe(name))
  }

  /** Keys in order of birth, and when each row was born, ms since 1970. */
  *births(name: string): Generator<readonly [key: string, at: number]> {
    for (const { bornAt, key } of this.tables.get(name)?.live.values() ?? []) yield [key, bornAt]
  }

  /** When the oldest row was born, ms since 1970. */
  oldestAt(name: string): number | undefined {
    return (this.away.get(name) ?? this.tables.get(name))?.oldestAt
  }

  /** Collections that have been committed to. */
  *names(): Generator<string> {
    yield* this.tables.keys()
    yield* this.away.keys()
  }

  /** How many rows it has, paged out or not. */
  size(name: string): number {
    return this.away.get(name)?.rows ?? this.tables.get(name)?.size ?? 0
  }

  /** Whether a row of this key left the live window, as far as is remembered. */
  wasEvicted(name: string, key: string): boolean {
    return this.tables.get(name)?.dead.get(key)?.evicted === true
  }

  asOf(name: string): number {
    return this.tables.get(name)?.asOf ?? 0
  }

  /** The revision that last changed anything of it; 0 for none. */
  changedAt(name: string): number {
    return (this.tables.get(name) ?? this.away.get(name))?.rev ?? 0
  }

  cursor(query: Query, revision = this.revision): string {
    const tip = this.tips.at(revision)
    if (tip === undefined) throw new RangeError(`no tip is kept for revision ${revision}`)
    return formatCursor({ epoch: this.epoch, revision, proof: proofOf(tip, query.salt) })
  }

  /** Whether a client at this cursor, under this query, can be told what it is missing. */
  resume(query: Query, text: string): Resume {
    const cursor = parseCursor(text)
    if (cursor === undefined || cursor.epoch !== this.epoch || cursor.revision > this.revision) {
      return { _tag: "Reset", reason: "epoch" }
    }
    const tip = this.tips.at(cursor.revision)
    if (tip === undefined) return { _tag: "Reset", reason: "forgotten" }
    const proof = proofOf(tip, query.salt)
    if (proof === cursor.proof) return { _tag: "Resumed", revision: cursor.revision }
    return { _tag: "Reset", reason: sameHistory(proof, cursor.proof) ? "query" : "diverged" }
  }
}

/** A member of a family that nobody reads and that has no rows; one that fails is polled, so somebody does. */
const isIdle = (name: string, { collection, dead, hasPast, health, size }: Table): boolean =>
  familyOf(name) !== undefined &&
  size === 0 &&
  health.error === undefined &&
  (health.state === firstHealth(collection).state ||
    // One that was loaded and never had a row may be loaded once more.
    (collection.loads === true && dead.size === 0 && !hasPast))
