/** What the edges of the service have of a hub: State as readers see it, and the readers. */
import { Context, type Effect } from "effect"

import type { Health, Row } from "../Collection.ts"
import type { Unreadable } from "../Unreadable.ts"
import type { Pace, Reader, Sink } from "./Audience.ts"
import type { Deadline } from "./Deadlines.ts"
import type { Frame } from "./Frame.ts"
import type { Page } from "./Journal.ts"
import type { Opening } from "./Opening.ts"
import type { Query } from "./Query.ts"

/** One collection as it is now. */
export interface Look {
  readonly rows: number
  /** The one that last changed it. */
  readonly revision: number
  readonly health: Health
  /** ms since 1970, 0 for never */
  readonly asOf: number
}

/** State as readers see it, and who they are. */
export class Readers extends Context.Service<
  Readers,
  {
    /** Whether commits outlive this process. */
    readonly outlives: () => boolean
    readonly epoch: string
    readonly revision: () => number
    readonly cursor: (query: Query) => string
    readonly look: (collection: string) => Look
    readonly row: (collection: string, key: string) => Effect.Effect<Row | undefined, Unreadable>
    /**
     * Rows of a written collection, the newest first and live ones too, that were born before the one of this key.
     * `undefined`: there never was one of this key, or it is deleted and forgotten. `unavailable`: a backend has them, and
     * does not answer now.
     */
    readonly past: (
      collection: string,
      before: string | undefined,
      limit: number
    ) => Effect.Effect<Page, Unreadable>
    /** Names of the members of a family that have been heard of. */
    readonly members: (family: string) => ReadonlyArray<string>
    /** The whole state of a query now, built once however many ask. */
    readonly snapshot: (query: Query) => Effect.Effect<Frame, Unreadable>
    /** Whether nothing of the query has changed since a cursor. */
    readonly isCurrent: (query: Query, cursor: string) => boolean
    /** Waits, for 2 s at most, for a revision of this epoch that is yet to come. */
    readonly reach: (cursor: { readonly epoch: string; readonly revision: number }) => Effect.Effect<void>
    /** A reader that gets nothing yet. `leave` may be called at any time after. */
    readonly enter: (query: Query, sink: Sink, pace: Pace) => Reader
    /** Has in memory what somebody who comes with this cursor is told of a query. */
    readonly ready: (query: Query, since: string | undefined) => Effect.Effect<void, Unreadable>
    /** Gives a reader its first message and puts it among the others; sends it away where that cannot be. */
    readonly open: (reader: Reader, opening: Opening) => Effect.Effect<void>
    readonly leave: (reader: Reader) => void
    /** When the newest commit was made, ms since 1970; 0 before the first. */
    readonly at: () => number
    /** The cursor of the last message of a reader that has been opened. */
    readonly stands: (reader: Reader) => string | undefined
    /** When a reader that has been opened is sent away in any case, ms from now; `undefined`: it is not. */
    readonly endsIn: (reader: Reader) => number | undefined
    /** How many there are. */
    readonly readers: () => number
    /** Brings what the metrics say of them up to now. */
    readonly count: () => void
    /** What a long poll has to say when its time is over: what it was held back from, or the cursor up to which that is nothing. */
    readonly conclude: (reader: Reader) => Effect.Effect<Frame | string, Unreadable>
    /** The connection has taken all, or some, of the last frame. */
    readonly drained: (reader: Reader) => void
    readonly progressed: (reader: Reader) => void
    /** Calls back after a time; what it returns takes that back. */
    readonly after: (ms: number, fire: () => void) => () => void
    /** The same without a closure for each: `fire` is called with `of`. */
    readonly arm: <A>(ms: number, fire: (now: number, of: A) => void, of: A) => Deadline
    readonly disarm: (deadline: Deadline | undefined) => void
    readonly isDraining: () => boolean
    /** Calls back when everybody has to go; what it returns takes that back. */
    readonly onDrain: (listener: () => void) => () => void
    /** Says goodbye to everybody. */
    readonly drain: Effect.Effect<void>
  }
>()("ratecast/Hub/Readers") {}
