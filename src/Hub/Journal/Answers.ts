/** What writes were answered that may come again, in the journal's file. */
import type { DatabaseSync } from "node:sqlite"

import { type Answered, answeredFor, mostAnswered, mostAnsweredText } from "../../Answered.ts"

export const answersTables = `
  CREATE TABLE IF NOT EXISTS answered (id TEXT PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS answered_by_age ON answered (at);
`

export class Answers {
  private readonly db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.db = db
  }

  add(answered: Answered): void {
    this.db.prepare("DELETE FROM answered WHERE at < ?").run(answered.at - answeredFor)
    this.db
      .prepare("INSERT OR REPLACE INTO answered (id, at, text) VALUES (?, ?, ?)")
      .run(answered.id, answered.at, JSON.stringify(answered))
  }

  /** As many as are held in memory, the oldest first. */
  newest(): ReadonlyArray<Answered> {
    const newest: Array<Answered> = []
    let length = 0
    const found = this.db.prepare("SELECT text FROM answered ORDER BY at DESC LIMIT ?").iterate(mostAnswered)
    for (const { text } of found) {
      length += (text as string).length
      if (length > mostAnsweredText) break
      newest.push(JSON.parse(text as string) as Answered)
    }
    return newest.toReversed()
  }
}
