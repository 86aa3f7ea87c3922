/** The keys that appended rows are given, on the virtual clock, which every restart here sets back to where it began. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"

import { type Config, defineConfig, written } from "../../src/Config.ts"
import { Disk, Hub, layerMemory } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { advance, hubOf, Script } from "../Kit.ts"

const silent = new Script(() => Effect.fail("nobody asks"))
const configOf = (rows: number) => {
  const row = Schema.Struct({ id: Schema.String, text: Schema.String })
  const chat = written({ key: "id", row, retain: { rows } })
  return defineConfig({ collections: { chat, "support:{id}": chat } }) as Config
}

/** Runs against a hub of its own: each is a restart over the same disk. */
const onChat = (disk: Disk, rows = 100) =>
  Effect.provide(hubOf(configOf(rows), silent, undefined, layerMemory(disk)))
const append = (collection = "chat") =>
  Effect.flatMap(RateEngine, ({ write }) =>
    Effect.map(write({ op: "append", collection, row: { text: "ours" } }), ({ key }) => key)
  )
const appendAll = (count: number) => Effect.forEach(Array.from({ length: count }), () => append())
const put = (key: string, collection = "chat") =>
  Effect.flatMap(RateEngine, ({ write }) =>
    write({ op: "put", collection, key, row: { text: "a client's" } })
  )
const keyAt = (at: number) => `${at.toString(36).padStart(9, "0")}000`

const areInOrder = (keys: ReadonlyArray<string>) => {
  assert.deepStrictEqual(keys, keys.toSorted())
  assert.strictEqual(new Set(keys).size, keys.length)
  for (const key of keys) assert.lengthOf(key, 12)
}

describe("keys of appended rows", () => {
  it.effect("have their width and grow, whatever keys a client has chosen", () => {
    const disk = new Disk()
    return Effect.gen(function* () {
      const before = yield* Effect.gen(function* () {
        const first = yield* appendAll(3)
        for (const key of ["zzzzzzzzzzzz", "zzzzzzzzzzz0", "y00000000000", "000000000000"]) yield* put(key)
        return [...first, ...(yield* appendAll(3))]
      }).pipe(onChat(disk))
      const after = yield* Effect.gen(function* () {
        const first = yield* appendAll(3)
        // What is appended first to a member comes after what a client chose.
        yield* put("zzzzzzzzzzzz", "support:7")
        assert.isTrue((yield* append("support:7")) < "zzzzzzzzzzzz")
        return first
      }).pipe(onChat(disk))
      areInOrder([...before, ...after])
      assert.isTrue(after.every((key) => key < "y00000000000"))
    })
  })

  it.effect("grow over a clock that is set back, again and again", () => {
    const disk = new Disk()
    return Effect.gen(function* () {
      const keys: Array<string> = []
      for (let run = 0; run < 4; run++)
        yield* Effect.gen(function* () {
          if (run === 0) yield* advance("5 hours")
          keys.push(...(yield* appendAll(3)))
          yield* advance("1 second")
          keys.push(yield* append())
          // So few that none of an earlier run is among them.
        }).pipe(onChat(disk, 2))
      areInOrder(keys)
    })
  })

  it.effect("are never those of rows that are there", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const chosen = keyAt(now + 1_000)
      yield* append()
      yield* put(chosen)
      yield* advance("1 second")
      const keys = yield* appendAll(3)
      assert.notInclude(keys, chosen)
      const { board } = yield* Hub
      assert.strictEqual(board.rows("chat").get(chosen)!["text"], "a client's")
      assert.strictEqual(board.rows("chat").size, 5)
    }).pipe(onChat(new Disk()))
  )
})
