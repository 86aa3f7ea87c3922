/**
 * Serves readers: the loop that delivers, and all that they ask. Effect owns what lives and ends: scopes, fibers, the bell,
 * what waits. What runs once for every reader and message (`Register`, `Delivery`, `Audience`, `Frame`, and `Outlet` of
 * Http) is plain code over plain objects, because there the write itself is most of the cost: a fiber that is woken per
 * reader would triple it.
 */
import { Clock, Effect, FiberSet, Latch, Metric, PubSub, Random } from "effect"

import type { Commit } from "../Collection.ts"
import { steady } from "../Steady.ts"
import { Unreadable } from "../Unreadable.ts"
import { Demand } from "../Upstream.ts"
import { census } from "./Census.ts"
import { changesSince } from "./Changes.ts"
import { Counts } from "./Counts.ts"
import { Delivery } from "./Delivery.ts"
import { past } from "./History.ts"
import type { Log } from "./Log.ts"
import { opener } from "./Opening.ts"
import type { Presence } from "./Presence.ts"
import { Readers } from "./Readers.ts"
import { Register } from "./Register.ts"
import { snapshotFrame, Snapshots } from "./Snapshots.ts"
import type { State } from "./State.ts"
import { Turns } from "./Turns.ts"

const readersNow = Metric.gauge("hub_readers", { description: "Readers of streams, sockets and long polls" })

/** How long a request waits for a revision that is yet to come. */
const reachWithin = "2 seconds"

/** Serves readers from a State that `publish` moves on. */
export const serve = Effect.fnUntraced(function* (options: {
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
    look: (name) => ({
      rows: state.size(name),
      revision: state.changedAt(name),
      health: state.health(name),
      asOf: state.asOf(name)
    }),
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
