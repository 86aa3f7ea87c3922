import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"

import type { Sink } from "../../src/Hub/Audience.ts"
import { megabytesHeld } from "../Memory.ts"
import { keysTo, Loop, puts, queryOf, sets } from "./Loop.ts"

const all = queryOf("pools")
const keys = keysTo(3_000)
const pad = "x".repeat(100)
const takesAll: Sink = { framing: "text", write: () => true, end: () => {} }

describe("a snapshot", () => {
  it.effect("of the state as it is now is never an older one that is being built", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      loop.step = 5
      const first = yield* Effect.forkChild(loop.snapshots.current(all))
      yield* Effect.yieldNow
      assert.strictEqual(loop.snapshots["building"].size, 1)
      loop.commit("pools", sets(["k1"], 2, pad))
      const asked = [loop.snapshots.current(all), loop.snapshots.recent(all, loop.state.revision)]
      for (const { revision } of yield* Effect.all(asked, { concurrency: "unbounded" }))
        assert.strictEqual(revision, 2)
      assert.strictEqual((yield* Fiber.join(first)).revision, 1)
    })
  )

  it.effect("is built once however many ask, while others get on with their work", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      loop.step = 5
      const asking = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 100 }, () => loop.snapshots.current(all)),
          { concurrency: "unbounded" }
        )
      )
      let turns = 0
      for (; asking.pollUnsafe() === undefined; turns++) yield* Effect.yieldNow
      assert.isAbove(turns, 5, "in slices")
      assert.strictEqual(new Set(yield* Fiber.join(asking)).size, 1)
    })
  )

  it.effect("does not stay in memory for as long as anybody reads its query", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      const megabyte = "x".repeat(2 ** 20)
      const few = keysTo(4)
      loop.commit("pools", puts(few, 1, megabyte))
      const before = megabytesHeld()
      const readers = 50
      for (let i = 0; i < readers; i++) {
        const query = queryOf("pools", { keys: new Set([...few, `nobody${i}`]) })
        const reader = loop.enter(query, takesAll)
        yield* loop.open(reader, { since: undefined, notBefore: 0 })
      }
      assert.isAbove(megabytesHeld() - before, 60, "what is held is counted")
      yield* loop.pass(1_000)
      // 128 MB are kept for whoever comes next, half of that for what their encodings add.
      assert.isBelow(megabytesHeld() - before, 80, `MB, of ${readers * 4} that were written`)
      assert.strictEqual(loop.register.readers.size, readers)
    })
  )
})
