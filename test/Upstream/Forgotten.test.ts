import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"

import { defineConfig, polled, source, type SourceOptions } from "../../src/Config.ts"
import { Upstream } from "../../src/Upstream.ts"
import { onHub, until } from "../Rig.ts"

const config = (from: Partial<SourceOptions>) =>
  defineConfig({
    collections: {
      "order:{id}": polled({
        source: source({ url: "http://up/{id}", every: "1 second", ...from }),
        key: "id",
        row: Schema.Struct({ id: Schema.String })
      })
    }
  })

describe("a refresh of a member that is forgotten before what it brought may leave", () => {
  const cases: ReadonlyArray<readonly [string, Partial<SourceOptions>]> = [
    [
      "a throttle longer than it is remembered",
      { throttle: { every: "5 minutes" }, forgetAfter: "10 seconds" }
    ],
    ["remembered for no time at all", { forgetAfter: 0 }]
  ]
  for (const [what, from] of cases) {
    it.effect(`is answered all the same: ${what}`, () =>
      onHub(
        config({ idleEvery: "1 second", ...from }),
        (_, nth) => ({ body: [{ id: `a${nth}` }] }),
        () =>
          Effect.gen(function* () {
            const upstream = yield* Upstream
            yield* Effect.forkChild(upstream.refresh("order:1"))
            yield* until(2_000)
            const refreshing = yield* Effect.forkChild(upstream.refresh("order:1"))
            yield* until(60_000)
            assert.isDefined(refreshing.pollUnsafe())
            yield* Fiber.interrupt(refreshing)
          })
      )
    )
  }
})
