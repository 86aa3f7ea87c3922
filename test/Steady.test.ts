/** Somebody sets the clock of the machine while the daemon runs: nobody waits longer, or shorter, for that. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

import { defineConfig, polled, source } from "../src/Config.ts"
import { Journal } from "../src/Hub.ts"
import { catalogOf, layerStage } from "../src/Testing/Stage.ts"
import { Upstream } from "../src/Upstream.ts"
import { advance, Client, connect, queryOf, Script, startOfTime } from "./Kit.ts"
import { WallClock } from "./WallClock.ts"

const hour = 3_600_000

const collection = (name: string, more: object = {}, tolerance = {}) =>
  polled({
    key: "id",
    row: Schema.Struct({ id: Schema.String, n: Schema.Finite }),
    ...tolerance,
    source: source({ url: `http://up/${name}`, every: 10_000, retries: 0, ...more })
  })

const config = defineConfig({
  collections: {
    plain: collection("plain"),
    throttled: collection("throttled", { throttle: { every: "5 seconds" } }),
    slow: collection("slow", {}, { tolerance: { n: { every: "20 seconds" } } }),
    failing: collection("failing")
  }
})

describe.each([
  ["back by an hour", -hour],
  ["forward by an hour", hour]
])("a clock that is set %s", (_, shift) => {
  it.effect("lets polls, pings, intervals and throttles be as they are", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(startOfTime)
      const clock = yield* Clock.Clock
      const wall = new WallClock(clock)
      const polls = new Map<string, Array<number>>()
      let count = 0
      let isDown = true
      const script = new Script(({ url }) => {
        const name = url.slice(10)
        polls.set(name, [...(polls.get(name) ?? []), clock.currentTimeMillisUnsafe()])
        return name === "failing" && isDown ? { status: 503 } : { body: [{ id: "a", n: count++ }] }
      })
      yield* Effect.gen(function* () {
        const query = yield* queryOf(["plain", "throttled", "slow"])
        const paced = new Client(clock)
        const stalled = new Client(clock)
        const quiet = new Client(clock)
        yield* advance(1_000)
        yield* connect(query, { client: paced, pace: { interval: 5_000 } })
        yield* connect(query, { client: stalled })
        yield* connect(yield* queryOf(["failing"]), { client: quiet })
        // The breaker opens: polls that fail become rarer.
        yield* advance(60_000)
        stalled.stalled = true
        yield* advance(10_000)

        const pollsBefore = polls.get("plain")!.length
        const pingsBefore = quiet.types.filter((type) => type === "ping").length
        const failedBefore = polls.get("failing")!.length
        const messagesBefore = paced.arrivals.length
        wall.shift = shift
        yield* advance(30_000)
        assert.isUndefined(paced.ended, "nobody is sent away")
        assert.notProperty(stalled.ended ?? {}, "code", "not before a minute")
        assert.approximately(polls.get("plain")!.length - pollsBefore, 3, 1)
        assert.approximately(polls.get("failing")!.length - failedBefore, 1, 1)
        assert.approximately(quiet.types.filter((type) => type === "ping").length - pingsBefore, 2, 1)
        const arrivals = paced.arrivals.slice(messagesBefore)
        assert.isAtLeast(arrivals.length, 3)
        for (const [i, at] of arrivals.entries()) if (i > 0) assert.isAtLeast(at - arrivals[i - 1]!, 5_000)
        // What is told is told by the clock as it is.
        assert.approximately(paced.messages.at(-1)!["at"] as number, wall.currentTimeMillisUnsafe(), 15_000)

        yield* advance(40_000)
        assert.propertyVal(stalled.ended ?? {}, "code", "stalled")
        for (const [name, most] of [
          ["throttled", 16_000],
          ["slow", 41_000]
        ] as const) {
          const told = Number(paced.rows.get(name)?.get("a")?.get("n"))
          yield* advance(most)
          assert.isAbove(Number(paced.rows.get(name)?.get("a")?.get("n")), told, name)
        }

        isDown = false
        yield* advance(60_000)
        assert.strictEqual(quiet.states.get("failing"), "live")
        const upstream = yield* Upstream
        assert.isTrue((yield* upstream.refresh("plain")).ok)
        // Somebody who comes after nobody was there is not told that a poll was made long ago.
        for (const client of [paced, quiet]) client.drop()
        const idle = polls.get("plain")!.length
        yield* advance(600_000)
        assert.approximately(polls.get("plain")!.length - idle, 12, 4)
      }).pipe(
        Effect.provide(
          layerStage({ catalog: catalogOf(config), client: script.layer, journal: Journal.layerNone }).pipe(
            Layer.provide(Layer.succeed(Clock.Clock, wall))
          )
        )
      )
    })
  )
})
