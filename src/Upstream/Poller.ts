/**
 * The life of one source: when it is polled. One poll at a time, always; slower while nobody reads; less while it fails.
 * A Schedule decides the ticks, a latch wakes it between them.
 */
import { Clock, Deferred, Duration, Effect, Latch, Metric, Random, Schedule, type Scope } from "effect"

import type { NamedSource } from "../Catalog.ts"
import { steady } from "../Steady.ts"
import { makeBreaker } from "./Breaker.ts"
import type { Demand } from "./Demand.ts"
import { broken, type PollFailed } from "./Failure.ts"
import type { Polled } from "./Poll.ts"

/** What one poll said. */
export type Outcome =
  | Polled
  | { readonly _tag: "Failed"; readonly failure: PollFailed }
  /** Of a member of a family: nobody reads it any more, its rows may go. */
  | { readonly _tag: "Idle" }

export interface Reading {
  /** `pools`, or a member of a family: `order:17`. */
  readonly source: string
  readonly at: number
  readonly outcome: Outcome
  /** Done when what this reading caused is committed: whether it counted. */
  readonly settled: Deferred.Deferred<boolean>
}

const polls = Metric.counter("upstream_polls_total", {
  description: "Polls by source and outcome: changed, unchanged, or the code of the failure",
  incremental: true
})
const pollSeconds = Metric.histogram("upstream_poll_seconds", {
  description: "Time of one poll, retries included",
  boundaries: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]
})
const bodySize = Metric.gauge("upstream_body_size", {
  description:
    "Size of the last answer that was read, unpacked, in bytes: what every client would fetch by itself"
})
const rejected = Metric.counter("upstream_polls_rejected_total", {
  description: "Polls not made because the circuit breaker of the source is open",
  incremental: true
})
const breakerOpen = Metric.gauge("upstream_breaker_open", {
  description: "1 while the circuit breaker of the source lets nothing through"
})
const lastAt = Metric.gauge("upstream_last_poll_timestamp_seconds", {
  description: "When the last poll ended, seconds since 1970"
})
const lastSeconds = Metric.gauge("upstream_last_poll_seconds", {
  description: "Time of the last poll, retries included"
})
const nextAt = Metric.gauge("upstream_next_poll_timestamp_seconds", {
  description: "When the next poll is due, seconds since 1970; 0 where it has to be asked for"
})

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
  const attributes = { source: source.name }
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
      yield* Metric.update(Metric.withAttributes(rejected, attributes), 1)
      yield* Deferred.succeed(finished, undefined)
      return
    }
    yield* Metric.update(Metric.withAttributes(lastAt, attributes), (yield* wall.currentTimeMillis) / 1000)
    yield* Metric.update(Metric.withAttributes(lastSeconds, attributes), (endedAt - startedAt) / 1000)
    const label =
      outcome._tag === "Failed" ? outcome.failure.code : outcome._tag === "Bodies" ? "changed" : "unchanged"
    yield* Metric.update(Metric.withAttributes(polls, { ...attributes, outcome: label }), 1)
    yield* Metric.update(Metric.withAttributes(pollSeconds, attributes), (endedAt - startedAt) / 1000)
    if (outcome._tag === "Bodies")
      yield* Metric.update(Metric.withAttributes(bodySize, attributes), outcome.size)
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
    yield* Metric.update(Metric.withAttributes(breakerOpen, attributes), openFor > 0 ? 1 : 0)
    yield* Metric.update(Metric.withAttributes(nextAt, attributes), Number.isFinite(next) ? next / 1000 : 0)
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
