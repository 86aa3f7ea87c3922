/**
 * Where commits are kept, so that a restart goes on where the last run was killed. A port: one atomic ordered append, and
 * at the start a checkpoint with the commits after it. Nothing, not even a snapshot, reads a revision that the journal has
 * not acknowledged, so no client can hold a cursor that the server has forgotten.
 */
import { Context, Effect, Layer, Schema } from "effect"

import type { Answered } from "../Answered.ts"
import type { Declaration } from "./Checkpoint.ts"

export type JournalTrouble =
  | "corrupt"
  | "foreign"
  | "version"
  | "locked"
  | "read_only"
  | "full"
  | "moved"
  | "unfit"
  | "failed"

const meanings: { readonly [trouble in JournalTrouble]: string } = {
  corrupt:
    "is damaged; it is left as it is. Move it and what has its name with -wal at the end away together to begin anew, or put both back from a copy",
  foreign: "is not a Ratecast journal; it is left as it is. Choose another folder with RATECAST_DATA",
  version:
    "was written by another version of Ratecast; it is left as it is. Run that one, or move it away to begin anew",
  locked: "is in use by another process. Stop that one, or choose another folder with RATECAST_DATA",
  read_only: "cannot be written. Give this user the right to, or choose another folder with RATECAST_DATA",
  full: "cannot grow: the disk is full. What was acknowledged is kept; make room and start again",
  moved: "was moved or deleted while it was in use. Put it back, or start again to begin anew",
  unfit:
    "has rows that were written, and that the config has no place for; they are left as they are. Declare their collections as they were (a new field as optional), or say that they may be lost",
  failed: "cannot be used. Choose another folder with RATECAST_DATA, or see what is wrong with this one"
}

/** The journal cannot be read or written. `file` is where it is kept. */
export class JournalFailed extends Schema.TaggedError<JournalFailed>()("JournalFailed", {
  file: Schema.String,
  trouble: Schema.Literals(Object.keys(meanings) as ReadonlyArray<JournalTrouble>),
  detail: Schema.String
}) {
  override get message(): string {
    return `the journal ${this.file} ${meanings[this.trouble]} (${this.detail})`
  }
}

/** A commit as it is stored; its revision is one more than that of the entry before it. */
export interface Entry {
  readonly revision: number
  readonly text: string
  /** What it has to survive before it is acknowledged: the death of this process, or a power cut as well. */
  readonly durability?: "power"
  /** Rows that left their live window with it, the oldest first. */
  readonly history?: ReadonlyArray<Left>
  /** What the write that it comes from was answered, in case that comes again. */
  readonly answered?: Answered
}

/** A row that is history. */
export interface Past {
  readonly collection: string
  readonly key: string
  /** As it was last. */
  readonly row: string
}

/** A row on its way into history. */
export interface Left extends Past {
  /** When it was born, ms since 1970. */
  readonly at: number
}

/** How much history a collection, or each member of a family, keeps. */
export interface Keep {
  /** `chat`, or `support` for a family. */
  readonly family: string
  /** The newest; may be infinite. */
  readonly rows: number
  /** Since they were born, ms. */
  readonly age?: number | undefined
}

export interface Expiring {
  readonly keeps: ReadonlyArray<Keep>
  /** ms since 1970 */
  readonly now: number
}

/** A member of a family that is paged out. */
export interface Member {
  readonly name: string
  /** Of its table. */
  readonly rev: number
  /** `Checkpoint.tableText` of its table. */
  readonly text: string
}

/** What a run begins with: `Checkpoint.ts` says what the pieces are. */
export interface Kept {
  readonly epoch: string
  /** As they were declared when it was written. */
  readonly collections: ReadonlyArray<Declaration>
  /** None where there is no checkpoint yet. */
  readonly pieces: ReadonlyArray<string>
  /** The commits after the checkpoint, in order. */
  readonly entries: ReadonlyArray<Entry>
  /** By name, at least those of them that are committed to after the checkpoint. */
  readonly members?: ReadonlyMap<string, string>
  /** Of the last day, the oldest first. */
  readonly answered?: ReadonlyArray<Answered>
}

/** A page of history; `undefined`: there is no row to begin before. `unavailable`: who has it does not answer now, or it cannot be read. */
export type Page = ReadonlyArray<Past> | "unavailable" | undefined

export interface PastAsked {
  readonly collection: string
  /** A key that the server gave is a place in time, though its row may be gone; unless `limit` is 0. */
  readonly before: string | undefined
  readonly limit: number
  /** The key that what has been told so far ends with, where that is another. */
  readonly end?: string | undefined
}

export class Journal extends Context.Service<
  Journal,
  {
    /** What was kept, or an empty journal of this epoch and these collections. */
    readonly open: (fresh: Pick<Kept, "epoch" | "collections">) => Effect.Effect<Kept, JournalFailed>
    /** Returns when the commit survives the death of this process. */
    readonly append: (entry: Entry) => Effect.Effect<void, JournalFailed>
    /**
     * Rows that are history, the newest first: those that left before the one at `before`. `undefined` where no row of
     * this key is history.
     */
    readonly past: (asked: PastAsked) => Effect.Effect<ReadonlyArray<Past> | undefined, JournalFailed>
    /** Lets go of some history that is kept no longer. `true`: there is more. */
    readonly expire: (expiring: Expiring) => Effect.Effect<boolean, JournalFailed>
    /**
     * Keeps a member by itself, in place of what was kept of it before. A checkpoint of that revision need not hold it
     * then; whatever is lost in a power cut, this is lost before the commits that it shows.
     */
    readonly keepMember: (member: Member) => Effect.Effect<void, JournalFailed>
    /** What was kept of a member last; `undefined` for nothing. */
    readonly member: (name: string) => Effect.Effect<string | undefined, JournalFailed>
    /** Puts this checkpoint in place of everything that is kept. */
    readonly replace: (kept: Pick<Kept, "collections" | "pieces">) => Effect.Effect<void, JournalFailed>
    /** Fails when it can be used no longer, though nothing is asked of it. */
    readonly lost: Effect.Effect<never, JournalFailed>
    /** Goes on without what was kept, which no state can be made of; missing where that stops the start. */
    readonly abandon?: (failure: JournalFailed) => Effect.Effect<void>
    /** Whether commits outlive this process. */
    readonly outlives: () => boolean
    /** Where it is kept, for people. */
    readonly file: string
  }
>()("ratecast/Hub/Journal") {
  /** Keeps nothing beyond this process. */
  static readonly layerNone = Layer.succeed(Journal, {
    open: (fresh) => Effect.succeed({ ...fresh, pieces: [], entries: [] }),
    append: () => Effect.void,
    past: ({ before }) => Effect.succeed(before === undefined ? [] : undefined),
    expire: () => Effect.succeed(false),
    keepMember: () => Effect.void,
    member: () => Effect.succeed(undefined),
    replace: () => Effect.void,
    lost: Effect.never,
    outlives: () => false,
    file: "nowhere"
  })
}
