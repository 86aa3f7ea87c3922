/** How long history is kept, on the virtual clock, over a journal that outlives the hub. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { type Config, defineConfig, written, type WrittenOptions } from "../../src/Config.ts"
import { Disk, Forgettable, Hub, layerMemory, type Page } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { advance, hubOf, Script } from "../Kit.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String })
const asRows = (page: Page) => (page === "unavailable" ? undefined : page)
const silent = new Script(() => Effect.fail("nobody asks"))

/** Runs against a hub of its own: each is a restart over the same disk. */
const onChat = (disk: Disk, options: Partial<WrittenOptions<typeof Message.Type>>) => {
  const chat = written({ key: "id", row: Message, retain: { rows: 2 }, ...options })
  const config = defineConfig({ collections: { chat, "support:{id}": chat } }) as Config
  return Effect.provide(hubOf(config, silent, undefined, layerMemory(disk)))
}
const append = (text: string, collection = "chat") =>
  Effect.flatMap(RateEngine, ({ write }) => write({ op: "append", collection, row: { text } }))
const appendAll = (count: number, collection?: string) =>
  Effect.forEach(Array.from({ length: count }), (_, i) => append(`m${i}`, collection))
const page = (before?: string, collection = "chat", limit = 500) =>
  Effect.flatMap(Hub, ({ past }) => past(collection, before, limit))
const texts = (before?: string, collection?: string) =>
  Effect.map(page(before, collection), (rows) =>
    asRows(rows)?.map(({ row }) => (JSON.parse(row) as { readonly text: string }).text)
  )

describe("history", () => {
  it.effect("is as many rows as are kept beside the live ones, of each member of a family", () =>
    Effect.gen(function* () {
      yield* appendAll(12)
      yield* appendAll(4, "support:7")
      assert.lengthOf((yield* texts())!, 12)
      yield* advance("1 minute")
      assert.deepStrictEqual(yield* texts(), ["m11", "m10", "m9", "m8", "m7"])
      assert.deepStrictEqual(yield* texts(undefined, "support:7"), ["m3", "m2", "m1", "m0"])
    }).pipe(onChat(new Disk(), { keep: { rows: 3 } }))
  )

  it.effect("is all of 100,000 rows where nothing is said", () =>
    Effect.gen(function* () {
      yield* appendAll(50)
      yield* advance("1 day")
      assert.lengthOf((yield* texts())!, 50)
    }).pipe(onChat(new Disk(), {}))
  )

  it.effect("is no older than is kept, after a restart too, and with what the config says then", () => {
    const disk = new Disk()
    const run = (keep: WrittenOptions<unknown>["keep"]) => onChat(disk, keep === undefined ? {} : { keep })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* appendAll(3)
        yield* advance("5 minutes")
        yield* append("later")
        yield* append("last")
        yield* append("live")
        yield* advance("4 minutes")
        assert.lengthOf((yield* texts())!, 6)
        yield* advance("2 minutes")
        assert.deepStrictEqual(yield* texts(), ["live", "last", "later"])
      }).pipe(run({ age: "10 minutes" }))
      yield* Effect.gen(function* () {
        yield* advance("15 minutes")
        assert.deepStrictEqual(yield* texts(), ["live", "last", "later"])
      }).pipe(run(undefined))
      yield* Effect.gen(function* () {
        yield* advance("1 minute")
        assert.deepStrictEqual(yield* texts(), ["live", "last"])
      }).pipe(run({ rows: 0 }))
    })
  })

  it.effect("ends for whoever pages on from a row that is kept no longer", () =>
    Effect.gen(function* () {
      const keys = (yield* appendAll(12)).map(({ key }) => key)
      yield* Effect.flatMap(RateEngine, ({ write }) =>
        write({ op: "put", collection: "chat", key: "own", row: { text: "own" } })
      )
      yield* appendAll(3)
      yield* advance("1 minute")
      assert.deepStrictEqual(yield* texts(), ["m2", "m1", "m0", "own", "m11"])
      assert.deepStrictEqual(yield* texts(keys[11]), [])
      assert.deepStrictEqual(yield* texts(keys[3]), [])
      yield* appendAll(3)
      yield* advance("1 minute")
      // Nothing tells when that one was.
      assert.isUndefined(yield* page("own"))
    }).pipe(onChat(new Disk(), { keep: { rows: 3 } }))
  )

  it.effect("has only the fields that are declared now, as live rows have", () => {
    const disk = new Disk()
    const Before = Schema.Struct({ id: Schema.String, text: Schema.String, phone: Schema.String })
    const contact = written({ key: "id", row: Before, retain: { rows: 2 } })
    const before = defineConfig({ collections: { chat: contact, "support:{id}": contact } }) as Config
    return Effect.gen(function* () {
      yield* Effect.forEach(["chat", "support:7"], (name) =>
        Effect.forEach([0, 1, 2, 3], (i) =>
          Effect.flatMap(RateEngine, ({ write }) =>
            write({ op: "put", collection: name, key: `k${i}`, row: { text: `m${i}`, phone: "555" } })
          )
        )
      ).pipe(Effect.provide(hubOf(before, silent, undefined, layerMemory(disk))))
      yield* Effect.gen(function* () {
        for (const name of ["chat", "support:7"])
          assert.deepStrictEqual(
            asRows(yield* page(undefined, name))?.map(({ row }) => JSON.parse(row) as object),
            [3, 2, 1, 0].map((i) => ({ text: `m${i}`, id: `k${i}` }))
          )
      }).pipe(onChat(disk, {}), Effect.provideService(Forgettable, new Set(["chat", "support"])))
    })
  })

  it.effect("goes on behind a row that was deleted and is forgotten", () => {
    const disk = new Disk()
    return Effect.gen(function* () {
      const keys = (yield* appendAll(6)).map(({ key }) => key)
      const { write } = yield* RateEngine
      yield* write({ op: "delete", collection: "chat", key: keys[4]! })
      // So many die that their tombstones make that one's go.
      for (let i = 0; i < 1_100; i++) {
        yield* write({ op: "put", collection: "chat", key: "x", row: { text: "x" } })
        yield* write({ op: "delete", collection: "chat", key: "x" })
        yield* write({ op: "put", collection: "chat", key: `x${i}`, row: { text: "x" } })
        yield* write({ op: "delete", collection: "chat", key: `x${i}` })
      }
      assert.deepStrictEqual(yield* texts(), ["m5", "m3", "m2", "m1", "m0"])
      assert.deepStrictEqual(yield* texts(keys[4]), ["m3", "m2", "m1", "m0"])
      const last = (yield* append("new")).key
      yield* write({ op: "delete", collection: "chat", key: last })
      assert.deepStrictEqual(yield* texts(last), ["m5", "m3", "m2", "m1", "m0"])
    }).pipe(onChat(disk, { retain: { rows: 3 } }))
  })
})
