/**
 * Rows that are history, in the journal's file. What a collection keeps no longer goes a few rows at a time, the oldest
 * first: a commit that waits for the thread waits for one step.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite"

import { familyOf } from "../../Collection.ts"
import { isGivenKey } from "../../GivenKey.ts"
import type { Expiring, Left, Past, PastAsked } from "../Journal.ts"

/** Rows that go in one step: a few ms. */
const atOnce = 500

export const historyTables = `
  CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL,
    family TEXT NOT NULL DEFAULT '', at INTEGER NOT NULL DEFAULT 0, UNIQUE (collection, key)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS histories (
    collection TEXT PRIMARY KEY, family TEXT NOT NULL, size INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS history_by_age ON history (collection, id);
  CREATE INDEX IF NOT EXISTS history_by_birth ON history (family, at);
  CREATE INDEX IF NOT EXISTS histories_by_size ON histories (family, size);
`

/** From layout 3, where nobody knew when a row was born: it counts from now on. */
export const historyUpgrade = `
  ALTER TABLE history ADD COLUMN family TEXT NOT NULL DEFAULT '';
  ALTER TABLE history ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
  UPDATE history SET at = unixepoch() * 1000, family = CASE instr(collection, ':')
    WHEN 0 THEN collection ELSE substr(collection, 1, instr(collection, ':') - 1) || '"' END;
  ${historyTables}
  INSERT INTO histories SELECT collection, family, count(*) FROM history GROUP BY collection;
`

interface Found {
  readonly id: number
  readonly collection: string
}

/** Names and keys stand as JSON: a lone surrogate is no text to SQLite. */
export class History {
  private readonly db: DatabaseSync
  private readonly insert: StatementSync

  constructor(db: DatabaseSync) {
    this.db = db
    this.insert = db.prepare(
      "INSERT OR IGNORE INTO history (collection, key, row, family, at) VALUES (?, ?, ?, ?, ?)"
    )
  }

  add(rows: ReadonlyArray<Left>): void {
    const added = new Map<string, number>()
    for (const { at, collection, key, row } of rows) {
      const values = [
        JSON.stringify(collection),
        JSON.stringify(key),
        row,
        ownFamily(collection),
        at
      ] as const
      if (this.insert.run(...values).changes === 1) {
        added.set(collection, (added.get(collection) ?? 0) + 1)
        continue
      }
      // Once more: it is the newest now.
      this.db.prepare("DELETE FROM history WHERE collection = ? AND key = ?").run(values[0], values[1])
      this.insert.run(...values)
    }
    const count = this.db.prepare(
      "INSERT INTO histories VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET size = size + excluded.size"
    )
    for (const [name, size] of added) count.run(JSON.stringify(name), ownFamily(name), size)
  }

  past({ before, collection, limit }: PastAsked): ReadonlyArray<Past> | undefined {
    const name = JSON.stringify(collection)
    const end = before === undefined ? Number.MAX_SAFE_INTEGER : this.place(name, before, limit > 0)
    if (end === undefined) return undefined
    const rows = this.db
      .prepare("SELECT key, row FROM history WHERE collection = ? AND id < ? ORDER BY id DESC LIMIT ?")
      .all(name, end, limit) as unknown as ReadonlyArray<{ readonly key: string; readonly row: string }>
    return rows.map(({ key, row }) => ({ collection, key: JSON.parse(key) as string, row }))
  }

  /** The id of the row of this key; or, where it is gone and its key tells when it was, one more than that of the row before it. */
  private place(name: string, key: string, isPlace: boolean): number | undefined {
    const found = this.db
      .prepare("SELECT id FROM history WHERE collection = ? AND key = ?")
      .get(name, JSON.stringify(key)) as { readonly id: number } | undefined
    if (found !== undefined || !isPlace || !isGivenKey(key)) return found?.id
    const older = this.db
      .prepare(
        `SELECT id FROM history WHERE collection = ? AND key < ? AND key GLOB '"${"[0-9a-z]".repeat(12)}"'
         ORDER BY key DESC LIMIT 1`
      )
      .get(name, JSON.stringify(key)) as { readonly id: number } | undefined
    return older === undefined ? 0 : older.id + 1
  }

  /** One step, in a transaction of the caller's. `true`: there is more. */
  expire({ keeps, now }: Expiring): boolean {
    for (const { age, family, rows } of keeps) {
      const name = JSON.stringify(family)
      const aged = age === undefined ? [] : this.born(name, now - age)
      if (aged.length > 0) return this.remove(aged)
      const large = this.db
        .prepare("SELECT collection, size FROM histories WHERE family = ? AND size > ? LIMIT 1")
        .get(name, rows) as { readonly collection: string; readonly size: number } | undefined
      if (large !== undefined)
        return this.remove(this.oldest(large.collection, Math.min(atOnce, large.size - rows)))
    }
    return false
  }

  private born(family: string, until: number): ReadonlyArray<Found> {
    return this.db
      .prepare("SELECT id, collection FROM history WHERE family = ? AND at <= ? ORDER BY at, id LIMIT ?")
      .all(family, until, atOnce) as unknown as ReadonlyArray<Found>
  }

  private oldest(collection: string, count: number): ReadonlyArray<Found> {
    return this.db
      .prepare("SELECT id, collection FROM history WHERE collection = ? ORDER BY id LIMIT ?")
      .all(collection, count) as unknown as ReadonlyArray<Found>
  }

  private remove(found: ReadonlyArray<Found>): boolean {
    const removed = new Map<string, number>()
    for (const { collection } of found) removed.set(collection, (removed.get(collection) ?? 0) + 1)
    this.db
      .prepare("DELETE FROM history WHERE id IN (SELECT value FROM json_each(?))")
      .run(JSON.stringify(found.map(({ id }) => id)))
    const count = this.db.prepare("UPDATE histories SET size = size - ? WHERE collection = ?")
    const none = this.db.prepare("DELETE FROM histories WHERE collection = ? AND size <= 0")
    for (const [collection, size] of removed) {
      count.run(size, collection)
      none.run(collection)
    }
    return found.length > 0
  }
}

const ownFamily = (collection: string): string => JSON.stringify(familyOf(collection)?.family ?? collection)
