import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"

import { defineConfig, polled, source, type SourceOptions } from "../../src/Config.ts"
import { Upstream } from "../../src/Upstream.ts"
import { connect, hubOf, queryOf, Script, settle } from "../Kit.ts"
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

describe("a refresh of a member is answered", () => {
  it.effect("also where it is forgotten before its throttle lets what it brought leave", () =>
    onHub(
      config({ idleEvery: "1 second", throttle: { every: "5 minutes" }, forgetAfter: "10 seconds" }),
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

  it.effect("also where it gives way to another while it is polled", () =>
    onHub(
      config({ maxMembers: 1 }),
      () => Effect.as(Effect.sleep("5 seconds"), { body: [{ id: "a" }] }),
      () =>
        Effect.gen(function* () {
          const upstream = yield* Upstream
          const refreshing = yield* Effect.forkChild(upstream.refresh("order:1"))
          yield* until(1_000)
          upstream.touch(["order:2"])
          yield* until(2_000)
          const exit = refreshing.pollUnsafe()
          assert.isTrue(exit !== undefined && exit._tag === "Success" && !exit.value.refreshed)
          yield* Fiber.interrupt(refreshing)
        })
    )
  )
})

describe("a member that fails and is read", () => {
  it.effect("keeps its error, however many idle ones are forgotten", () =>
    Effect.gen(function* () {
      for (const id of [1, 2, 3]) {
        yield* connect(yield* queryOf([`order:${id}`]))
        yield* settle
      }
      yield* until(1_000)
      const late = yield* connect(yield* queryOf(["order:1"]))
      assert.strictEqual(late.states.get("order:1"), "loading")
      assert.strictEqual(late.errors.get("order:1"), "upstream_unreachable")
    }).pipe(
      Effect.provide(
        hubOf(config({ retries: 0, every: "1 minute" }) as never, new Script(() => Effect.fail("refused")), {
          tips: 100,
          tombstones: 10,
          idleMembers: 0
        })
      )
    )
  )
})
