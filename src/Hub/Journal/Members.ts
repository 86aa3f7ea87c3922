/** Members of families that are kept by themselves, in the journal's file: one text each. */
import type { DatabaseSync } from "node:sqlite"
import { crc32 } from "node:zlib"

import { membersIn } from "../Checkpoint.ts"
import type { Entry, Member } from "../Journal.ts"
import { DatabaseMistake } from "./Mistake.ts"

export const layMembers = `
  CREATE TABLE IF NOT EXISTS member (
    name TEXT PRIMARY KEY, rev INTEGER NOT NULL, crc INTEGER NOT NULL, text TEXT NOT NULL
  ) STRICT;
`

/** As JSON, for names with half a character: SQLite would mend them. */
const written = (name: string): string => JSON.stringify(name)

export class Members {
  private readonly db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.db = db
  }

  keep({ name, rev, text }: Member): void {
    this.db
      .prepare("INSERT OR REPLACE INTO member (name, rev, crc, text) VALUES (?, ?, ?, ?)")
      .run(written(name), rev, crc32(text), text)
  }

  text(name: string): string | undefined {
    const found = this.db.prepare("SELECT crc, text FROM member WHERE name = ?").get(written(name)) as
      | { readonly crc: number; readonly text: string }
      | undefined
    if (found !== undefined && crc32(found.text) !== found.crc)
      throw new DatabaseMistake("corrupt", "a member of a family is not as it was written")
    return found?.text
  }

  /** By name, those that these commits touch. */
  touchedBy(entries: ReadonlyArray<Entry>): ReadonlyMap<string, string> {
    const texts = new Map<string, string>()
    if (this.db.prepare("SELECT 1 FROM member LIMIT 1").get() === undefined) return texts
    for (const name of new Set(entries.flatMap(({ text }) => membersIn(text)))) {
      const text = this.text(name)
      if (text !== undefined) texts.set(name, text)
    }
    return texts
  }

  all(): ReadonlyArray<readonly [name: string, rev: number]> {
    return this.db
      .prepare("SELECT name, rev FROM member")
      .all()
      .map(({ name, rev }) => [JSON.parse(name as string) as string, rev as number] as const)
  }

  /** Only as it was then: it may have been kept anew. */
  drop(members: Iterable<readonly [name: string, rev: number]>): void {
    const drop = this.db.prepare("DELETE FROM member WHERE name = ? AND rev = ?")
    for (const [name, rev] of members) drop.run(written(name), rev)
  }
}
