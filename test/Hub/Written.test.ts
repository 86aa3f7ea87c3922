/** Written collections, from a write to what readers are told, on the virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"

import { type Config, Decimal, defineConfig, derived, hook, refuse, written } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { RateEngine, type Write, type WriteRefused } from "../../src/RateEngine.ts"
import { tagOf } from "../../src/RowTag.ts"
import { advance, type Answer, type Asked, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"

const Message = Schema.Struct({
  id: Schema.String,
  text: Schema.String.check(Schema.isMaxLength(20)),
  likes: Schema.optionalKey(Schema.Int)
})
const chatOf = (options: object = {}) => written({ key: "id", row: Message, ...options } as never)
const silent = new Script(() => Effect.fail("nobody asks"))

const onChat = <A, E, R>(body: Effect.Effect<A, E, R>, options: object = {}, more: object = {}) => {
  const chat = chatOf(options)
  const config = defineConfig({ collections: { chat, ...(more as Record<string, typeof chat>) } }) as Config
  return body.pipe(Effect.provide(hubOf(config, silent)))
}

const write = (write: Write) => Effect.flatMap(RateEngine, (engine) => engine.write(write))
const refused = (asked: Write) => Effect.map(Effect.flip(write(asked)), (error: WriteRefused) => error.code)
const put = (key: string, text: string, more: object = {}) =>
  write({ op: "put", collection: "chat", key, row: { text, ...more } })
const append = (text: string) => write({ op: "append", collection: "chat", row: { text } })
const rows = Effect.map(Hub, ({ board }) => Object.fromEntries(board.rows("chat")))
const keys = Effect.map(rows, (held) => Object.keys(held))

const wrong = (row: unknown) =>
  Effect.map(
    Effect.flip(write({ op: "put", collection: "chat", key: "a", row })),
    ({ code, detail }) => `${code}: ${detail}`
  )
const patch = (ifMatch: ReadonlyArray<string> | "*") =>
  ({ op: "patch", collection: "chat", key: "a", set: { text: "two" }, unset: [], ifMatch }) as const

describe("a written collection", () => {
  it.effect("is live from the start, and has what was put, patched and deleted", () =>
    onChat(
      Effect.gen(function* () {
        const hub = yield* Hub
        assert.strictEqual(hub.look("chat").health.state, "live")
        const client = yield* connect(yield* queryOf(["chat"]))
        yield* settle
        const made = yield* put("a", "hello", { likes: 1 })
        assert.deepStrictEqual(made, {
          revision: hub.revision(),
          key: "a",
          row: { text: "hello", likes: 1, id: "a" },
          isNew: true
        })
        yield* settle
        yield* put("b", "who?")
        yield* settle
        yield* write({ op: "patch", collection: "chat", key: "a", set: { text: "hi" }, unset: ["likes"] })
        yield* settle
        yield* write({ op: "delete", collection: "chat", key: "b" })
        yield* settle
        assert.deepStrictEqual(yield* rows, { a: { text: "hi", id: "a" } })
        assert.deepStrictEqual(Object.fromEntries(client.rows.get("chat")!.get("a")!), {
          id: "a",
          text: "hi"
        })
        assert.deepStrictEqual(client.types, ["snapshot", "change", "change", "change", "change"])
        assert.deepStrictEqual(client.messages[3]!.collections, {
          chat: { set: { a: { text: "hi" } }, unset: { a: ["likes"] } }
        } as never)
      })
    )
  )

  it.effect("does nothing for a write that changes nothing", () =>
    onChat(
      Effect.gen(function* () {
        const first = yield* put("a", "hello")
        const second = yield* put("a", "hello")
        assert.strictEqual(second.revision, first.revision)
        assert.isFalse(second.isNew)
      })
    )
  )

  it.effect("tells nobody of one that may come again and changes nothing, though its answer is kept", () =>
    onChat(
      Effect.gen(function* () {
        const hub = yield* Hub
        const { write } = yield* RateEngine
        const first = yield* put("a", "hello")
        const client = yield* connect(yield* queryOf(["chat"]))
        yield* settle
        const again: Write = { op: "put", collection: "chat", key: "a", row: { text: "hello" } }
        const second = yield* write(again, { id: "i", body: "b" })
        yield* settle
        // There is nothing to wait for, though the answer is kept by a commit.
        assert.strictEqual(second.revision, first.revision)
        assert.strictEqual(hub.revision(), first.revision + 1)
        assert.deepStrictEqual(client.types, ["snapshot"])
        yield* advance("15 seconds")
        assert.deepStrictEqual(client.types, ["snapshot", "ping"])
        assert.strictEqual(client.cursor, hub.cursor(yield* queryOf(["chat"])))
      })
    )
  )

  it.effect("gives appended rows keys that sort in their order, whatever the clock does", () =>
    onChat(
      Effect.gen(function* () {
        for (let i = 0; i < 50; i++) yield* append(`m${i}`)
        yield* advance("3 seconds")
        yield* append("last")
        const all = Object.entries(yield* rows)
        assert.deepStrictEqual(
          all.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row["text"]),
          [...Array.from({ length: 50 }, (_, i) => `m${i}`), "last"]
        )
        for (const [key, row] of all) assert.strictEqual(row["id"], key)
        assert.strictEqual(new Set(all.map(([key]) => key.length)).size, 1)
      })
    )
  )

  it.effect("refuses what is no row, with a message that names the field", () =>
    onChat(
      Effect.gen(function* () {
        assert.match(yield* wrong([]), /^invalid_row: a row is a JSON object/)
        assert.match(yield* wrong({ text: 7 }), /^invalid_row: .*"text"/)
        assert.match(yield* wrong({ text: "x".repeat(21) }), /^invalid_row: .*"text"/)
        assert.match(yield* wrong({ text: "x", mood: "good" }), /^invalid_row: .*"mood"/)
        assert.match(yield* wrong({ id: "b", text: "x" }), /^invalid_row: "id" is another/)
        assert.match(yield* wrong(JSON.parse('{"text":"x","__proto__":{"a":1}}')), /^invalid_row/)
        assert.strictEqual(
          yield* refused({ op: "append", collection: "chat", row: { id: "a", text: "x" } }),
          "invalid_row"
        )
        assert.strictEqual(
          yield* refused({ op: "put", collection: "chat", key: "k".repeat(257), row: { text: "x" } }),
          "invalid_row"
        )
        assert.deepStrictEqual(yield* rows, {})
      })
    )
  )

  it.effect("refuses in words that name the field, and nothing of ours", () => {
    const row = Schema.Struct({
      id: Schema.String,
      text: Schema.optionalKey(Schema.String.check(Schema.makeFilter((text) => text !== "no"))),
      tags: Schema.optionalKey(Schema.Array(Schema.Int)),
      any: Schema.optionalKey(Schema.Any),
      price: Schema.optionalKey(Decimal),
      least: Schema.optionalKey(Schema.Int),
      most: Schema.optionalKey(Schema.Int.check(Schema.makeFilter((n) => n < 9 || "Too many")))
    }).check(Schema.makeFilter(({ least = 0, most = 0 }) => least <= most))
    return onChat(
      Effect.gen(function* () {
        assert.strictEqual(
          yield* wrong({ text: "no" }),
          'invalid_row: "text" does not fit: It does not pass a check'
        )
        assert.strictEqual(yield* wrong({ text: 7 }), 'invalid_row: "text" does not fit: Expected string')
        assert.strictEqual(
          yield* wrong({ tags: [1, "b"] }),
          'invalid_row: "tags" at 1 does not fit: Expected number'
        )
        assert.strictEqual(yield* wrong({ most: 9 }), 'invalid_row: "most" does not fit: Too many')
        assert.strictEqual(
          yield* wrong({ mood: 1 }),
          'invalid_row: there is no field "mood"; did you mean "most"?'
        )
        assert.strictEqual(
          yield* wrong({ txt: "a" }),
          'invalid_row: there is no field "txt"; did you mean "text"?'
        )
        for (const odd of ["x", true])
          assert.match(
            yield* wrong({ price: odd }),
            /^invalid_row: "price" does not fit: Expected a decimal number such as 1\.10$/
          )
        assert.strictEqual(
          yield* wrong({ least: 2 }),
          "invalid_row: the row does not fit: It does not pass a check"
        )
        assert.strictEqual(
          yield* wrong({ text: "x", any: [Infinity] }),
          'invalid_row: "any" has a number that JSON cannot hold'
        )
        assert.strictEqual(
          yield* wrong({ text: "x", any: { at: new Date(0) } }),
          'invalid_row: "any" decodes to an instance of a class, which is not JSON'
        )
        assert.deepStrictEqual(yield* rows, {})
      }),
      { row }
    )
  })

  it.effect("holds what is expected of a row against it", () =>
    onChat(
      Effect.gen(function* () {
        const { row } = yield* put("a", "one")
        assert.strictEqual(yield* refused(patch(["another"])), "precondition_failed")
        yield* write(patch([tagOf(row!)]))
        assert.strictEqual(yield* refused(patch([tagOf(row!)])), "precondition_failed")
        const anew = { op: "put", collection: "chat", key: "a", row: { text: "x" }, isNew: true } as const
        assert.strictEqual(yield* refused(anew), "precondition_failed")
        assert.strictEqual(yield* refused({ op: "delete", collection: "chat", key: "z" }), "unknown_row")
      })
    )
  )

  it.effect("keeps the newest rows live; the others leave as history and are not written any more", () =>
    onChat(
      Effect.gen(function* () {
        const client = yield* connect(yield* queryOf(["chat"]))
        for (const key of ["a", "b", "c", "d"]) yield* put(key, key)
        yield* settle
        assert.deepStrictEqual(yield* keys, ["b", "c", "d"])
        assert.deepStrictEqual(client.messages.at(-1)!.collections!["chat"]!.evict, ["a"])
        assert.strictEqual(
          yield* refused({ op: "put", collection: "chat", key: "a", row: { text: "x" } }),
          "conflict"
        )
        yield* put("b", "edited")
        assert.deepStrictEqual(yield* keys, ["b", "c", "d"])
      }),
      { retain: { rows: 3 } }
    )
  )

  it.effect(
    "says what it retains and whether there is more, and how many rows a late reader has not seen",
    () =>
      onChat(
        Effect.gen(function* () {
          const late = yield* connect(yield* queryOf(["chat"]))
          const partOf = (client: typeof late) => client.messages[0]!.collections!["chat"] as object
          assert.deepStrictEqual(partOf(late), { state: "live", retain: { rows: 3 }, rows: {} } as never)
          yield* put("a", "a")
          yield* settle
          late.stalled = true
          yield* put("b", "b")
          yield* settle
          for (const key of ["c", "d", "e", "f", "g", "h"]) yield* put(key, key)
          late.drain()
          yield* settle
          const told = late.messages.at(-1)!.collections!["chat"] as unknown as {
            readonly evict: ReadonlyArray<string>
            readonly skipped: number
          }
          assert.deepStrictEqual(told.evict.toSorted(), ["a", "b", "c", "d", "e"])
          assert.strictEqual(told.skipped, 3)
          assert.deepStrictEqual([...late.rows.get("chat")!.keys()].toSorted(), ["f", "g", "h"])
          const newcomer = yield* connect(yield* queryOf(["chat"]))
          assert.include(JSON.stringify(partOf(newcomer)), '"retain":{"rows":3},"more":true')
        }),
        { retain: { rows: 3 } }
      )
  )

  it.effect("lets rows go when they are older than it retains", () =>
    onChat(
      Effect.gen(function* () {
        yield* put("a", "a")
        yield* advance("20 seconds")
        yield* put("b", "b")
        yield* advance("39 seconds")
        assert.deepStrictEqual(yield* keys, ["a", "b"])
        yield* advance("2 seconds")
        assert.deepStrictEqual(yield* keys, ["b"])
        yield* advance("20 seconds")
        assert.deepStrictEqual(yield* keys, [])
      }),
      { retain: { age: "1 minute" } }
    )
  )

  it.effect("whose rows are not edited refuses to", () =>
    onChat(
      Effect.gen(function* () {
        yield* put("a", "a")
        assert.strictEqual(
          yield* refused({ op: "put", collection: "chat", key: "a", row: { text: "x" } }),
          "conflict"
        )
        assert.strictEqual(yield* refused({ op: "delete", collection: "chat", key: "a" }), "conflict")
      }),
      { edits: false }
    )
  )
})

describe("the config's onWrite", () => {
  it.effect("changes a row, refuses one, and fails without taking anything else with it", () =>
    onChat(
      Effect.gen(function* () {
        assert.strictEqual((yield* put("a", "plain")).row!["text"], "PLAIN")
        const { code, detail } = yield* Effect.flip(put("b", "rude"))
        assert.deepStrictEqual([code, detail], ["forbidden", "mind your language"])
        assert.strictEqual((yield* Effect.flip(put("b", "throw"))).code, "unavailable")
        assert.strictEqual((yield* Effect.flip(put("b", "long"))).code, "invalid_row")
        yield* put("c", "fine")
        assert.deepStrictEqual(yield* keys, ["a", "c"])
      }),
      {
        onWrite: ({ row }: { readonly row?: { readonly text: string } }) => {
          if (row === undefined) return undefined
          if (row.text === "rude") return refuse("mind your language")
          if (row.text === "throw") throw new Error("broken")
          if (row.text === "long") return { ...row, text: "x".repeat(50) }
          return Effect.succeed({ ...row, text: row.text.toUpperCase() })
        }
      }
    )
  )

  it.effect("may put another row in the place of one that is appended, whose key is still to be given", () =>
    onChat(
      Effect.gen(function* () {
        const { key, row } = yield* append("hello")
        assert.deepStrictEqual(row, { id: key, text: "HELLO" })
      }),
      {
        onWrite: ({ row }: { readonly row: { readonly text: string } }) => ({
          ...row,
          text: row.text.toUpperCase()
        })
      }
    )
  )

  it.effect("that takes its time holds up no other write, and one of the same row is made anew", () =>
    onChat(
      Effect.gen(function* () {
        yield* put("a", "0")
        const like = write({ op: "patch", collection: "chat", key: "a", set: { text: "slow" }, unset: [] })
        const slow = yield* Effect.forkChild(like)
        yield* settle
        yield* put("a", "quick")
        yield* put("b", "other")
        assert.strictEqual((yield* rows)["a"]!["text"], "quick")
        yield* advance("5 seconds")
        const exit = yield* Effect.exit(Effect.timeout(Effect.succeed(slow.pollUnsafe()), 1))
        assert.strictEqual(exit._tag, "Success")
        assert.strictEqual((yield* rows)["a"]!["text"], "slow")
      }),
      {
        onWrite: ({ row }: { readonly row?: { readonly text: string } }) =>
          row?.text === "slow" ? Effect.as(Effect.sleep("1 second"), row) : row
      }
    )
  )

  it.effect("that never answers is waited for five seconds", () =>
    onChat(
      Effect.gen(function* () {
        const began = yield* Clock.currentTimeMillis
        const waiting = yield* Effect.forkChild(Effect.flip(put("a", "a")))
        yield* advance("4 seconds")
        assert.isUndefined(waiting.pollUnsafe())
        yield* advance("2 seconds")
        const exit = waiting.pollUnsafe()
        assert.strictEqual(exit?._tag, "Success")
        assert.isBelow((yield* Clock.currentTimeMillis) - began, 10_000)
      }),
      { onWrite: () => Effect.never }
    )
  )
})

/** Against a hub with a backend that has a say. */
const onAsked = <A, E, R>(
  answer: (asked: Asked, nth: number) => Answer,
  body: (script: Script) => Effect.Effect<A, E, R>
) => {
  const script: Script = new Script((asked) => answer(asked, script.asked.length))
  const chat = chatOf({ onWrite: hook({ url: "http://backend/hook" }) })
  return body(script).pipe(Effect.provide(hubOf(defineConfig({ collections: { chat } }) as Config, script)))
}
const saying = (body: unknown, after = 0) => Effect.as(Effect.sleep(after), { body })

describe("a hook over HTTP", () => {
  it.effect("holds up nobody else, and is asked again where the row has become another", () =>
    onAsked(
      ({ body }) => saying({}, body.includes("slow") ? 2_000 : 0),
      (script) =>
        Effect.gen(function* () {
          yield* put("a", "0")
          const slow = yield* Effect.forkChild(put("a", "slow"))
          yield* settle
          yield* put("a", "quick")
          yield* put("b", "other")
          yield* advance("5 seconds")
          assert.strictEqual(slow.pollUnsafe()?._tag, "Success")
          assert.strictEqual((yield* rows)["a"]!["text"], "slow")
          const befores = script.asked
            .map(({ body }) => JSON.parse(body) as { readonly before?: { readonly text: string } })
            .map(({ before }) => before?.text)
          assert.deepStrictEqual(befores, [undefined, "0", "0", undefined, "quick"])
        })
    )
  )

  it.effect(
    "that never answers is waited for five seconds, and after five times not at all for a while",
    () =>
      onAsked(
        (_, nth) => (nth <= 5 ? Effect.never : saying({})),
        (script) =>
          Effect.gen(function* () {
            for (let i = 0; i < 5; i++) {
              const waiting = yield* Effect.forkChild(Effect.flip(put("a", "a")))
              yield* advance("4999 millis")
              assert.isUndefined(waiting.pollUnsafe())
              yield* advance("1 millis")
              const exit = waiting.pollUnsafe()
              assert.strictEqual(exit?._tag === "Success" ? exit.value.code : "waits", "unavailable")
            }
            const { code, retryAfterMs } = yield* Effect.flip(put("a", "a"))
            assert.deepStrictEqual([code, retryAfterMs, script.asked.length], ["unavailable", 1_000, 5])
            yield* advance("1 second")
            yield* put("a", "a")
            assert.deepStrictEqual(yield* keys, ["a"])
          })
      )
  )

  it.effect("is asked sixteen at once; 256 wait in all, and whoever comes then is told so", () =>
    onAsked(
      () => saying({}, 1_000),
      (script) =>
        Effect.gen(function* () {
          const all = yield* Effect.forkChild(
            Effect.forEach(Array.from({ length: 300 }), (_, i) => Effect.result(put(`k${i}`, "x")), {
              concurrency: "unbounded"
            })
          )
          yield* advance("16 seconds")
          const exit = all.pollUnsafe()
          assert.strictEqual(exit?._tag, "Success")
          assert.lengthOf(yield* keys, 256)
          assert.strictEqual(script.most, 16)
        })
    )
  )
})

describe("what is derived from a written collection", () => {
  const chat = chatOf()
  const count = derived({
    from: { chat },
    key: "id",
    row: Schema.Struct({ id: Schema.String, n: Schema.Int }),
    rows: ({ chat }) => [{ key: "all", row: { id: "all", n: chat.size } }]
  })
  it.effect("is committed with the write", () =>
    Effect.gen(function* () {
      const { board } = yield* Hub
      const { revision } = yield* put("a", "a")
      assert.strictEqual(revision, board.revision())
      assert.deepStrictEqual(board.rows("count").get("all"), { id: "all", n: 1 })
      assert.strictEqual(board.health("count").state, "live")
    }).pipe(Effect.provide(hubOf(defineConfig({ collections: { chat, count } } as never) as Config, silent)))
  )
})

const by = (who: Pick<Write, "sub" | "address">, text = "x"): Write => ({
  op: "append",
  collection: "chat",
  row: { text },
  ...who
})

describe("who writes", () => {
  it.effect("is written once in a time by each subject, or address; what is refused does not count", () =>
    onChat(
      Effect.gen(function* () {
        const ada = { sub: "ada", address: "10.0.0.1" }
        yield* write(by(ada))
        const tooSoon = yield* Effect.flip(write(by({ ...ada, address: "10.0.0.2" })))
        assert.deepInclude(tooSoon, {
          code: "too_many",
          retryAfterMs: 1_000,
          detail: "at most one write in 1s here; try again in 1s"
        })
        yield* write(by({ sub: "bob", address: "10.0.0.1" }))
        yield* write(by({ address: "10.0.0.1" }))
        assert.strictEqual(yield* refused(by({ address: "10.0.0.1" })), "too_many")
        yield* write(by({}))
        yield* write(by({}))
        yield* advance("600 millis")
        assert.deepInclude(yield* Effect.flip(write(by(ada))), { code: "too_many", retryAfterMs: 400 })
        yield* advance("400 millis")
        assert.strictEqual(yield* refused(by(ada, "y".repeat(21))), "invalid_row")
        yield* write(by(ada))
        assert.strictEqual(yield* refused(by(ada)), "too_many")
        assert.lengthOf(yield* keys, 6)
      }),
      { writeEvery: "1 second" }
    )
  )

  it.effect("answers a write that comes again at once, though it is too soon for another", () =>
    onChat(
      Effect.gen(function* () {
        const { write } = yield* RateEngine
        const asked: Write = { op: "append", collection: "chat", row: { text: "x" }, sub: "ada" }
        const first = yield* write(asked, { id: "i", body: "b" })
        assert.deepStrictEqual(yield* write(asked, { id: "i", body: "b" }), { ...first })
      }),
      { writeEvery: "1 second" }
    )
  )
})
