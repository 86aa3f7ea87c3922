/** A whole hub on the virtual clock: the real Upstream, RateEngine and Hub over an HTTP client that somebody scripts. */
import { type Duration, Effect, Layer, Metric } from "effect"
import type { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"

import { Catalog, makeCatalog, type Problem } from "../Catalog.ts"
import type { Config } from "../Config.ts"
import { layerHub } from "../Daemon.ts"
import type { Journal } from "../Hub.ts"
import { ConfigMistakes } from "./Mistakes.ts"

/** Time begins here, and not at 0, which means never. */
export const startOfTime = 1_790_000_000_000

/**
 * Lets every fiber run that can. The virtual clock waits for what its own wakings set off, but not for what a test set
 * off before it: a fiber that has yet to begin would begin late, by that clock.
 */
export const settle = Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })

/** Moves the clock, and everything that time sets off. */
export const advance = (duration: Duration.Input) =>
  settle.pipe(Effect.andThen(TestClock.adjust(duration)), Effect.andThen(settle))

/** Throws `ConfigMistakes`. */
export const catalogOf = (config: Config): Catalog["Service"] => {
  const made = makeCatalog(config)
  if (Array.isArray(made)) throw new ConfigMistakes(made as ReadonlyArray<Problem>)
  return made as Catalog["Service"]
}

/** Built when the first polls have been asked and answered. */
export const layerStage = (options: {
  readonly catalog: Catalog["Service"]
  readonly client: Layer.Layer<HttpClient.HttpClient>
  readonly journal: Layer.Layer<Journal>
}) =>
  Layer.effectDiscard(settle).pipe(
    Layer.provideMerge(layerHub),
    Layer.orDie,
    Layer.provide(options.journal),
    Layer.provideMerge(options.client),
    Layer.provideMerge(Layer.succeed(Catalog, options.catalog)),
    Layer.provide(Layer.fresh(Layer.succeed(Metric.MetricRegistry, new Map())))
  )
