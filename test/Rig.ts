/**
 * A hub of test/Kit.ts with its log and its counters in reach, and with chance decided by a seed, so that a phase or a
 * jitter is the same in every run.
 */
import { Clock, Effect, Layer, Logger, Metric, Random, References } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"

import { Catalog, makeCatalog } from "../src/Catalog.ts"
import type { Commit, Row } from "../src/Collection.ts"
import {
  type Config,
  defineConfig,
  polled,
  type PolledOptions,
  source,
  type SourceOptions
} from "../src/Config.ts"
import { layerHub } from "../src/Daemon.ts"
import { Hub, Journal } from "../src/Hub.ts"
import type { Beside } from "../src/RateEngine.ts"
import type { Upstream } from "../src/Upstream.ts"
import { type Answer, type Asked, Script, settle, startOfTime } from "./Kit.ts"
import { leavingNothing } from "./Residue.ts"

/** To a time since the start, ms; what is due at that time has happened. */
export const until = Effect.fnUntraced(function* (ms: number) {
  yield* settle
  yield* TestClock.setTime(startOfTime + ms)
  yield* settle
})

/** Waits for what the virtual clock does not: bodies are unpacked by threads. */
export const inEarnest = Effect.fnUntraced(function* (what: string, check: () => boolean) {
  for (let ms = 0; !check(); ms++) {
    if (ms > 5_000) throw new Error(`${what}: not within five seconds`)
    yield* Effect.promise(() => new Promise((done) => setTimeout(done, 1)))
  }
  yield* settle
})

export class Rig {
  readonly script: Script
  /** Every line that was logged, as JSON. */
  readonly logs: Array<string> = []
  readonly commits: Array<Commit> = []
  readonly registry: typeof Metric.MetricRegistry.Service = new Map()

  constructor(answer: (asked: Asked, nth: number) => Answer) {
    this.script = new Script((asked) => answer(asked, this.script.asked.length))
  }

  /** ms since the start */
  elapsed = (): number => 0

  /** When the upstream was asked, ms since the start. */
  get times(): ReadonlyArray<number> {
    return this.script.asked.map(({ at }) => at - startOfTime)
  }

  /** Warnings, or with another word whatever has that in it. */
  logged(word = '"level":"WARN"'): ReadonlyArray<string> {
    return this.logs.filter((line) => line.includes(word))
  }

  /** A counter, over all its attributes that hold these. */
  count(name: string, attributes: { readonly [name: string]: string } = {}): number {
    let total = 0
    for (const metric of Effect.runSync(
      Effect.provideService(Metric.snapshot, Metric.MetricRegistry, this.registry)
    )) {
      const fits = Object.entries(attributes).every(([key, value]) => metric.attributes?.[key] === value)
      if (metric.id === name && metric.type === "Counter" && fits) total += Number(metric.state.count)
    }
    return total
  }
}

/** Runs a test on a hub whose upstream answers as told: the first answer is number 1. */
export const onHub = <A, E>(
  config: Config,
  answer: (asked: Asked, nth: number) => Answer,
  body: (rig: Rig) => Effect.Effect<A, E, Hub | Upstream | Catalog>,
  more: {
    readonly seed?: string | number
    readonly loggers?: ReadonlyArray<Logger.Logger<unknown, unknown>>
    /** In place of the script. */
    readonly client?: HttpClient.HttpClient
  } = {}
): Effect.Effect<A, E> => {
  const rig = new Rig(answer)
  const catalog = makeCatalog(config)
  if (Array.isArray(catalog)) throw new Error(JSON.stringify(catalog))
  const logger = Logger.make((line) => {
    rig.logs.push(Logger.formatJson.log(line))
  })
  const layer = Layer.effectDiscard(
    Effect.gen(function* () {
      const { board } = yield* Hub
      const { commit } = board
      Object.assign(board, {
        commit: (made: Commit, beside?: Beside) => {
          rig.commits.push(made)
          return commit(made, beside)
        }
      })
    })
  ).pipe(
    Layer.provideMerge(layerHub),
    leavingNothing,
    Layer.orDie,
    Layer.provide(Journal.layerNone),
    Layer.provideMerge(
      more.client === undefined ? rig.script.layer : Layer.succeed(HttpClient.HttpClient, more.client)
    ),
    Layer.provideMerge(Layer.succeed(Catalog, catalog as Catalog["Service"])),
    Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(startOfTime)))
  )
  const run = Effect.gen(function* () {
    const clock = yield* Clock.Clock
    rig.elapsed = () => clock.currentTimeMillisUnsafe() - startOfTime
    yield* settle
    return yield* body(rig)
  })
  return run.pipe(
    Effect.provide(layer),
    Effect.provideService(Metric.MetricRegistry, rig.registry),
    Effect.provideService(References.MinimumLogLevel, "Debug"),
    Effect.provide(Logger.layer([logger, ...(more.loggers ?? [])])),
    Random.withSeed(more.seed ?? 1)
  )
}

/** One collection over one source: the config of most tests. */
export const onePolled = <A>(
  options: Omit<PolledOptions<A>, "source" | "key"> & { readonly key?: keyof A & string },
  from: Partial<SourceOptions> = {}
) =>
  defineConfig({
    collections: {
      pools: polled<A>({
        key: "id" as keyof A & string,
        ...options,
        source: source({ url: "http://up/pools", ...from })
      })
    }
  })

/** What the hub holds of a collection, by key. */
export const held = Effect.fnUntraced(function* (collection: string) {
  const { board } = yield* Hub
  return Object.fromEntries(board.rows(collection)) as { readonly [key: string]: Row }
})

/** `live`, or `stale upstream_empty`. */
export const state = Effect.fnUntraced(function* (collection: string) {
  const { health } = (yield* Hub).look(collection)
  return health.error === undefined ? health.state : `${health.state} ${health.error.code}`
})
