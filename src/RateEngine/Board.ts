/** Where the engine commits, and what it compares with. */
import type { Effect } from "effect"

import type { Answered } from "../Answered.ts"
import type { Commit, Health, Row, Rows } from "../Collection.ts"
import type { Unreadable } from "../Unreadable.ts"

/** The rows as they are committed. */
export interface Committed {
  readonly rows: (collection: string) => Rows
  readonly health: (collection: string) => Health
  /** When the upstream last answered well, ms since 1970; 0 for never. */
  readonly asOf: (collection: string) => number
  /** Rows in order of birth, and when each was born, ms since 1970. */
  readonly births: (collection: string) => Iterable<readonly [key: string, at: number]>
}

/** Of one collection. */
export interface Past {
  readonly collection: string
  readonly rows: ReadonlyArray<readonly [key: string, row: Row]>
}

export interface Board extends Committed {
  /** Collections that have been committed to, in this run or before. */
  readonly names: () => Iterable<string>
  /** Those of them that are in memory. */
  readonly inMemory: () => Iterable<string>
  /** Returns when everybody may see it. */
  readonly commit: (commit: Commit, beside?: Beside) => Effect.Effect<void>
  /** Writes of the last day that may come again, the oldest first. */
  readonly answered: () => Iterable<Answered>
  /** The upstream answered well and nothing changed: no commit, no revision. */
  readonly touch: (asOf: Commit["asOf"]) => void
  /** Of the newest commit. */
  readonly revision: () => number
  readonly at: () => number
  /** When the oldest row was born, ms since 1970; `undefined` for no rows. */
  readonly oldestAt: (collection: string) => number | undefined
  /** Runs it with these collections in memory: members of families may be elsewhere. */
  readonly present: <A, E, R>(
    collections: ReadonlyArray<string>,
    use: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Unreadable, R>
  /** Whether a row of this key has left the live window. */
  readonly wasEvicted: (collection: string, key: string) => Effect.Effect<boolean, Unreadable>
}

/** What is kept with a commit, and no reader is told of. */
export interface Beside {
  readonly answered?: Answered | undefined
  readonly past?: Past | undefined
}
