/** What runs in a thread that serves readers: hub → http, where the hub follows that of the main thread. */
import { parentPort, workerData } from "node:worker_threads"

import { Cause, Effect, Exit, Layer, Option, References } from "effect"

import { Catalog } from "../Catalog.ts"
import { loadCatalog } from "../Catalog/Load.ts"
import { Http, Quotas, Siblings } from "../Http.ts"
import { layerFollower, Log } from "../Hub.ts"
import { Writes } from "../RateEngine.ts"
import { Settings } from "../Settings.ts"
import { type Orders, type Serving, serving } from "../Threads.ts"
import { Demand } from "../Upstream.ts"
import { cannotListen } from "./Fatal.ts"
import { layerLogs } from "./Logs.ts"

const { config, logFormat, logLevel, port, thread } = workerData as Orders

/** What the main thread has decided stands. */
const layerSettings = Layer.effect(
  Settings,
  Effect.map(Settings, (settings) => ({ ...settings, port, logFormat: Option.some(logFormat) }))
).pipe(Layer.provide(Settings.layer))

const layerOf = ({ demand, held, listens, log, quotas, siblings, writes }: Serving) =>
  Layer.effectDiscard(listens).pipe(
    Layer.provide(Http.layerReaders),
    // Only then: who connected before would wait, or find nothing.
    Layer.provide(Layer.effectDiscard(held)),
    Layer.provide(layerFollower),
    Layer.provide(Layer.succeed(Siblings, siblings)),
    Layer.provide(Layer.succeed(Quotas, quotas)),
    Layer.provide(Layer.succeed(Demand, demand)),
    Layer.provide(Layer.succeed(Writes, writes)),
    Layer.provide(Layer.succeed(Log, log)),
    Layer.provide(Layer.effect(Catalog, loadCatalog(config)))
  )

const run = Effect.gen(function* () {
  const settings = yield* Settings
  const line = yield* serving(parentPort!, thread)
  yield* Effect.raceFirst(line.drained, Effect.andThen(Layer.build(layerOf(line)), Effect.never)).pipe(
    Effect.catchTags({
      ServeError: (error) => Effect.flatMap(cannotListen(error, settings), line.stops),
      ConfigMistake: ({ message }) => line.stops(message)
    })
  )
}).pipe(
  Effect.scoped,
  Effect.provide(layerLogs),
  Effect.provide(layerSettings),
  Effect.provideService(References.MinimumLogLevel, logLevel),
  Effect.annotateLogs({ thread })
)

Effect.runFork(run).addObserver((exit) => {
  // Told to the main thread as the thread's end, with all that is known of it.
  if (Exit.isFailure(exit)) throw new Error(Cause.pretty(exit.cause))
  process.exit(0)
})
