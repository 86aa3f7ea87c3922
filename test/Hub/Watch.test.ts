import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { type Client, keysTo, Loop, puts, queryOf, sets } from "./Loop.ts"

const all = keysTo(100)
const asked = all.slice(0, 40)
const query = queryOf("pools", { keys: new Set(asked) })

const assertHolds = (loop: Loop, client: Client) => {
  const rows = loop.state.rows("pools")
  const expected = asked.filter((key) => rows.has(key)).map((key) => [key, rows.get(key)] as const)
  const held = [...client.rows.get("pools")!].map(([key, row]) => [key, Object.fromEntries(row)])
  assert.deepStrictEqual(Object.fromEntries(held), Object.fromEntries(expected))
  assert.strictEqual(client.refused, 0)
}

/** How often rows are looked up while something runs. */
const looks = Effect.fnUntraced(function* (loop: Loop, work: Effect.Effect<unknown>) {
  const { live } = loop.state.tables.get("pools")!
  let count = 0
  live.get = function (key) {
    count++
    return Map.prototype.get.call(this, key)
  }
  yield* work
  Reflect.deleteProperty(live, "get")
  return count
})

describe("a reader that asks for keys", () => {
  it.effect(
    "is told what changed of them, few or all, by one commit or by several it was kept waiting for",
    () =>
      Effect.gen(function* () {
        const loop = new Loop()
        loop.commit("pools", puts(all, 0))
        const prompt = yield* loop.come(query)
        const paced = yield* loop.come(query, 1_000)
        const alone = yield* loop.come(
          queryOf("pools", { keys: new Set(asked), where: [["type", "stable"]] }),
          500
        )
        for (let n = 1; n <= 60; n++) {
          const from = (n * 7) % 40
          // More than is kept track of, now and then.
          const some = asked.slice(from, from + (n % 5 === 0 ? 30 : 1 + (n % 3)))
          if (n % 4 === 0) loop.commit("pools", { remove: some })
          else if (n % 4 === 1) loop.commit("pools", puts(some, n))
          else
            loop.commit(
              "pools",
              sets(
                some.filter((key) => loop.state.rows("pools").has(key)),
                n
              )
            )
          loop.commit("pools", sets(all.slice(60), n))
          yield* loop.pass(n % 2 === 0 ? 0 : 300)
          assertHolds(loop, prompt)
        }
        yield* loop.pass(1_000)
        for (const client of [prompt, paced, alone]) assertHolds(loop, client)
        assert.isAbove(prompt.messages.length, 2 * paced.messages.length)
        assert.deepStrictEqual(loop.broken, [])
        assert.deepStrictEqual(loop.failed, [])
      })
  )

  it.effect("costs a look at the keys that changed, and not at all that it asked for", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(all, 0))
      const client = yield* loop.come(query)
      for (let n = 1; n <= 3; n++) {
        loop.commit("pools", sets(["k3", "k5", "k70"], n))
        assert.isAtMost(yield* looks(loop, loop.pass(0)), 2)
        assertHolds(loop, client)
      }
      assert.strictEqual(client.messages.length, 4)
    })
  )

  it.effect(
    "is told all that changed since the cursor with which it comes back, also beside one that never left",
    () =>
      Effect.gen(function* () {
        const loop = new Loop()
        loop.commit("pools", puts(all, 0))
        const stays = yield* loop.come(query)
        const leaves = yield* loop.come(query)
        loop.register.leave(leaves.reader!)
        for (let n = 1; n <= 3; n++) {
          loop.commit("pools", sets([`k${n}`], n))
          yield* loop.pass(0)
        }
        leaves.reader = loop.enter(query, leaves)
        yield* loop.open(leaves.reader, { since: leaves.cursor, notBefore: 0 })
        for (const client of [stays, leaves]) assertHolds(loop, client)
        assert.deepStrictEqual(leaves.types, ["snapshot", "change"])
      })
  )
})
