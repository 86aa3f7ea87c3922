/** The file of the journal: whose it is, that nobody else has it, and what is laid out in it. */
import { existsSync, mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"

import type { Kept } from "../Journal.ts"
import { answersTables } from "./Answers.ts"
import { historyTables, historyUpgrade } from "./History.ts"
import { layMembers } from "./Members.ts"
import { DatabaseMistake, openMistakeOf } from "./Mistake.ts"

/** "RTCS", so that nobody takes the file for another, nor we another's for ours. */
const applicationId = 0x52544353
const layout = 5
/** Those that can be made into this one: without ages in history, and without members by themselves. */
const olderLayouts: ReadonlySet<number> = new Set([3, 4])

/** Throws a `DatabaseMistake`. `fresh` is for a file that is new. */
export const openFile = (file: string, fresh: Pick<Kept, "epoch" | "collections">): DatabaseSync => {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  // SQLite would throw it away, and with it commits that belong to a file which was moved or emptied.
  if ((size ?? 0) === 0 && (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0)
    throw new DatabaseMistake("corrupt", `${file}-wal, its log, is there without it`)
  let db: DatabaseSync | undefined
  try {
    makeFolder(dirname(file))
    db = new DatabaseSync(file, { timeout: 0 })
    // One process at a time, for good. First of all, so that the index of the log needs no shared memory.
    db.exec("PRAGMA locking_mode = EXCLUSIVE")
    if (size !== undefined) recognise(db)
    db.exec("PRAGMA journal_mode = WAL")
    // A death of the process loses nothing; the tail that a power cut may lose is noticed by the tips.
    db.exec("PRAGMA synchronous = NORMAL")
    lay(db, fresh)
    return db
  } catch (error) {
    db?.close()
    throw openMistakeOf(file, error)
  }
}

export const transact = <A>(db: DatabaseSync, run: () => A): A => {
  db.exec("BEGIN IMMEDIATE")
  try {
    const result = run()
    db.exec("COMMIT")
    return result
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK")
    throw error
  }
}

/** Step by step: in a folder such as /proc, `mkdirSync` of all steps at once never returns (Node 24). */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}

const recognise = (db: DatabaseSync): void => {
  const { application_id } = db.prepare("PRAGMA application_id").get() as { application_id: number }
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number }
  const { tables } = db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as { tables: number }
  // A run that was killed before its first transaction leaves an empty file.
  if (application_id === 0 && tables === 0) return
  if (application_id !== applicationId) throw new DatabaseMistake("foreign", "another application's file")
  if (user_version !== layout && !olderLayouts.has(user_version))
    throw new DatabaseMistake("version", `layout ${user_version}, and this is ${layout}`)
}

const lay = (db: DatabaseSync, { collections, epoch }: Pick<Kept, "epoch" | "collections">): void =>
  transact(db, () => {
    // Nothing is written where all is there: the disk may be full, and what it has can be served still.
    if (isLaid(db, layout)) return
    if (isLaid(db, 3)) db.exec(historyUpgrade)
    db.exec(`
      PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${layout};
      CREATE TABLE IF NOT EXISTS hub (
        epoch TEXT NOT NULL, collections TEXT NOT NULL, generation INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS log (revision INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS checkpoint (
        generation INTEGER NOT NULL, part INTEGER NOT NULL, crc INTEGER NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (generation, part)
      ) STRICT, WITHOUT ROWID;
      ${answersTables}
      ${historyTables}
      ${layMembers}
    `)
    db.prepare("INSERT INTO hub SELECT ?, ?, 0 WHERE NOT EXISTS (SELECT 1 FROM hub)").run(
      epoch,
      JSON.stringify(collections)
    )
  })

const isLaid = (db: DatabaseSync, as: number): boolean => {
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number }
  return (
    user_version === as && db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'hub'").get() !== undefined
  )
}
