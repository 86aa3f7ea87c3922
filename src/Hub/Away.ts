/**
 * Members of families that are paged out: nobody has read or written them for a while, and what State holds of each is
 * in the journal. That changes nothing that anybody can see, so it is no commit; and a table that is away is never
 * taken for an empty one.
 */
import type { Table } from "./Table.ts"

/** What is known of a member while its rows are elsewhere. */
export interface Away {
  /** A cursor from here on has all of it. */
  readonly rev: number
  readonly rows: number
  /** When the oldest live row was born, ms since 1970; only where rows leave by age. */
  readonly oldestAt: number | undefined
}

export const awayOf = (table: Table): Away => ({
  rev: Math.max(table.rev, table.floor),
  rows: table.size,
  oldestAt: table.collection.retain?.age === undefined ? undefined : table.oldestAt
})

/** Those that are paged out, by name. */
export class Aways extends Map<string, Away> {
  /**
   * None of them was touched after this revision: whoever has seen it misses none, however many there are. An upper bound,
   * which is lowered only when all are back.
   */
  newest = -1

  override set(name: string, away: Away): this {
    this.newest = Math.max(this.newest, away.rev)
    return super.set(name, away)
  }

  override delete(name: string): boolean {
    const was = super.delete(name)
    if (this.size === 0) this.newest = -1
    return was
  }
}

/** Who needs which members in memory: until they let go of one it is not paged out. */
export class Holds {
  private readonly counts = new Map<string, number>()
  /** Those that go when nobody needs them. */
  private readonly leaving = new Set<string>()
  private readonly go: (name: string) => void

  constructor(go: (name: string) => void) {
    this.go = go
  }

  has(name: string): boolean {
    return this.counts.has(name)
  }

  hold(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  release(names: Iterable<string>): void {
    for (const name of names) {
      const count = this.counts.get(name)! - 1
      if (count > 0) this.counts.set(name, count)
      else {
        this.counts.delete(name)
        if (this.leaving.delete(name)) this.go(name)
      }
    }
  }

  /** Whether one that was to go has to wait. */
  defers(name: string): boolean {
    if (!this.has(name)) return false
    this.leaving.add(name)
    return true
  }

  /** It does not go after all. */
  stays(name: string): void {
    this.leaving.delete(name)
  }
}
