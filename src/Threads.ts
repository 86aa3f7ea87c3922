/**
 * Threads: how more than one core serves readers. This thread polls, computes and journals as ever and serves nobody; so
 * many others follow its log, each with a State of its own, and share one port (SO_REUSEPORT): the kernel deals
 * connections out among them. Whatever is decided once for all is asked for by message.
 */
import { createServer } from "node:net"

import {
  Clock,
  Data,
  Deferred,
  Effect,
  FiberSet,
  Layer,
  type LogLevel,
  Metric,
  References,
  type Scope
} from "effect"
import { ServeError } from "effect/http/HttpServerError"
import { PrometheusMetrics } from "effect/observability"

import { type Quotas, type Revocation, Siblings } from "./Http.ts"
import type { Hub } from "./Hub.ts"
import type { Writes } from "./RateEngine.ts"
import { Settings } from "./Settings.ts"
import { steady } from "./Steady.ts"
import type { MainLine, Orders } from "./Threads/Messages.ts"
import { type Ended, runThread } from "./Threads/Thread.ts"
import { Totals } from "./Threads/Totals.ts"
import type { Demand } from "./Upstream.ts"

export type { Orders } from "./Threads/Messages.ts"
export { type Serving, serving } from "./Threads/Serving.ts"

const servingNow = Metric.gauge("threads_serving", { description: "Threads that take readers" })
const endings = Metric.counter("threads_ended_total", {
  description: "Threads that ended without being asked to, by reason; their readers came back on others",
  incremental: true
})

/** A thread that ends is started anew after this long, twice as long each time, ms; at once where it has served for a minute. */
const restartAfter = { least: 100, most: 30_000, forgivenAfter: 60_000 }
/** So many as one thread remembers. */
const maxRevocations = 100_000
/** A thread that is busy for longer is told of as it was when it was asked last. */
const metricsWithin = "1 second"

/** A thread could not begin to serve. */
export class ThreadFailed extends Data.TaggedError("ThreadFailed")<{ readonly message: string }> {}

/** A thread's place among the others, whichever thread has it now. */
interface Seat {
  readonly thread: number
  readonly up: Deferred.Deferred<void, Ended>
  line: MainLine | undefined
  /** What it counted when it was asked last. */
  counted: ReadonlyArray<Metric.Metric.Snapshot>
}

interface Options {
  /** The module of a thread. */
  readonly entry: URL
  /** The config file. */
  readonly config: string
  readonly logFormat: Orders["logFormat"]
}

const make = Effect.fnUntraced(function* ({ config, entry, logFormat }: Options) {
  const settings = yield* Settings
  const logLevel: LogLevel.LogLevel = yield* References.MinimumLogLevel
  const context = yield* Effect.context<never>()
  const clock = steady(yield* Clock.Clock)
  const port = yield* portOf(settings)
  const seats = Array.from({ length: settings.threads }, (_, i): Seat => {
    return { thread: i + 1, up: Deferred.makeUnsafe<void, Ended>(), line: undefined, counted: [] }
  })
  const gone = new Totals()

  // At the start all are let loose together, or the first to listen would get everybody.
  const everybodyHolds = Deferred.makeUnsafe<void>()
  let holding = 0
  const held = Effect.suspend(() => {
    if (++holding === seats.length) Deferred.doneUnsafe(everybodyHolds, Effect.void)
    return Deferred.await(everybodyHolds)
  })

  /** For threads that are started anew. */
  const revocations = new Map<string, Revocation>()
  const remember = (revocation: Revocation): void => {
    const id = JSON.stringify(revocation.revoked)
    revocations.delete(id)
    revocations.set(id, revocation)
    for (const oldest of revocations.keys()) {
      if (revocations.size <= maxRevocations) return
      revocations.delete(oldest)
    }
  }

  const countServing = () =>
    servingNow.updateUnsafe(seats.filter(({ line }) => line !== undefined).length, context)
  const seatOf = (id: string) => seats.find(({ thread }) => id.startsWith(`${thread}.`))
  const siblings: Siblings = {
    prefix: "",
    answer: () => {},
    ping: (id) =>
      Effect.suspend(() => seatOf(id)?.line?.ask("ping", id) ?? Effect.succeed(false)).pipe(
        Effect.catch(() => Effect.succeed(false))
      ),
    redeem: (ticket) =>
      Effect.suspend(() => seatOf(ticket)?.line?.ask("redeem", ticket) ?? Effect.succeed(undefined)).pipe(
        Effect.catch(() => Effect.succeed(undefined))
      ),
    revoke: (revocation) => {
      remember(revocation)
      return Effect.forEach(
        seats,
        ({ line }) =>
          Effect.suspend(() => line?.ask("revoke", revocation) ?? Effect.succeed(true)).pipe(
            // One that has ended is told when it is started anew.
            Effect.catch(() => Effect.succeed(true))
          ),
        { concurrency: "unbounded" }
      ).pipe(Effect.map((remembered) => remembered.every((each) => each)))
    },
    metrics: Effect.gen(function* () {
      yield* Effect.forEach(
        seats,
        (seat) =>
          Effect.suspend(() => seat.line?.ask("metrics", undefined) ?? Effect.succeed(seat.counted)).pipe(
            Effect.timeoutOption(metricsWithin),
            // One that has ended meanwhile is among those that are gone.
            Effect.catch(() => Effect.succeedNone),
            Effect.map((answer) => {
              if (answer._tag === "Some") seat.counted = answer.value
            })
          ),
        { concurrency: "unbounded", discard: true }
      )
      const totals = new Totals().add(yield* Metric.snapshot).add(gone.values())
      for (const { counted } of seats) totals.add(counted)
      return yield* Effect.provideService(
        PrometheusMetrics.format(),
        Metric.MetricRegistry,
        totals.registry()
      )
    }),
    isServing: () => seats.some(({ line }) => line !== undefined)
  }

  const { metrics, ping, redeem, revoke } = siblings
  const once = (seat: Seat) =>
    runThread({
      entry,
      orders: { thread: seat.thread, config, port, logFormat, logLevel },
      answers: { ping, redeem, revoke, metrics: () => metrics },
      held: (line) =>
        Effect.forEach(revocations.values(), (each) => line.ask("revoke", each), { discard: true }).pipe(
          // One that has ended is seen elsewhere.
          Effect.ignore,
          Effect.andThen(held)
        ),
      listens: (line) => {
        seat.line = line
        countServing()
        Deferred.doneUnsafe(seat.up, Effect.void)
      }
    }).pipe(Effect.scoped, Effect.flip)

  const supervise = Effect.fnUntraced(function* (seat: Seat) {
    for (let wait: number = restartAfter.least; ;) {
      const began = clock.currentTimeMillisUnsafe()
      const ended = yield* once(seat)
      seat.line = undefined
      gone.addCounted(seat.counted)
      seat.counted = []
      if (!(yield* Deferred.isDone(seat.up))) return yield* Deferred.fail(seat.up, ended)
      countServing()
      yield* Metric.update(Metric.withAttributes(endings, { reason: ended.reason }), 1)
      if (clock.currentTimeMillisUnsafe() - began >= restartAfter.forgivenAfter) wait = restartAfter.least
      yield* Effect.logError("a thread that serves readers has ended").pipe(
        Effect.annotateLogs({
          thread: seat.thread,
          reason: ended.reason,
          detail: ended.detail,
          againInMs: wait
        })
      )
      yield* Effect.sleep(wait)
      wait = Math.min(2 * wait, restartAfter.most)
    }
  })

  const fibers = yield* FiberSet.make<unknown, never>()
  for (const seat of seats) yield* FiberSet.run(fibers, supervise(seat))
  yield* Effect.forEach(seats, ({ up }) => Deferred.await(up), { concurrency: "unbounded" }).pipe(
    Effect.mapError(({ detail }) => new ThreadFailed({ message: detail }))
  )
  return siblings
})

/** The port, once it is known that nobody else has it: another daemon's threads would silently share it with ours. */
const portOf = ({ host, port }: Settings["Service"]): Effect.Effect<number, ServeError, Scope.Scope> =>
  Effect.callback<number, ServeError>((resume) => {
    const server = createServer()
    server.once("error", (cause) => resume(Effect.fail(new ServeError({ cause }))))
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const found = typeof address === "object" && address !== null ? address.port : port
      server.close(() => resume(Effect.succeed(found)))
    })
    return Effect.sync(() => server.close())
  })

export const Threads = {
  layer: (
    options: Options
  ): Layer.Layer<never, ServeError | ThreadFailed, Hub | Demand | Quotas | Settings | Writes> =>
    Layer.effect(Siblings, make(options))
}
