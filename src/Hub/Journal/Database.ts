/**
 * The journal as one SQLite file. Plain and synchronous: it runs in a thread of its own (`Thread.ts`).
 *
 * Commits are appended to a log. When the log has grown longer than the checkpoint, a new checkpoint is made of the last
 * one and the log, in slices between which commits are appended as ever, and what it covers goes.
 */
import { statSync } from "node:fs"
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { crc32 } from "node:zlib"

import { awayIn, checkpointOf, type Declaration, replay, settleMembers } from "../Checkpoint.ts"
import type { Entry, Expiring, Kept, Member, Past, PastAsked } from "../Journal.ts"
import { defaultMemory, type Memory } from "../State.ts"
import { Answers } from "./Answers.ts"
import { openFile, transact } from "./File.ts"
import { History } from "./History.ts"
import { Members } from "./Members.ts"
import { DatabaseMistake, mistakeOf, openMistakeOf } from "./Mistake.ts"

/** A log of fewer characters than this is not worth a checkpoint. */
const shortLog = 4 * 1024 * 1024

export class Database {
  private readonly db: DatabaseSync
  private readonly file: string
  private readonly inode: number
  private readonly insert: StatementSync
  private readonly answers: Answers
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
    this.db = openFile(file, fresh)
    try {
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
      this.answers = new Answers(this.db)
      this.history = new History(this.db)
      this.members = new Members(this.db)
      this.logLength = this.sum("log")
      this.checkpointLength = this.sum("checkpoint")
    } catch (error) {
      this.db.close()
      throw openMistakeOf(file, error)
    }
  }

  private sum(table: "log" | "checkpoint"): number {
    const { length } = this.db
      .prepare(`SELECT coalesce(sum(length(text)), 0) AS length FROM ${table}`)
      .get() as { length: number }
    return length
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
      const answered = this.answers.newest()
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
      transact(this.db, () => {
        for (const { answered, history = [], revision, text } of entries) {
          this.insert.run(revision, text)
          if (answered !== undefined) this.answers.add(answered)
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
      return transact(this.db, () => this.history.expire(expiring))
    } catch (error) {
      throw mistakeOf(error)
    }
  }

  /** Throws a `DatabaseMistake`. */
  keep(member: Member): void {
    try {
      transact(this.db, () => this.members.keep(member))
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
      transact(this.db, () => {
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
        transact(this.db, () => this.write(generation, part++, [piece]))
        yield
      }
      transact(this.db, () => {
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
