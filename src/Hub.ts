/**
 * Hub: who gets it, what if they are slow, what if they were away. State is all that is kept: a reader is a place in its
 * history, and whatever the reader is missing is computed from there.
 *
 * The order of effects: delta (pure), journal, State, bell.
 */
import { Clock, Context, Effect, Layer, Random } from "effect"

import { Catalog } from "./Catalog.ts"
import { Follower } from "./Hub/Follower.ts"
import { Followers } from "./Hub/Followers.ts"
import { expire, older } from "./Hub/History.ts"
import { Journal, type JournalFailed } from "./Hub/Journal.ts"
import { leader } from "./Hub/Leader.ts"
import { Log } from "./Hub/Log.ts"
import { HubMemory } from "./Hub/Memory.ts"
import { pager } from "./Hub/Paging.ts"
import { Presence } from "./Hub/Presence.ts"
import { Readers } from "./Hub/Readers.ts"
import { restart } from "./Hub/Restart.ts"
import { serve } from "./Hub/Serve.ts"
import type { Board } from "./RateEngine.ts"
import { Demand, OlderRows } from "./Upstream.ts"

export type { Pace, Reader, Sink } from "./Hub/Audience.ts"
export { crcJoin } from "./Hub/Crc.ts"
export { type Cursor, parseCursor } from "./Hub/Cursor.ts"
export type { Deadline } from "./Hub/Deadlines.ts"
export { type Encoded, Frame } from "./Hub/Frame.ts"
export { chunk, type Framing, socketClose, socketPing, socketPong, socketText } from "./Hub/Framing.ts"
export { Journal, JournalFailed, type Kept, type Page, type PastAsked } from "./Hub/Journal.ts"
export { layerFallback } from "./Hub/Journal/Fallback.ts"
export { Disk, layerMemory } from "./Hub/Journal/Memory.ts"
export { layerSqlite } from "./Hub/Journal/Sqlite.ts"
export { Log, type News } from "./Hub/Log.ts"
export { goodbyeMessage, type GoodbyeCode, pingEvery, pingMessage } from "./Hub/Message.ts"
export type { Opening } from "./Hub/Opening.ts"
export { Forgettable } from "./Hub/Forgettable.ts"
export { HubMemory } from "./Hub/Memory.ts"
export { type Look, Readers } from "./Hub/Readers.ts"
export { makeQuery, matchesPattern, type Part, type Query } from "./Hub/Query.ts"

export class Hub extends Context.Service<
  Hub,
  Readers["Service"] & {
    /** Where the engine commits. */
    readonly board: Board
    /** Fails when commits can no longer be kept: from then on none is made. */
    readonly failed: Effect.Effect<never, JournalFailed>
    /** How many members of families are not in memory. */
    readonly pagedOut: () => number
    /** For those that follow. */
    readonly log: Log["Service"]
  }
>()("ratecast/Hub") {
  static readonly layer = Layer.effectContext(Effect.suspend(() => lead))
}

/** The readers of a hub elsewhere, by its log. */
export const layerFollower = Layer.effect(
  Readers,
  Effect.suspend(() => follow)
)

const lead = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const journal = yield* Journal
  const catalog = yield* Catalog
  const memory = yield* HubMemory
  const { answered, first, state } = yield* restart({
    catalog,
    memory,
    epoch:
      clock.currentTimeMillisUnsafe().toString(36) +
      Math.floor(random.nextDoubleUnsafe() * 36 ** 4).toString(36),
    at: clock.currentTimeMillisUnsafe()
  })
  yield* Effect.forkScoped(expire(catalog))
  const past = older(journal, yield* OlderRows)
  const followers = new Followers(state)
  const demand = yield* Demand
  const paging = yield* pager({ state, catalog, memory, journal, followers, demand })
  const presence = new Presence(state, paging.bring)
  const { publish, readers } = yield* serve({ state, presence, older: past, outlives: journal.outlives })
  const { board, failed, log, start } = yield* leader({
    state,
    answered,
    older: past,
    publish,
    followers,
    presence,
    use: paging.use
  })
  if (first !== undefined) yield* start(first)
  yield* Effect.forkScoped(paging.run)
  return Context.make(Hub, Hub.of({ ...readers, board, failed, log, pagedOut: () => state.away.size })).pipe(
    Context.add(Readers, readers)
  )
})

const follow = Effect.gen(function* () {
  const catalog = yield* Catalog
  const memory = yield* HubMemory
  const log = yield* Log
  const follower = yield* log.follow((kept) => new Follower(kept, catalog, memory))
  const { state } = follower
  const presence = new Presence(state, log.bring)
  const { publish, readers } = yield* serve({ state, presence, older: log.past, outlives: log.outlives })
  follower.publish = publish
  return readers
})
