/** What a thread that serves readers has in place of a journal, of sources and of siblings: a line to the main thread. */
import type { MessagePort } from "node:worker_threads"

import { Clock, Deferred, Effect, FiberSet, Metric, type Scope } from "effect"

import { familyOf } from "../Collection.ts"
import type { Own, Quotas, Revocation, Siblings } from "../Http.ts"
import type { Log, News } from "../Hub.ts"
import type { Writes } from "../RateEngine.ts"
import { steady } from "../Steady.ts"
import type { Demand } from "../Upstream.ts"
import { Unreadable } from "../Unreadable.ts"
import { Line } from "./Line.ts"
import type { MainAsks, ThreadAsks, ThreadLine, ToMain, ToThread } from "./Messages.ts"
import { quotasBy } from "./QuotasBy.ts"
import { WritesBy } from "./WritesBy.ts"

/** How often those are looked for who have waited for too long. */
const expireEvery = "250 millis"

export interface Serving {
  readonly log: Log["Service"]
  readonly demand: Demand["Service"]
  readonly writes: Writes["Service"]
  readonly quotas: Quotas["Service"]
  readonly siblings: Siblings
  /** The state is here: returns when readers may be let in. */
  readonly held: Effect.Effect<void>
  readonly listens: Effect.Effect<void>
  /** Returns when readers have to go. */
  readonly drained: Effect.Effect<void>
  readonly stops: (message: string) => Effect.Effect<void>
}

export const serving = Effect.fnUntraced(function* (
  port: MessagePort,
  thread: number
): Effect.fn.Return<Serving, never, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime<never>()
  const listen = Deferred.makeUnsafe<void>()
  const drained = Deferred.makeUnsafe<void>()
  let begin: ((message: Extract<ToThread, { readonly _tag: "Begin" }>) => void) | undefined
  let follower: ((news: News) => void) | undefined
  let outlives = false
  let own: Own | undefined
  /** Told before anybody is let in. */
  const early: Array<Revocation> = []

  // What is thrown here ends the thread, as it should: it knows no more what it serves.
  const hear = (message: ToThread): void => {
    switch (message._tag) {
      case "Begin":
        outlives = message.outlives
        return begin?.(message)
      case "News":
        outlives = message.outlives
        return follower?.(message.news)
      case "Beat":
        return line.tell({ _tag: "Taken", sent: message.sent })
      case "Listen":
        return void Deferred.doneUnsafe(listen, Effect.void)
      case "Drain":
        return void Deferred.doneUnsafe(drained, Effect.void)
    }
  }
  const line: ThreadLine = new Line<ToMain, ToThread, ThreadAsks, MainAsks>({
    send: (message) => port.postMessage(message),
    hear,
    fork,
    answers: {
      ping: (id) => Effect.sync(() => own?.ping(id) ?? false),
      redeem: (ticket) => Effect.sync(() => own?.redeem(ticket)),
      revoke: (revocation) =>
        Effect.sync(() => {
          if (own !== undefined) return own.revoke(revocation)
          early.push(revocation)
          return true
        }),
      metrics: () =>
        Effect.andThen(
          Effect.sync(() => own?.count()),
          Metric.snapshot
        ),
      permitted: (permit) => writes.permitted(permit)
    }
  })
  const writes = new WritesBy(line, yield* Effect.scope)
  port.on("message", line.receive)
  const clock = steady(yield* Clock.Clock)
  yield* Effect.sync(() => line.expire(clock.currentTimeMillisUnsafe())).pipe(
    Effect.andThen(Effect.sleep(expireEvery)),
    Effect.forever,
    Effect.forkScoped
  )

  return {
    log: {
      follow: (make) =>
        Effect.callback((resume) => {
          begin = ({ kept }) => {
            const made = make(kept)
            follower = (news) => made.hear(news)
            resume(Effect.succeed(made))
          }
          line.tell({ _tag: "Follow" })
        }),
      bring: (name) =>
        Effect.flatMap(Effect.orDie(line.ask("bring", name)), (isHere) =>
          isHere ? Effect.void : Effect.fail(new Unreadable())
        ),
      past: (asked) => Effect.orDie(line.ask("past", asked)),
      outlives: () => outlives
    },
    demand: demandBy(line),
    writes,
    quotas: quotasBy(line, clock),
    siblings: {
      prefix: `${thread}.`,
      answer: (asked) => {
        own = asked
        for (const revocation of early.splice(0)) asked.revoke(revocation)
      },
      ping: (id) => Effect.orDie(line.ask("ping", id)),
      redeem: (ticket) => Effect.orDie(line.ask("redeem", ticket)),
      revoke: (revocation) => Effect.orDie(line.ask("revoke", revocation)),
      metrics: Effect.orDie(line.ask("metrics", undefined)),
      isServing: () => true
    },
    held: Effect.andThen(
      Effect.sync(() => line.tell({ _tag: "Holds" })),
      Deferred.await(listen)
    ),
    listens: Effect.sync(() => line.tell({ _tag: "Listens" })),
    drained: Deferred.await(drained),
    stops: (message) => Effect.sync(() => line.tell({ _tag: "Stops", message }))
  }
})

const demandBy = (line: ThreadLine): Demand["Service"] => {
  const tell = (what: "enter" | "leave" | "touch") => (collections: Iterable<string>) =>
    line.tell({ _tag: "Demand", what, collections: [...collections] })
  return {
    // Only members of families are bounded, so nobody else has to wait for an answer.
    full: (collections) => {
      const names = [...collections]
      return names.some((name) => familyOf(name) !== undefined)
        ? Effect.orDie(line.ask("full", names))
        : Effect.succeed(undefined)
    },
    enter: tell("enter"),
    leave: tell("leave"),
    touch: tell("touch"),
    // Asked where it is decided what is paged out.
    readAt: () => Infinity,
    forgetReads: () => {},
    refresh: (collection) => Effect.orDie(line.ask("refresh", collection))
  }
}
