/** Clients that leave before their write is answered, and ask again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"

import { type Config, defineConfig, written } from "../../src/Config.ts"
import { Hub, Journal } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { advance, hubOf, Script } from "../Kit.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String })
const config = defineConfig({
  collections: {
    chat: written({
      key: "id",
      row: Message,
      writeEvery: "1 hour"
    })
  }
}) as Config
/** A commit is kept after a second. */
const slow = Layer.effect(
  Journal,
  Effect.map(Journal, (journal) => ({
    ...journal,
    append: (entry: Parameters<typeof journal.append>[0]) => Effect.delay(journal.append(entry), "1 second")
  }))
).pipe(Layer.provide(Journal.layerNone))
const onChat = hubOf(config, new Script(() => ({ body: [] })), undefined, slow)

const say = (text: string, id?: string, sub = "ada") =>
  Effect.flatMap(RateEngine, (engine) =>
    engine.write(
      { op: "append", collection: "chat", row: { text }, sub },
      id === undefined ? undefined : { id, body: text }
    )
  )
const texts = Effect.map(Hub, ({ board }) => [...board.rows("chat")].map(([, { text }]) => text))

describe("a client that leaves before its write is answered", () => {
  it.effect("and asks again with the same key has written once, and gets the answer of the first", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkChild(say("hello", "k1"))
      yield* advance("500 millis")
      yield* Fiber.interrupt(first)
      const again = yield* Effect.forkChild(say("hello", "k1"))
      yield* advance("5 seconds")
      const { key } = yield* Fiber.join(again)
      const { key: anew } = yield* say("hello", "k1")
      assert.strictEqual(anew, key)
      assert.deepStrictEqual(yield* texts, ["hello"])
    }).pipe(Effect.provide(onChat))
  )

  it.effect("has had its turn to write all the same", () =>
    Effect.gen(function* () {
      const first = yield* Effect.forkChild(say("hello"))
      yield* advance("500 millis")
      yield* Fiber.interrupt(first)
      const refused = yield* Effect.flip(say("and again"))
      assert.strictEqual(refused.code, "too_many")
      yield* advance("5 seconds")
      assert.deepStrictEqual(yield* texts, ["hello"])
    }).pipe(Effect.provide(onChat))
  )
})
