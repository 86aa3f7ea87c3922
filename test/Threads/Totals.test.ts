/** What threads have counted, added up: it reads as if one had counted everything. */
import { assert, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { PrometheusMetrics } from "effect/observability"

import { Totals } from "../../src/Threads/Totals.ts"

const requests = Metric.counter("requests_total", { description: "Requests", incremental: true })
const readers = Metric.gauge("readers", { description: "Readers" })
const seconds = Metric.histogram("seconds", { description: "Time", boundaries: [0.1, 1, 10] })
const words = Metric.frequency("words", { description: "Words" })

type Registry = typeof Metric.MetricRegistry.Service

const counted = (registry: Registry, times: ReadonlyArray<number>, readersNow: number) =>
  Effect.gen(function* () {
    for (const time of times) {
      const route = time > 1 ? "/slow" : "/fast"
      yield* Metric.update(Metric.withAttributes(requests, { route, status: "200" }), 1)
      yield* Metric.update(seconds, time)
      yield* Metric.update(words, route)
    }
    yield* Metric.update(readers, readersNow)
    return yield* Metric.snapshot
  }).pipe(Effect.provideService(Metric.MetricRegistry, registry))

const text = (registry: Registry) =>
  Effect.map(Effect.provideService(PrometheusMetrics.format(), Metric.MetricRegistry, registry), (text) =>
    text.split("\n").toSorted()
  )

it.effect("counters, gauges, histograms and frequencies of three threads are as those of one", () =>
  Effect.gen(function* () {
    const threads = [[0.05, 0.5], [], [20, 0.5, 5, 0.01]]
    const totals = new Totals()
    for (const [i, times] of threads.entries()) totals.add(yield* counted(new Map(), times, i))
    const one: Registry = new Map()
    yield* counted(one, threads.flat(), 0 + 1 + 2)
    const sum = yield* text(totals.registry())
    assert.deepStrictEqual(sum, yield* text(one))
    assert.isAbove(sum.length, 15)
  })
)

it.effect("of one that has ended what it counted stays, and what it had then does not", () =>
  Effect.gen(function* () {
    const gone = new Totals().addCounted(yield* counted(new Map(), [0.5], 7))
    const sum = new Totals().add(yield* counted(new Map(), [0.5], 2)).add(gone.values())
    const lines = yield* text(sum.registry())
    assert.include(lines, 'requests_total{route="/fast",status="200"} 2')
    assert.include(lines, "readers 2")
  })
)

it.effect("of how long something takes the longest counts, whichever thread comes first", () =>
  Effect.gen(function* () {
    const slowest = Metric.gauge("slowest_reader_seconds", { description: "Slowest" })
    const of = (value: number) =>
      Effect.andThen(Metric.update(slowest, value), Metric.snapshot).pipe(
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
    for (const values of [
      [3, 7],
      [7, 3]
    ]) {
      const totals = new Totals()
      for (const value of values) totals.add(yield* of(value))
      assert.include(yield* text(totals.registry()), "slowest_reader_seconds 7")
    }
  })
)
