/** One thread that serves readers, as the main thread has it: from its start to its end, which it is always told the reason of. */
import module from "node:module"
import { dirname } from "node:path"
import { Worker } from "node:worker_threads"

import { Clock, Data, Deferred, Effect, FiberSet, Scope } from "effect"

import { Quotas } from "../Http.ts"
import { Hub } from "../Hub.ts"
import { WriteRefused, Writes } from "../RateEngine.ts"
import { steady } from "../Steady.ts"
import { Demand } from "../Upstream.ts"
import { type Answers, Line } from "./Line.ts"
import type { MainAsks, MainLine, Orders, ThreadAsks, ToMain, ToThread } from "./Messages.ts"
import { Places } from "./Places.ts"
import { Wants } from "./Wants.ts"
import { refusedOf } from "./WritesBy.ts"

/** Characters that were sent and not applied yet, beside the newest commit; more, and the thread is ended. */
const maxBehind = 64 * 1024 * 1024
/** A thread is asked every second how far it is, and after so many characters: an answer to each commit would cost as much as the commit. */
const maxUnasked = 1024 * 1024
/** One that does not answer for so many seconds is ended. */
const maxBeats = 10
const startWithin = "1 minute"
/** Longer than readers and listener need to go. */
const stopWithin = "2 seconds"

/** A thread is no more, and was not asked to go. */
export class Ended extends Data.TaggedError("Ended")<{
  readonly reason: "stopped" | "error" | "exit" | "behind" | "start"
  readonly detail: string
}> {}

export const runThread = Effect.fnUntraced(function* (options: {
  /** Its module. */
  readonly entry: URL
  readonly orders: Orders
  readonly answers: Pick<Answers<ThreadAsks>, "metrics" | "ping" | "redeem" | "revoke">
  /** It has the state; returns when it may let readers in. */
  readonly held: (line: MainLine) => Effect.Effect<void>
  readonly listens: (line: MainLine) => void
}): Effect.fn.Return<never, Ended, Hub | Demand | Quotas | Writes | Scope.Scope> {
  const { log } = yield* Hub
  const demand = yield* Demand
  const writes = yield* Writes
  const clock = steady(yield* Clock.Clock)
  const scope = yield* Effect.scope
  const fork = yield* FiberSet.makeRuntime<never>()
  const ended = Deferred.makeUnsafe<never, Ended>()
  const listening = Deferred.makeUnsafe<void>()
  const exited = Deferred.makeUnsafe<void>()
  const end = (reason: Ended["reason"], detail: string) =>
    Deferred.doneUnsafe(ended, Effect.fail(new Ended({ reason, detail })))
  const wants = new Wants(demand)
  const quotas = yield* Quotas
  const places = new Places(quotas)
  let [sent, asked, taken, beats] = [0, 0, 0, 0]

  const ask = (line: MainLine) => {
    asked = sent
    line.tell({ _tag: "Beat", sent })
  }

  const follow = (line: MainLine) =>
    log.follow((kept) => {
      line.tell({ _tag: "Begin", kept, outlives: log.outlives() })
      return {
        hear: (news) => {
          if (sent - taken > maxBehind) return void end("behind", `${sent - taken} characters behind`)
          sent += "text" in news ? news.text.length : 0
          line.tell({ _tag: "News", news, outlives: log.outlives() })
          if (sent - asked > maxUnasked) ask(line)
        }
      }
    })

  const hear = (message: ToMain, line: MainLine): void => {
    switch (message._tag) {
      case "Follow":
        return void fork(Effect.asVoid(Scope.provide(follow(line), scope)))
      case "Holds":
        return void fork(
          Effect.andThen(
            options.held(line),
            Effect.sync(() => line.tell({ _tag: "Listen" }))
          )
        )
      case "Listens":
        Deferred.doneUnsafe(listening, Effect.void)
        return options.listens(line)
      case "Taken":
        taken = message.sent
        beats = 0
        return
      case "Demand":
        return wants[message.what](message.collections)
      case "Release":
        return places.release(message.place)
      case "Stops":
        return void end("stopped", message.message)
    }
  }

  const { answers, entry, orders } = options
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      wants.close()
      places.close()
    })
  )
  const line = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const worker = new Worker(entry, { workerData: orders, env: withCompileCache(process.env) })
      const line: MainLine = new Line<ToThread, ToMain, MainAsks, ThreadAsks>({
        send: (message) => worker.postMessage(message),
        hear: (message) => hear(message, line),
        fork,
        answers: {
          ...answers,
          full: (collections) => wants.full(collections, clock.currentTimeMillisUnsafe()),
          refresh: demand.refresh,
          bring: (name) => Effect.isSuccess(log.bring(name)),
          past: log.past,
          take: ([place, address]) => places.take(place, address),
          belongsTo: ([place, subject]) => places.belongsTo(place, subject),
          countWrite: ([address, subject]) => quotas.write(address, subject),
          write: ([write, repeat, permit]) =>
            writes
              .write(write, repeat, permit === undefined ? undefined : permitted(line, permit))
              .pipe(Effect.catch((refused) => Effect.succeed(refusedOf(refused))))
        }
      })
      worker.on("message", line.receive)
      worker.on("messageerror", (error) => end("error", String(error)))
      worker.on("error", (error) =>
        end("error", error instanceof Error ? (error.stack ?? error.message) : String(error))
      )
      worker.on("exit", (code) => {
        end("exit", `exit code ${code}`)
        line.hangUp()
        Deferred.doneUnsafe(exited, Effect.void)
      })
      return { line, worker }
    }),
    Effect.fnUntraced(function* ({ line, worker }) {
      if (!Deferred.isDoneUnsafe(ended)) {
        line.tell({ _tag: "Drain" })
        yield* Effect.timeoutOption(Deferred.await(exited), stopWithin)
      }
      yield* Effect.promise(() => worker.terminate())
    })
  ).pipe(Effect.map(({ line }) => line))

  yield* Deferred.await(listening).pipe(
    Effect.timeoutOrElse({
      duration: startWithin,
      orElse: () => Effect.sync(() => end("start", `does not listen within ${startWithin}`))
    }),
    Effect.andThen(
      Effect.sync(() => {
        wants.expire(clock.currentTimeMillisUnsafe())
        if (beats++ >= maxBeats) end("behind", `has applied nothing for ${maxBeats} s`)
        ask(line)
      }).pipe(Effect.andThen(Effect.sleep("1 second")), Effect.forever)
    ),
    Effect.forkScoped
  )
  return yield* Deferred.await(ended)
})

/** Asks a thread whether a write of one of its clients may still be made. */
const permitted = (line: MainLine, permit: number): Effect.Effect<void, WriteRefused> =>
  line.ask("permitted", permit).pipe(
    Effect.catch(() => Effect.succeed({ code: "unavailable", detail: "try again" } as const)),
    Effect.flatMap((refused) => (refused === undefined ? Effect.void : new WriteRefused(refused)))
  )

/** A thread compiles every module by itself, unless it is told where the process keeps what it has compiled: half a second, and 20 MB. */
const withCompileCache = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  const folder = module.getCompileCacheDir?.()
  // What Node answers is the folder of its own version in the one that it is to be told.
  return folder === undefined ? env : { NODE_COMPILE_CACHE: dirname(folder), ...env }
}
