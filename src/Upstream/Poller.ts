/**
 * The life of one source: when it is polled. One poll at a time, always; slower while nobody reads; less while it fails.
 * A Schedule decides the ticks, a latch wakes it between them.
 */
import { Clock, Deferred, Duration, Effect, Latch, Random, Schedule, type Scope } from "effect"

import type { NamedSource } from "../Catalog.ts"
import { steady } from "../Steady.ts"
import { makeBreaker } from "./Breaker.ts"
import type { Demand } from "./Demand.ts"
import { broken, type PollFailed } from "./Failure.ts"
import { figuresOf } from "./Figures.ts"
import type { Polled } from "./Poll.ts"
import type { Outcome, Reading } from "./Reading.ts"

/** Readers who only came by keep a source awake for this long, ms, and at least for two polls. */
const linger = 30_000
const defaultEvery = 10_000

const ms = (input: Duration.Input | undefined, otherwise: number) =>
  input === undefined ? otherwise : Duration.toMillis(Duration.fromInputUnsafe(input))

/** Times of a source, ms. */
export const timesOf = ({ options }: NamedSource) => {
  const every = ms(options.every, defaultEvery)
  return {
    every,
    // A schedule of its own is not second-guessed: it slows down only where that is asked for.
    idleEvery: ms(options.idleEvery, options.schedule === undefined ? 6 * every : 0),
    refreshEvery: ms(options.refreshEvery, 1_000),
    forgetAfter: ms(options.forgetAfter, 60_000),
    /** The longest time without a poll while it fails: short enough to see a recovery soon, long enough to let it breathe. */
    maxOpen: Math.min(Math.max(3 * every, 5_000), 60_000)
  }
}

export interface Refreshed {
  /** Whether something was fetched. */
  readonly refreshed: boolean
  /** Whether what is held now is what the upstream says. */
  readonly ok: boolean
  readonly retryAfterMs: number
}

export interface Poller {
  /** Polls until it is interrupted; of a member of a family, until nobody has read it for a while; what is read once, until it counts. */
  readonly run: Effect.Effect<void>
  /** Something changed that may make a poll due: somebody came to read. */
  readonly wake: () => void
  /**
   * Has a poll begin, at most one in `refreshEvery`, and waits for its commit. One that began before this was asked (ms of the
   * steady clock) may have missed what the caller knows of, so it is the next that counts.
   */
  readonly refresh: (asked: number) => Effect.Effect<Refreshed>
}

/** The poll that was asked for, or the one before it; `undefined` where the breaker did not let it through, or nobody polls any more. */
type Finished = { readonly refreshed: boolean; readonly settled: Deferred.Deferred<boolean> } | undefined

/** Who asks while a poll is under way waits for the next to begin for so long, ms. */
const mostWait = 5_000

export const makePoller = Effect.fnUntraced(function* (options: {
  readonly name: string
  readonly source: NamedSource
  readonly poll: Effect.Effect<Polled, PollFailed>
  readonly demand: () => Demand
  readonly publish: (reading: Reading) => Effect.Effect<void>
}): Effect.fn.Return<Poller, never, Scope.Scope> {
  const { demand, name, poll, publish, source } = options
  const times = timesOf(source)
  const wall = yield* Clock.Clock
  const time = steady(wall)
  const figures = figuresOf(source.name)
  const latch = Latch.makeUnsafe(false)
  const breaker = yield* makeBreaker(name, { first: Math.max(times.every, 1_000), most: times.maxOpen })

  /** Of a poll, from its beginning to its end. */
  let running: Deferred.Deferred<Finished> | undefined
  /** Of a poll that is asked for and has not begun. */
  let wanted: Deferred.Deferred<Finished> | undefined
  // A member of a family that gives way to another may be polled just now, and somebody wait for that.
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const one of [running, wanted]) if (one !== undefined) Deferred.doneUnsafe(one, Effect.undefined)
    })
  )
  let startedAt = -Infinity
  let notBefore = -Infinity
  /** Of the last poll; the breaker's refusal counts as one that did not. */
  let settledLast: Deferred.Deferred<boolean> = Deferred.makeUnsafe()

  const isRead = (now: number) => {
    const { readers, touchedAt } = demand()
    return readers > 0 || now - touchedAt < Math.max(linger, 2 * times.every)
  }

  /** `undefined`: the breaker did not let the poll through. */
  const guarded: Effect.Effect<Outcome | undefined> = poll.pipe(
    // A poller that dies would leave its collections stale for ever, and nobody would know why.
    Effect.catchDefect((defect) =>
      Effect.logError("a poll broke", defect).pipe(
        Effect.annotateLogs({ source: name }),
        Effect.andThen(broken(defect))
      )
    ),
    (whole) => breaker(whole),
    Effect.catchTags({
      PollFailed: (failure) => Effect.succeed({ _tag: "Failed", failure } as const),
      CircuitBreakerError: () => Effect.succeed(undefined)
    })
  )

  /** When the next poll may begin that somebody asks for, ms of the steady clock. */
  const forcedAt = () => Math.max(startedAt + times.refreshEvery, notBefore)
  const untilForced = () => forcedAt() - time.currentTimeMillisUnsafe()

  const once = Effect.gen(function* () {
    startedAt = yield* time.currentTimeMillis
    const finished = (running = wanted ?? Deferred.makeUnsafe<Finished>())
    wanted = undefined
    const outcome = yield* guarded
    const endedAt = yield* time.currentTimeMillis
    if (outcome === undefined) {
      running = undefined
      settledLast = Deferred.makeUnsafe()
      yield* Deferred.succeed(settledLast, false)
      yield* figures.rejected
      yield* Deferred.succeed(finished, undefined)
      return
    }
    yield* figures.polled(outcome, endedAt - startedAt)
    if (outcome._tag === "Failed") {
      notBefore = endedAt + (outcome.failure.retryAfterMs ?? 0)
      yield* Effect.logDebug("poll failed", outcome.failure).pipe(Effect.annotateLogs({ source: name }))
    }
    const settled = Deferred.makeUnsafe<boolean>()
    yield* publish({ source: name, at: yield* wall.currentTimeMillis, outcome, settled })
    settledLast = settled
    running = undefined
    yield* Deferred.succeed(finished, { refreshed: true, settled })
    if (wanted !== undefined && forcedAt() - endedAt > mostWait) {
      yield* Deferred.succeed(wanted, { refreshed: false, settled })
      wanted = undefined
    }
  })

  const { schedule } = source.options
  // One of its own may mean hours of the day.
  const scheduled = schedule === undefined ? time : wall
  // Windows: after a poll that took longer than one, the next comes when the next window begins, not at once.
  const ticks = Schedule.toStep(schedule ?? Schedule.windowed(times.every))
  // Sources that start together shall not poll together for ever: the second poll falls into a phase of its own.
  const phase = schedule === undefined ? Math.floor((yield* Random.next) * (times.every / 2)) : 0

  const run = Effect.gen(function* () {
    let tick = yield* ticks
    let early = phase
    for (;;) {
      yield* once
      // What is read once is read until it counts.
      if (source.once === true && (yield* Deferred.await(settledLast))) return
      const finishedAt = yield* time.currentTimeMillis
      const idle = times.idleEvery > 0 && !isRead(finishedAt)
      let next = startedAt + times.idleEvery
      if (!idle) {
        // A schedule that ends leaves the source to forced refreshes.
        const delay = yield* tick(yield* scheduled.currentTimeMillis, undefined).pipe(
          Effect.map(([, delay]) => Duration.toMillis(delay)),
          Effect.orElseSucceed(() => Infinity)
        )
        next = finishedAt + delay - early
      }
      if (yield* isOver(idle, next)) return
      const now = yield* time.currentTimeMillis
      // After another time than its own it begins anew, or the next poll might follow at once.
      if (schedule === undefined && (idle || early > 0 || now > next)) tick = yield* ticks
      if (!idle) early = 0
    }
  })

  /** Says when the next poll is due: in so many ms, unless the breaker is open for longer. */
  const announce = Effect.fnUntraced(function* (wait: number) {
    const openFor = yield* breaker.openFor
    const next = (yield* wall.currentTimeMillis) + Math.max(wait, openFor)
    yield* figures.due(next, openFor > 0)
  })

  /** Waits for the next poll to be due. `true`: nobody has read this member of a family for a while. */
  const isOver = Effect.fnUntraced(function* (idle: boolean, next: number) {
    for (;;) {
      const now = yield* time.currentTimeMillis
      const { readers, touchedAt } = demand()
      const isLeft = source.family && readers === 0 && wanted === undefined
      const over = isLeft ? touchedAt + times.forgetAfter : Infinity
      if (now >= over) return true
      const woken = idle && isRead(now) ? startedAt + times.every : Infinity
      const asked = wanted === undefined ? Infinity : forcedAt()
      const due = Math.max(Math.min(next, woken, asked), notBefore)
      if (now >= due) return false
      yield* announce(due - now)
      yield* Effect.raceFirst(Effect.sleep(Math.min(due, over) - now), latch.await)
      yield* latch.close
    }
  })

  const refresh = Effect.fnUntraced(function* (asked: number) {
    const wasRead = source.once === true && running === undefined && startedAt > -Infinity
    // Nobody reads it again: what counts is whether its commit does.
    if (wasRead && (yield* Deferred.await(settledLast)))
      return { refreshed: true, ok: true, retryAfterMs: times.refreshEvery }
    const retryAfterMs = untilForced()
    if (running === undefined && wanted === undefined && retryAfterMs > 0)
      return { refreshed: false, ok: yield* Deferred.await(settledLast), retryAfterMs }
    // Polled by the poller itself, so that there is never a second one in flight.
    // What is read once has no other.
    const isMet = running !== undefined && (startedAt >= asked || source.once === true)
    const next = isMet ? running! : (wanted ??= Deferred.makeUnsafe<Finished>())
    latch.openUnsafe()
    const finished = yield* Deferred.await(next)
    if (finished === undefined) return { refreshed: false, ok: false, retryAfterMs: times.refreshEvery }
    const ok = yield* Deferred.await(finished.settled)
    return finished.refreshed
      ? { refreshed: true, ok, retryAfterMs: times.refreshEvery }
      : { refreshed: false, ok, retryAfterMs: untilForced() }
  })

  return { run, wake: () => latch.openUnsafe(), refresh }
})
