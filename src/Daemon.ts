/** Everything that runs between a catalog and its clients: what is connected to what. */
import { join } from "node:path"

import { Effect, Layer } from "effect"

import { Http, Quotas } from "./Http.ts"
import { Forgettable, Hub, Journal, layerFallback, layerSqlite } from "./Hub.ts"
import { RateEngine } from "./RateEngine.ts"
import { Settings } from "./Settings.ts"
import { threadFrom, Upstream } from "./Upstream.ts"

/** What the engine computes is committed to the hub. */
const pump = Layer.effectDiscard(
  Effect.gen(function* () {
    const engine = yield* RateEngine
    const hub = yield* Hub
    yield* Effect.forkScoped(engine.run(hub.board))
  })
)

/** Without roads: for readers in memory. */
export const layerHub = pump.pipe(
  Layer.provideMerge(RateEngine.layer),
  Layer.provideMerge(Hub.layer),
  Layer.provideMerge(Upstream.layer)
)

const layerForgettable = Layer.effect(
  Forgettable,
  Effect.map(Settings, ({ forgetWritten }) => forgetWritten)
)

export const layerDaemon = Http.layer.pipe(
  Layer.provideMerge(layerHub),
  Layer.provide(
    Layer.effect(
      threadFrom,
      Effect.map(Settings, ({ bodyThreadBytes }) => bodyThreadBytes)
    )
  ),
  Layer.provide(layerForgettable)
)

/** The same for a `thread` module that serves readers, as often as the settings say; loaded only where that is more than once. */
export const layerThreads = (options: {
  readonly entry: URL
  readonly config: string
  readonly logFormat: "json" | "pretty"
}) =>
  Http.layerOperators.pipe(
    Layer.provide(
      Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("./Threads.ts")),
          ({ Threads }) => Threads.layer(options)
        )
      )
    ),
    Layer.provide(Quotas.layer),
    Layer.provideMerge(layerHub),
    Layer.provide(layerForgettable)
  )

/** Where commits are kept, as the settings say. */
export const layerJournal = Layer.unwrap(
  Effect.map(Settings, ({ data, journalFailure }) => {
    if (data === "none") return Journal.layerNone
    const sqlite = layerSqlite(join(data, "ratecast.sqlite"))
    return journalFailure === "memory" ? layerFallback.pipe(Layer.provide(sqlite)) : sqlite
  })
)
