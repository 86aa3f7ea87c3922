import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"

import { Client, keysTo, Loop, puts, queryOf, sets } from "./Loop.ts"

const all = queryOf("pools")
/** So much that a snapshot of it is built in more than one slice. */
const keys = keysTo(3_000)
const pad = "x".repeat(100)
/** Longer than any slice. */
const aSlice = 5

/** Everything of `pools` changes: more than it is worth, so whoever reads it gets a snapshot. */
const churn = (loop: Loop, value: number) => {
  const [gone, ...rest] = [...loop.state.rows("pools").keys()]
  loop.commit("pools", { remove: [gone!], ...sets(rest, value, pad) })
}

const isBuilding = (loop: Loop) => loop.snapshots["building"].size > 0

describe("a reader that needs a snapshot while an older one is built for somebody else", () => {
  it.effect("gets none that is older than what it holds, and misses nothing", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      const reader = yield* loop.come(all)
      // More than a tenth, so the next to come has one built.
      loop.commit("pools", sets(keys.slice(0, 1_000), 2, pad))
      yield* loop.pass(0)
      loop.step = aSlice
      const coming = yield* Effect.forkChild(loop.come(all))
      // It waits for its turn first.
      for (let i = 0; i < 10 && !isBuilding(loop); i++) yield* Effect.yieldNow
      assert.isTrue(isBuilding(loop))
      loop.commit("pools", sets(["k1"], 3, pad))
      yield* loop.delivery.round
      assert.strictEqual(reader.revision, 3)
      churn(loop, 4)
      yield* loop.delivery.round
      assert.isTrue(isBuilding(loop), "the older one still is")
      loop.step = 0
      yield* loop.pass(0)
      const newcomer = yield* Fiber.join(coming)
      loop.commit("pools", puts(["k0", "new"], 5, pad))
      yield* loop.pass(0)

      const revisions = reader.messages.map(({ cursor }) => Number(cursor!.split("-")[1]))
      assert.deepStrictEqual(
        revisions,
        revisions.toSorted((a, b) => a - b)
      )
      assert.deepStrictEqual(reader.reasons, ["initial", "smaller"])
      for (const client of [reader, newcomer]) {
        const rows = [...client.rows.get("pools")!].map(([key, row]) => [key, Object.fromEntries(row)])
        assert.deepStrictEqual(Object.fromEntries(rows), Object.fromEntries(loop.state.rows("pools")))
        assert.strictEqual(client.refused, 0)
      }
      assert.deepStrictEqual(loop.broken, [])
    })
  )

  it.effect("is due again when a commit came while it was built", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      const reader = yield* loop.come(all)
      churn(loop, 2)
      loop.step = aSlice
      const round = yield* Effect.forkChild(loop.delivery.round)
      yield* Effect.yieldNow
      assert.isTrue(isBuilding(loop))
      loop.commit("pools", sets(["k1"], 3, pad))
      loop.step = 0
      yield* Fiber.join(round)
      yield* loop.pass(0)
      assert.deepStrictEqual(reader.types, ["snapshot", "snapshot", "change"])
      assert.strictEqual(reader.revision, loop.state.revision)
    })
  )
})

describe("a snapshot that is built for readers who leave meanwhile", () => {
  it.effect("leaves nothing behind: who comes next is pinged like anybody", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      const leaver = yield* loop.come(all)
      // Keeps the audience, at a pace of its own.
      yield* loop.come(all, 60_000)
      churn(loop, 2)
      loop.step = aSlice
      const round = yield* Effect.forkChild(loop.delivery.round)
      yield* Effect.yieldNow
      assert.isTrue(isBuilding(loop))
      loop.register.leave(leaver.reader!)
      loop.step = 0
      yield* Fiber.join(round)
      yield* loop.pass(0)
      assert.deepStrictEqual(leaver.types, ["snapshot"])
      const next = yield* loop.come(all)
      yield* loop.pass(15_000)
      assert.deepStrictEqual(next.types, ["snapshot", "ping"])
    })
  )

  it.effect("keeps nobody else waiting: a small query is served meanwhile", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keys, 1, pad))
      loop.commit("small", puts(["a"], 1))
      const large = yield* loop.come(all)
      const small = yield* loop.come(queryOf("small"))
      churn(loop, 2)
      loop.commit("small", sets(["a"], 2))
      loop.step = aSlice
      // Whichever of them is first.
      for (const value of [3, 4]) {
        yield* loop.delivery.round
        assert.deepStrictEqual(small.types.at(-1), "change")
        assert.deepStrictEqual(large.types, ["snapshot"])
        loop.commit("small", sets(["a"], value))
      }
      loop.step = 0
      yield* loop.pass(0)
      assert.deepStrictEqual(large.types, ["snapshot", "snapshot"])
    })
  )
})

describe("a round", () => {
  it.effect("over 5,000 audiences that have nothing to be told leaves the event loop every 4 ms", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      const audiences = 5_000
      loop.commit("pools", puts(keysTo(10), 1))
      for (let i = 0; i < audiences; i++) {
        const client = new Client()
        client.reader = loop.enter(queryOf("pools", { where: [["type", `none${i}`]] }), client)
        yield* loop.open(client.reader, { since: "now", notBefore: 0 })
      }
      loop.commit("pools", sets(keysTo(10), 2))
      let turns = 0
      const count = () => {
        turns++
        next = setImmediate(count)
      }
      let next = setImmediate(count)
      // Each look at the clock is a millisecond, and each audience is worth a look.
      loop.step = 1
      yield* loop.delivery.round
      clearImmediate(next)
      assert.isAtLeast(turns, audiences / 5)
    })
  )
})

describe("a cohort that cannot be served", () => {
  it.effect("is told to who runs the daemon, and costs nobody else anything", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keysTo(3), 1))
      const spoilt = yield* loop.come(queryOf("pools", { keys: new Set(["k1"]) }))
      const others = [yield* loop.come(all), yield* loop.come(all)]
      spoilt.reader!.audience.next = () => {
        throw new Error("planted")
      }
      loop.commit("pools", sets(["k1"], 2))
      yield* loop.delivery.round
      for (const { revision } of others) assert.strictEqual(revision, 2)
      assert.lengthOf(loop.failed, 1)
      assert.lengthOf(loop.broken, 0)
    })
  )
})
