/**
 * The journal as one SQLite file. Plain and synchronous: it runs in a thread of its own (`Thread.ts`).
 *
 * Commits are appended to a log. When the log has grown longer than the checkpoint, a new checkpoint is made of the last
 * one and the log, in slices between which commits are appended as ever, and what it covers goes.
 */
import { existsSync, mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { crc32 } from "node:zlib"

import { type Answered, answeredFor, mostAnswered, mostAnsweredText } from "../../Answered.ts"
import { awayIn, checkpointOf, type Declaration, replay, settleMembers } from "../Checkpoint.ts"
import type { Entry, Expiring, Kept, Member, Past, PastAsked } from "../Journal.ts"
import { History, historyTables, historyUpgrade } from "./History.ts"
import { defaultMemory, type Memory } from "../State.ts"
import { layMembers, Members } from "./Members.ts"
import { DatabaseMistake, mistakeOf, openMistakeOf } from "./Mistake.ts"

/** "RTCS", so that nobody takes the file for another, nor we another's for ours. */
const applicationId = 0x52544353
const layout = 5
/** Those that can be made into this one: without ages in history, and without members by themselves. */
const olderLayouts: ReadonlySet<number> = new Set([3, 4])
/** A log of fewer characters than this is not worth a checkpoint. */
const shortLog = 4 * 1024 * 1024

/** Step by step: in a folder such as /proc, `mkdirSync` of all steps at once never returns (Node 24). */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  mkdirSync(folder)
}

export class Database {
  private readonly db: DatabaseSync
  private readonly file: string
  private readonly inode: number
  private readonly insert: StatementSync
  private readonly history: History
  private readonly members: Members
  private readonly memory: Memory
  private readonly epoch: string
  private collections: ReadonlyArray<Declaration>
  private generation: number
  private newest = 0
  private logLength: number
  private checkpointLength: number
  /** How long the log was when no checkpoint could be made of it. */
  private failedAt = 0

  /** Throws a `DatabaseMistake`. `fresh` is for a file that is new. */
  constructor(file: string, fresh: Pick<Kept, "epoch" | "collections">, memory: Memory = defaultMemory) {
    this.memory = memory
    this.file = file
    const size = statSync(file, { throwIfNoEntry: false })?.size
    // SQLite would throw it away, and with it commits that belong to a file which was moved or emptied.
    if ((size ?? 0) === 0 && (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0)
      throw new DatabaseMistake("corrupt", `${file}-wal, its log, is there without it`)
    try {
      makeFolder(dirname(file))
      this.db = new DatabaseSync(file, { timeout: 0 })
    } catch (error) {
      throw openMistakeOf(file, error)
    }
    try {
      // One process at a time, for good. First of all, so that the index of the log needs no shared memory.
      this.db.exec("PRAGMA locking_mode = EXCLUSIVE")
      if (size !== undefined) this.recognise()
      this.db.exec("PRAGMA journal_mode = WAL")
      // A death of the process loses nothing; the tail that a power cut may lose is noticed by the tips.
      this.db.exec("PRAGMA synchronous = NORMAL")
      this.transact(() => this.lay(fresh))
      const hub = this.db.prepare("SELECT epoch, collections, generation FROM hub").get() as {
        epoch: string
        collections: string
        generation: number
      }
      this.epoch = hub.epoch
      this.collections = JSON.parse(hub.collections) as ReadonlyArray<Declaration>
      this.generation = hub.generation
      this.discard()
      this.inode = statSync(file).ino
      this.insert = this.db.prepare("INSERT INTO log (revision, text) VALUES (?, ?)")
      this.history = new History(this.db)
      this.members = new Members(this.db)
      this.logLength = this.sum("log")
      this.checkpointLength = this.sum("checkpoint")
    } catch (error) {
      this.db.close()
      throw openMistakeOf(file, error)
    }
  }

  private recognise(): void {
    const { application_id } = this.db.prepare("PRAGMA application_id").get() as { application_id: number }
    const { user_version } = this.db.prepare("PRAGMA user_version").get() as { user_version: number }
    const { tables } = this.db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as {
      tables: number
    }
    // A run that was killed before its first transaction leaves an empty file.
    if (application_id === 0 && tables === 0) return
    if (application_id !== applicationId) throw new DatabaseMistake("foreign", "another application's file")
    if (user_version !== layout && !olderLayouts.has(user_version))
      throw new DatabaseMistake("version", `layout ${user_version}, and this is ${layout}`)
  }

  private lay({ collections, epoch }: Pick<Kept, "epoch" | "collections">): void {
    // Nothing is written where all is there: the disk may be full, and what it has can be served still.
    if (this.isLaid(layout)) return
    if (this.isLaid(3)) this.db.exec(historyUpgrade)
    this.db.exec(`
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
      CREATE TABLE IF NOT EXISTS answered (id TEXT PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
      CREATE INDEX IF NOT EXISTS answered_by_age ON answered (at);
      ${historyTables}
      ${layMembers}
    `)
    this.db
      .prepare("INSERT INTO hub SELECT ?, ?, 0 WHERE NOT EXISTS (SELECT 1 FROM hub)")
      .run(epoch, JSON.stringify(collections))
  }

  private isLaid(as: number): boolean {
    const { user_version } = this.db.prepare("PRAGMA user_version").get() as { user_version: number }
    return (
      user_version === as &&
      this.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'hub'").get() !== undefined
    )
  }

  private sum(table: "log" | "checkpoint"): number {
    const { length } = this.db
      .prepare(`SELECT coalesce(sum(length(text)), 0) AS length FROM ${table}`)
      .get() as { length: number }
    return length
  }

  private transact<A>(run: () => A): A {
    this.db.exec("BEGIN IMMEDIATE")
    try {
      const result = run()
      this.db.exec("COMMIT")
      return result
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK")
      throw error
    }
  }

  /** Everything that is kept. Throws a `DatabaseMistake`. */
  load(): Kept {
    try {
      const pieces = this.db
        .prepare("SELECT crc, text FROM checkpoint WHERE generation = ? ORDER BY part")
        .all(this.generation) as unknown as ReadonlyArray<{ readonly crc: number; readonly text: string }>
      // A log that was changed shows in the tips; a checkpoint has nothing else to show it.
      if (pieces.some(({ crc, text }) => crc32(text) !== crc))
        throw new DatabaseMistake("corrupt", "a piece of its checkpoint is not as it was written")
      const entries = this.db
        .prepare("SELECT revision, text FROM log ORDER BY revision")
        .all() as unknown as ReadonlyArray<Entry>
      this.newest = entries.at(-1)?.revision ?? this.newest
      const { collections, epoch } = this
      const answered = this.answered()
      const members = this.members.touchedBy(entries)
      return { epoch, collections, pieces: pieces.map(({ text }) => text), entries, members, answered }
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** Throws a `DatabaseMistake` where what is written goes into a file that nobody will find again. */
  checkPlace(): void {
    for (const [file, inode] of [
      [this.file, this.inode],
      [`${this.file}-wal`, undefined]
    ] as const) {
      const found = statSync(file, { throwIfNoEntry: false })?.ino
      if (found === undefined || (inode !== undefined && found !== inode))
        throw new DatabaseMistake("moved", `${file} is another file, or none`)
    }
  }

  /** All of them in one transaction. Throws a `DatabaseMistake`, and then none of them is kept. */
  append(entries: ReadonlyArray<Entry>): void {
    const outlivesPower = entries.some(({ durability }) => durability === "power")
    try {
      // With FULL the log is on the disk itself when the transaction is over.
      if (outlivesPower) this.db.exec("PRAGMA synchronous = FULL")
      this.transact(() => {
        for (const { answered, history = [], revision, text } of entries) {
          this.insert.run(revision, text)
          if (answered !== undefined) this.answer(answered)
          if (history.length > 0) this.history.add(history)
        }
      })
    } catch (error) {
      throw mistakeOf(error)
    } finally {
      if (outlivesPower) this.db.exec("PRAGMA synchronous = NORMAL")
    }
    this.newest = entries.at(-1)!.revision
    for (const { text } of entries) this.logLength += text.length
  }

  private answer(answered: Answered): void {
    this.db.prepare("DELETE FROM answered WHERE at < ?").run(answered.at - answeredFor)
    this.db
      .prepare("INSERT OR REPLACE INTO answered (id, at, text) VALUES (?, ?, ?)")
      .run(answered.id, answered.at, JSON.stringify(answered))
  }

  private answered(): ReadonlyArray<Answered> {
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

  /** Throws a `DatabaseMistake`. */
  past(asked: PastAsked): ReadonlyArray<Past> | undefined {
    try {
      return this.history.past(asked)
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** One step of letting go of history that is kept no longer. `true`: there is more. Throws a `DatabaseMistake`. */
  expire(expiring: Expiring): boolean {
    try {
      return this.transact(() => this.history.expire(expiring))
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** Throws a `DatabaseMistake`. */
  keep(member: Member): void {
    try {
      this.transact(() => this.members.keep(member))
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** Throws a `DatabaseMistake`. */
  member(name: string): string | undefined {
    try {
      return this.members.text(name)
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** Puts a checkpoint in place of everything. Throws a `DatabaseMistake`. */
  replace({ collections, pieces }: Pick<Kept, "collections" | "pieces">): void {
    try {
      this.transact(() => {
        this.db.prepare("UPDATE hub SET collections = ?").run(JSON.stringify(collections))
        this.write(this.generation + 1, 0, pieces)
        this.adopt(Number.MAX_SAFE_INTEGER)
        const away = new Set(pieces.flatMap(awayIn))
        this.members.drop(this.members.all().filter(([name]) => !away.has(name)))
      })
      this.collections = collections
      this.adopted()
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  get wantsCheckpoint(): boolean {
    return this.logLength > this.failedAt + Math.max(shortLog, this.checkpointLength)
  }

  /** Makes a checkpoint, pausing often: a step may be followed by appends. Throws a `DatabaseMistake`. */
  *checkpoint(): Generator<void> {
    try {
      this.discard()
      const upTo = this.newest
      const state = yield* replay(this.load(), this.memory)
      const over = settleMembers(state, this.members.all())
      const generation = this.generation + 1
      let part = 0
      for (const piece of checkpointOf(state)) {
        this.transact(() => this.write(generation, part++, [piece]))
        yield
      }
      this.transact(() => {
        this.adopt(upTo)
        this.members.drop(over)
      })
      this.adopted()
    } catch (error) {
      // Tried again when as much has come again; the log is all there until then.
      this.failedAt = this.logLength
      this.discard()
      throw mistakeOf(error)
    }
  }

  /** What there is of a checkpoint that was not finished. It does no harm, so a disk that is full may keep it. */
  private discard(): void {
    try {
      this.db.prepare("DELETE FROM checkpoint WHERE generation <> ?").run(this.generation)
    } catch (error) {
      if (mistakeOf(error).trouble !== "full") throw error
    }
  }

  private write(generation: number, from: number, pieces: ReadonlyArray<string>): void {
    const insert = this.db.prepare("INSERT INTO checkpoint (generation, part, crc, text) VALUES (?, ?, ?, ?)")
    let part = from
    for (const piece of pieces) insert.run(generation, part++, crc32(piece), piece)
  }

  private adopt(upTo: number): void {
    const generation = this.generation + 1
    this.db.prepare("UPDATE hub SET generation = ?").run(generation)
    this.db.prepare("DELETE FROM checkpoint WHERE generation < ?").run(generation)
    this.db.prepare("DELETE FROM log WHERE revision <= ?").run(upTo)
  }

  private adopted(): void {
    this.generation++
    this.failedAt = 0
    this.logLength = this.sum("log")
    this.checkpointLength = this.sum("checkpoint")
  }

  close(): void {
    this.db.close()
  }
}
