/** History that a backend has beyond what is kept here, on the virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { HttpClient } from "effect/http"

import {
  type Config,
  defineConfig,
  type OlderAsked,
  type OnHistory,
  written,
  type WrittenOptions
} from "../../src/Config.ts"
import { Disk, Hub, Journal, layerMemory } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { advance, hubOf, Script, settle } from "../Kit.ts"

const Message = Schema.Struct({ id: Schema.String, n: Schema.Int })
type Message = typeof Message.Type
const rowOf = (n: number): Message => ({ id: `k${String(n).padStart(3, "0")}`, n })
const script = new Script(() => ({ body: [rowOf(0)] }))

/** A backend that has the rows from 0 to 99, and what it was asked. */
const asked: Array<OlderAsked> = []
const database: OnHistory<Message> = (about) => {
  asked.push(about)
  const end = about.before === undefined ? 100 : Number(about.before.slice(1))
  return Array.from({ length: Math.min(end, about.limit) }, (_, i) => rowOf(end - 1 - i))
}

const onChat = (
  onHistory: OnHistory<Message>,
  options: Partial<WrittenOptions<Message>> = {},
  journal = layerMemory(new Disk())
) => {
  asked.length = 0
  const chat = written({ key: "id", row: Message, retain: { rows: 3 }, onHistory, ...options })
  const config = defineConfig({ collections: { chat, "support:{id}": chat } }) as Config
  return Effect.provide(hubOf(config, script, undefined, journal))
}
const page = (before: string | undefined, limit: number, collection = "chat") =>
  Effect.flatMap(Hub, ({ past }) => past(collection, before, limit))
const numbers = (before: string | undefined, limit: number, collection?: string) =>
  Effect.map(page(before, limit, collection), (rows) =>
    typeof rows === "object" ? rows.map(({ row }) => (JSON.parse(row) as Message).n) : rows
  )
const putAll = (from: number, end: number) =>
  Effect.forEach(Array.from({ length: end - from }), (_, i) =>
    Effect.flatMap(RateEngine, ({ write }) => {
      const { id: key, n } = rowOf(from + i)
      return write({ op: "put", collection: "chat", key, row: { n } })
    })
  )
const down = (from: number, end: number) => Array.from({ length: from - end }, (_, i) => from - 1 - i)

describe("a page of history", () => {
  for (const [what, before, expected] of [
    ["behind the oldest live row", "k007", [6, 5, 4]],
    ["from the newest on", undefined, [10, 9, 8, 7, 6]]
  ] as const)
    it.effect(`${what} is whole, and has no row twice, though a row leaves the live window just then`, () => {
      let meanwhile = Effect.void as Effect.Effect<unknown>
      const journal = Layer.effect(
        Journal,
        Effect.map(Journal, (inner) => ({
          ...inner,
          past: (about: Parameters<typeof inner.past>[0]) =>
            Effect.suspend(() => {
              const first = meanwhile
              meanwhile = Effect.void
              return Effect.andThen(first, inner.past(about))
            })
        }))
      ).pipe(Layer.provide(layerMemory(new Disk())))
      return Effect.gen(function* () {
        yield* putAll(0, 10)
        const engine = yield* RateEngine
        meanwhile = Effect.provideService(putAll(10, 11), RateEngine, engine) as Effect.Effect<unknown>
        assert.deepStrictEqual(yield* numbers(before, expected.length), [...expected])
      }).pipe(onChat(() => [], {}, journal))
    })
})

describe("older rows", () => {
  it.effect("are asked for where what is kept here ends, page by page, and never before", () =>
    Effect.gen(function* () {
      yield* putAll(95, 105)
      assert.deepStrictEqual(yield* numbers(undefined, 10), down(105, 95))
      assert.deepStrictEqual(yield* numbers("k104", 5), down(104, 99))
      assert.deepStrictEqual(asked, [])
      assert.deepStrictEqual(yield* numbers(undefined, 15), down(105, 90))
      assert.deepStrictEqual(yield* numbers("k097", 5), down(97, 92))
      assert.deepStrictEqual(yield* numbers("k095", 5), down(95, 90))
      assert.deepStrictEqual(yield* numbers("k090", 5), down(90, 85))
      assert.deepStrictEqual(yield* numbers("k003", 5), down(3, 0))
      assert.deepStrictEqual(yield* numbers("k000", 5), [])
      assert.deepStrictEqual(
        asked.map(({ before, limit }) => [before, limit]),
        [
          ["k095", 5],
          ["k095", 3],
          ["k095", 5],
          ["k090", 5],
          ["k003", 5],
          ["k000", 5]
        ]
      )
    }).pipe(onChat(database))
  )

  it.effect("are all there is behind live rows without a journal, and what is kept no longer", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* putAll(98, 105)
        assert.deepStrictEqual(yield* numbers(undefined, 6), down(105, 99))
        assert.deepStrictEqual(yield* numbers("k103", 3), down(103, 100))
      }).pipe(onChat(database, {}, Journal.layerNone))
      yield* Effect.gen(function* () {
        yield* putAll(90, 105)
        yield* advance("1 minute")
        assert.deepStrictEqual(yield* numbers(undefined, 8), down(105, 97))
        assert.deepStrictEqual(
          asked.map(({ before, limit }) => [before, limit]),
          [["k100", 3]]
        )
      }).pipe(onChat(database, { keep: { rows: 2 } }))
    })
  )

  it.effect("of a member that nobody has written are asked for by its name", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* numbers(undefined, 2, "support:7"), [99, 98])
      assert.deepStrictEqual(asked, [{ collection: "support:7", before: undefined, limit: 2 }])
    }).pipe(onChat(database))
  )

  it.effect("do not make a key one that was evicted", () =>
    Effect.gen(function* () {
      const wrote = yield* putAll(50, 51)
      assert.isTrue(wrote[0]!.isNew)
      assert.deepStrictEqual(asked, [])
    }).pipe(onChat(database))
  )

  it.effect("may come over HTTP", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* numbers(undefined, 2), [0])
      assert.strictEqual(script.asked.at(-1)!.url, "http://db/chat")
    }).pipe(onChat(({ collection }) => Effect.as(HttpClient.get(`http://db/${collection}`), [rowOf(0)])))
  )

  it.effect(
    "are asked for once by all who ask the same at once, and not given up when one of them leaves",
    () =>
      Effect.gen(function* () {
        const all = yield* Effect.forEach(Array.from({ length: 20 }), () =>
          Effect.forkChild(numbers("k050", 2))
        )
        const other = yield* Effect.forkChild(numbers("k040", 2))
        yield* settle
        yield* Fiber.interrupt(all[0]!)
        yield* advance("1 second")
        for (const each of all.slice(1)) assert.deepStrictEqual(yield* Fiber.join(each), [49, 48])
        assert.deepStrictEqual(yield* Fiber.join(other), [39, 38])
        assert.lengthOf(asked, 2)
      }).pipe(onChat((about) => Effect.delay(Effect.succeed(database(about) as Array<Message>), "1 second")))
  )

  it.effect(
    "are unavailable where the function throws, fails, never answers, or answers with what does not fit",
    () => {
      const ways: Array<OnHistory<Message>> = [
        () => {
          throw new Error("broken")
        },
        () => Effect.fail("no"),
        () => Promise.resolve([]) as never,
        () => [{ id: "k", n: "one" }] as never,
        () => [{ n: 1 }] as never,
        () => [rowOf(51), rowOf(50)],
        () => 7 as never,
        () => Effect.die("broken"),
        () => Effect.never
      ]
      return Effect.gen(function* () {
        const count = ways.length
        for (let i = 0; i < count; i++) {
          const asking = yield* Effect.forkChild(page("k050", 5))
          yield* advance("5 seconds")
          assert.strictEqual(yield* Fiber.join(asking), "unavailable", `${i}`)
          // What fails is left alone; long enough for another try.
          yield* advance("1 minute")
        }
        assert.lengthOf(ways, 0)
      }).pipe(onChat((about) => ways.shift()!(about)))
    }
  )

  it.effect("are there for others, however often it fails with what somebody asks for", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++)
        assert.strictEqual(yield* page(`garbage${i}`, 5, "support:mallory"), "unavailable")
      assert.deepStrictEqual(yield* numbers(undefined, 2, "support:ada"), [99, 98])
    }).pipe(
      onChat((about) => {
        const { before = "" } = about
        if (!before.startsWith("garbage")) return database(about)
        if (before.endsWith("1")) throw new Error("no such row")
        return before.endsWith("2") ? ([{ n: "none" }] as never) : Effect.fail("400")
      })
    )
  )

  it.effect("are left alone for a while where there is no answer in time", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 6; i++) {
        const asking = yield* Effect.forkChild(page(`k05${i}`, 5))
        yield* advance("5 seconds")
        assert.strictEqual(yield* Fiber.join(asking), "unavailable")
      }
      assert.lengthOf(asked, 5)
    }).pipe(
      onChat((about) => {
        asked.push(about)
        return Effect.never
      })
    )
  )

  it.effect("are no more than were asked for", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* numbers("k090", 2), [89, 88])
    }).pipe(onChat(({ before, collection }) => database({ before, collection, limit: 50 })))
  )
})
