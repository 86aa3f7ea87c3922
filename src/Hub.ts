/**
 * Hub: who gets it, what if they are slow, what if they were away. State is all that is kept: a reader is a place in its
 * history, and whatever the reader is missing is computed from there.
 *
 * The order of effects: delta (pure), journal, State, bell.
 *
 * Effect owns what lives and ends: scopes, fibers, the bell, what waits. What runs once for every reader and message
 * (`Register`, `Delivery`, `Audience`, `Frame`, and `Outlet` of Http) is plain code over plain objects, because there the
 * write itself is most of the cost: a fiber that is woken per reader would triple it.
 */
import { Clock, Context, Effect, FiberSet, Latch, Layer, Metric, PubSub, Random } from "effect"

import { Catalog } from "./Catalog.ts"
import { type Commit, type Health, type Row } from "./Collection.ts"
import type { Pace, Reader, Sink } from "./Hub/Audience.ts"
import { census } from "./Hub/Census.ts"
import { changesSince } from "./Hub/Changes.ts"
import { Counts } from "./Hub/Counts.ts"
import type { Deadline } from "./Hub/Deadlines.ts"
import { Delivery } from "./Hub/Delivery.ts"
import { Follower } from "./Hub/Follower.ts"
import { Followers } from "./Hub/Followers.ts"
import type { Frame } from "./Hub/Frame.ts"
import { expire, older as olderBy, past } from "./Hub/History.ts"
import { Journal, type JournalFailed, type Page } from "./Hub/Journal.ts"
import { leader } from "./Hub/Leader.ts"
import { Log } from "./Hub/Log.ts"
import { type Opening, opener } from "./Hub/Opening.ts"
import { HubMemory } from "./Hub/Memory.ts"
import { pager } from "./Hub/Paging.ts"
import { Presence } from "./Hub/Presence.ts"
import type { Query } from "./Hub/Query.ts"
import { snapshotFrame, Snapshots } from "./Hub/Snapshots.ts"
import { Register } from "./Hub/Register.ts"
import { restart } from "./Hub/Restart.ts"
import { Turns } from "./Hub/Turns.ts"
import type { State } from "./Hub/State.ts"
import type { Board } from "./RateEngine.ts"
import { steady } from "./Steady.ts"
import { Unreadable } from "./Unreadable.ts"
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
export { makeQuery, matchesPattern, type Part, type Query } from "./Hub/Query.ts"

const readersNow = Metric.gauge("hub_readers", { description: "Readers of streams, sockets and long polls" })

/** One collection as it is now. */
export interface Look {
  readonly rows: number
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
>()("ratecast/Hub/Readers") {
  /** Of a hub elsewhere, by its log. */
  static readonly layerFollower = Layer.effect(
    Readers,
    Effect.suspend(() => follow)
  )
}

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

/** How long a request waits for a revision that is yet to come. */
const reachWithin = "2 seconds"

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
  const older = olderBy(journal, yield* OlderRows)
  const followers = new Followers(state)
  const demand = yield* Demand
  const paging = yield* pager({ state, catalog, memory, journal, followers, demand })
  const presence = new Presence(state, paging.bring)
  const { publish, readers } = yield* serve({ state, presence, older, outlives: journal.outlives })
  const { board, failed, log, start } = yield* leader({
    state,
    answered,
    older,
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

/** Serves readers from a State that `publish` moves on. */
const serve = Effect.fnUntraced(function* (options: {
  readonly state: State
  readonly presence: Presence
  readonly older: Log["Service"]["past"]
  readonly outlives: () => boolean
}) {
  const { older, outlives, presence, state } = options
  const demand = yield* Demand
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const context = yield* Effect.context<never>()
  const bell = yield* Effect.acquireRelease(PubSub.sliding<number>(1), PubSub.shutdown)
  const fork = yield* FiberSet.makeRuntime<never>()
  const snapshots = new Snapshots(state, presence, fork)
  const turns = new Turns(steady(clock), fork)
  const counts = new Counts(context)
  const wake = Latch.makeUnsafe(false)
  const register = new Register({
    state,
    clock: steady(clock),
    hooks: {
      enter: demand.enter,
      leave: demand.leave,
      counted: (readers) => readersNow.updateUnsafe(readers, context),
      wake: () => wake.openUnsafe()
    }
  })
  const { deadlines } = register
  const delivery = new Delivery({
    state,
    snapshots,
    register,
    hooks: {
      sent: (frame, framing) => counts.sent(frame, framing),
      broken: (error) => fork(Effect.logDebug("a reader's connection broke", error)),
      failed: (error) => fork(Effect.logError("some readers could not be served", error)),
      fork: (effect) => fork(effect)
    }
  })
  const drainers = new Set<() => void>()
  let draining = false

  const publish = (made: Commit, bytes: string | number) => {
    state.apply(made, bytes)
    register.ring(made)
    PubSub.publishUnsafe(bell, state.revision)
  }

  const turn = Effect.gen(function* () {
    deadlines.run(register.now)
    if (register.hasDue) yield* delivery.round
    counts.flush()
    // Between two rounds the event loop belongs to others, however much is due.
    if (register.hasDue) return yield* Effect.yieldNow
    const idle = Math.max(0, deadlines.next - register.now)
    yield* Effect.raceFirst(Effect.sleep(idle), wake.await)
    yield* wake.close
    // Whoever rings wakes the loop in the middle of its own work; that is finished first.
    yield* Effect.yieldNow
  })
  // Whatever goes wrong in one turn, the next one comes: readers that nobody serves would never know.
  yield* turn.pipe(
    Effect.catchDefect((defect) => Effect.logError("a turn of the delivery loop failed", defect)),
    Effect.forever,
    Effect.forkScoped
  )

  const reach = Effect.fnUntraced(
    function* ({ epoch, revision }: { readonly epoch: string; readonly revision: number }) {
      if (epoch !== state.epoch || revision <= state.revision) return
      const rings = yield* PubSub.subscribe(bell)
      while (state.revision < revision) yield* PubSub.take(rings)
    },
    Effect.scoped,
    Effect.timeoutOption(reachWithin),
    Effect.asVoid
  )

  const readers = Readers.of({
    outlives,
    epoch: state.epoch,
    revision: () => state.revision,
    cursor: (query) => state.cursor(query),
    look: (name) => ({ rows: state.size(name), health: state.health(name), asOf: state.asOf(name) }),
    row: (name, key) =>
      presence.of(
        [name],
        Effect.sync(() => state.rows(name).get(key))
      ),
    past: (name, before, limit) => presence.of([name], past(state, older)(name, before, limit)),
    members: (family) => [...state.names()].filter((name) => name.startsWith(`${family}:`)),
    snapshot: (query) =>
      Effect.map(Effect.tap(snapshots.current(query), turns.take), (snapshot) =>
        snapshotFrame(snapshot, "initial", (name) => state.asOf(name))
      ),
    isCurrent: (query, cursor) => {
      const resume = state.resume(query, cursor)
      if (resume._tag === "Reset") return false
      const changes = changesSince(state, query, { sent: resume.revision, seen: resume.revision })
      return changes !== "forgotten" && changes.size === 0
    },
    ready: (query, since) => {
      if (since === "now") return Effect.void
      const resume = since === undefined ? undefined : state.resume(query, since)
      if (resume?._tag === "Resumed") return presence.ofQuery(query, resume.revision, Effect.void)
      return snapshots.ready(query, 0) === undefined ? presence.ofQuery(query, -1, Effect.void) : Effect.void
    },
    reach,
    enter: (query, sink, pace) => register.enter(query, sink, pace),
    open: opener({ state, presence, snapshots, register, delivery, turns, random }),
    leave: (reader) => register.leave(reader),
    at: () => state.at,
    stands: ({ cohort, place }) => (cohort?.place ?? place)?.cursor,
    endsIn: ({ rotation }) => rotation && rotation.at - register.now,
    readers: () => register.readers.size,
    count: () => census(register.readers, register.now, context),
    conclude: Effect.fnUntraced(function* ({ audience, cohort, gone }) {
      // It was sent away with nothing.
      if (gone) return yield* new Unreadable()
      const made = cohort === undefined ? "nothing" : audience.change(cohort.place)
      if (typeof made === "object") return made
      return made === "nothing"
        ? state.cursor(audience.query)
        : delivery.opening(audience, yield* snapshots.current(audience.query), made)
    }),
    drained: (reader) => register.drained(reader),
    progressed: (reader) => register.progressed(reader),
    after: (ms, fire) => {
      const deadline = deadlines.set(register.now + ms, fire)
      return () => deadlines.cancel(deadline)
    },
    arm: (ms, fire, of) => deadlines.set(register.now + ms, fire, of),
    disarm: (deadline) => deadlines.cancel(deadline),
    isDraining: () => draining,
    onDrain: (listener) => {
      drainers.add(listener)
      return () => drainers.delete(listener)
    },
    drain: Effect.sync(() => {
      draining = true
      for (const reader of register.readers) reader.sink.end("shutdown")
      for (const listener of drainers) listener()
    })
  })
  return { publish, readers }
})
