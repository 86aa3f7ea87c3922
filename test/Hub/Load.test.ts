/** Written collections that are loaded from where their rows were, on the virtual clock, over a journal that outlives the hub. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { HttpClient } from "effect/http"

import {
  type Config,
  defineConfig,
  derived,
  type Load,
  source,
  written,
  type WrittenOptions
} from "../../src/Config.ts"
import { Disk, Hub, layerMemory, type Page } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { Demand } from "../../src/Upstream.ts"
import { advance, type Answer, type Asked, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String })
type Message = typeof Message.Type
const rowsOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: `k${from + i}`, text: `m${from + i}` }))

/** Runs against a hub of its own: each is a restart over the same disk. */
const onChat = (
  disk: Disk,
  script: Script,
  options: Partial<WrittenOptions<Message>> = {},
  memory?: { readonly tips: number; readonly tombstones: number; readonly idleMembers: number }
) => {
  const of = (url: string) =>
    written({
      key: "id",
      row: Message,
      retain: { rows: 3 },
      load: source({ url, every: "10 seconds", retries: 0 }),
      ...options
    })
  const chat = of("http://db/chat")
  const count = derived({
    from: { chat },
    key: "id",
    row: Schema.Struct({ id: Schema.String, n: Schema.Int }),
    rows: ({ chat }) => [{ key: "all", row: { id: "all", n: chat.size } }]
  })
  const family = typeof options.load === "function" ? chat : of("http://db/support/{id}")
  const config = defineConfig({ collections: { chat, "support:{id}": family, count } }) as Config
  return Effect.provide(hubOf(config, script, memory, layerMemory(disk)))
}
const saying = (answer: (asked: Asked, nth: number) => Answer): Script => {
  const script: Script = new Script((asked) => answer(asked, script.asked.length))
  return script
}
const asRows = (page: Page) => (page === "unavailable" ? undefined : page)
const urlsOf = ({ asked }: Script) => asked.map(({ url }) => url)
const write = (collection: string, text: string, key?: string) =>
  Effect.flatMap(RateEngine, (engine) =>
    engine.write(
      key === undefined
        ? { op: "append", collection, row: { text } }
        : { op: "put", collection, key, row: { text } }
    )
  )
const live = (collection = "chat") =>
  Effect.flatMap(Hub, ({ board }) =>
    board.present(
      [collection],
      Effect.sync(() => [...board.rows(collection)].map(([, { text }]) => text))
    )
  )
const stateOf = (collection = "chat") => Effect.map(Hub, ({ board }) => board.health(collection).state)
const history = (collection = "chat", before?: string) =>
  Effect.map(
    Effect.flatMap(Hub, ({ past }) => past(collection, before, 500)),
    (rows) => asRows(rows)?.map(({ row }) => (JSON.parse(row) as Message).text)
  )
const touch = (collection: string) =>
  Effect.andThen(
    Effect.map(Demand, (demand) => demand.touch([collection])),
    settle
  )

describe("a written collection that is loaded", () => {
  it.effect(
    "has the newest rows live and the others in history, and is asked for once, restarts included",
    () => {
      const disk = new Disk()
      const script = saying(() => ({ body: rowsOf(8) }))
      return Effect.gen(function* () {
        yield* Effect.gen(function* () {
          assert.strictEqual(yield* stateOf(), "live")
          assert.deepStrictEqual(yield* live(), ["m5", "m6", "m7"])
          assert.deepStrictEqual(yield* history(), ["m7", "m6", "m5", "m4", "m3", "m2", "m1", "m0"])
          assert.deepStrictEqual(yield* history("chat", "k4"), ["m3", "m2", "m1", "m0"])
          assert.deepStrictEqual((yield* Hub).board.rows("count").get("all"), { id: "all", n: 3 })
          const reader = yield* connect(yield* queryOf(["chat"]))
          const { more, rows } = reader.messages[0]!.collections!["chat"] as unknown as {
            readonly more: boolean
            readonly rows: object
          }
          assert.deepStrictEqual([more, Object.keys(rows)], [true, ["k5", "k6", "k7"]])
          yield* write("chat", "new")
          assert.deepStrictEqual(yield* live(), ["m6", "m7", "new"])
          yield* advance("1 hour")
        }).pipe(onChat(disk, script))
        yield* Effect.gen(function* () {
          yield* advance("1 hour")
          assert.deepStrictEqual(yield* live(), ["m6", "m7", "new"])
          assert.lengthOf((yield* history())!, 9)
          assert.strictEqual(
            (yield* Effect.flip(write("chat", "x", "k2"))).code,
            "conflict",
            "what was loaded into history is history"
          )
        }).pipe(onChat(disk, script))
        assert.deepStrictEqual(urlsOf(script), ["http://db/chat"])
      })
    }
  )

  it.effect(
    "answers who asks for a refresh meanwhile when it is there: what is read once has no next time",
    () => {
      const script = saying(() => Effect.delay(Effect.succeed({ body: rowsOf(2) }), "1 second") as never)
      return Effect.gen(function* () {
        yield* advance("100 millis")
        const demand = yield* Demand
        const asking = yield* Effect.forkChild(demand.refresh("chat"))
        yield* advance("2 seconds")
        assert.deepInclude(yield* Fiber.join(asking), { ok: true, refreshed: true })
        assert.lengthOf(script.asked, 1)
      }).pipe(onChat(new Disk(), script))
    }
  )

  it.effect("which has nothing to load is live and empty, and is not asked for again", () => {
    const disk = new Disk()
    const script = saying(() => ({ body: [] }))
    const nothing = Effect.gen(function* () {
      yield* advance("1 minute")
      assert.deepStrictEqual([yield* stateOf(), yield* live()], ["live", []])
    })
    return Effect.gen(function* () {
      yield* nothing.pipe(onChat(disk, script))
      yield* nothing.pipe(onChat(disk, script))
      assert.lengthOf(script.asked, 1)
    })
  })

  it.effect(
    "is loading, without rows, until its source answers; writes wait for that, five seconds at most",
    () => {
      const disk = new Disk()
      const script = saying((_, nth) =>
        nth <= 2 ? { status: 500 } : Effect.as(Effect.sleep("2 seconds"), { body: rowsOf(2) })
      )
      return Effect.gen(function* () {
        const reader = yield* connect(yield* queryOf(["chat"]))
        assert.strictEqual(yield* stateOf(), "loading")
        const failed = yield* Effect.forkChild(Effect.flip(write("chat", "x")))
        yield* advance("5 seconds")
        const exit = failed.pollUnsafe()
        assert.strictEqual(exit?._tag, "Success")
        if (exit?._tag === "Success") {
          assert.deepStrictEqual([exit.value.code, exit.value.retryAfterMs], ["unavailable", 2_000])
          assert.include(exit.value.detail, "status 500")
        }
        assert.strictEqual(yield* stateOf("count"), "loading")
        yield* advance("13 seconds")
        const waits = yield* Effect.forkChild(write("chat", "after"))
        yield* advance("4 seconds")
        assert.strictEqual(waits.pollUnsafe()?._tag, "Success")
        assert.deepStrictEqual(yield* live(), ["m0", "m1", "after"])
        assert.deepStrictEqual([...reader.rows.get("chat")!.keys()].toSorted().slice(1), ["k0", "k1"])
        assert.lengthOf(script.asked, 3)
      }).pipe(onChat(disk, script))
    }
  )

  it.effect("whose daemon is started anew before it is loaded is loaded then", () => {
    const disk = new Disk()
    let isThere = false
    const script = saying(() => (isThere ? { body: rowsOf(5) } : { status: 500 }))
    return Effect.gen(function* () {
      yield* Effect.andThen(advance("3 seconds"), stateOf()).pipe(
        Effect.map((state) => assert.strictEqual(state, "loading")),
        onChat(disk, script)
      )
      isThere = true
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* live(), ["m2", "m3", "m4"])
        assert.lengthOf((yield* history())!, 5)
      }).pipe(onChat(disk, script))
    })
  })

  it.effect("that has been written before there was anything to load stays as it is", () => {
    const disk = new Disk()
    const script = saying(() => ({ body: rowsOf(5) }))
    const config = defineConfig({
      collections: { chat: written({ key: "id", row: Message, retain: { rows: 3 } }) }
    }) as Config
    return Effect.gen(function* () {
      yield* write("chat", "own").pipe(Effect.provide(hubOf(config, script, undefined, layerMemory(disk))))
      yield* Effect.gen(function* () {
        yield* advance("1 minute")
        assert.deepStrictEqual(yield* live(), ["own"])
      }).pipe(onChat(disk, script))
      assert.deepStrictEqual(script.asked, [])
    })
  })

  it.effect("that waits for a source which the next config has not is live, and can be written", () => {
    const disk = new Disk()
    const script = saying(() => ({ status: 500 }))
    const config = defineConfig({ collections: { chat: written({ key: "id", row: Message }) } }) as Config
    return Effect.gen(function* () {
      yield* advance("1 second").pipe(onChat(disk, script))
      yield* Effect.gen(function* () {
        yield* write("chat", "own")
        assert.deepStrictEqual(yield* live(), ["own"])
      }).pipe(Effect.provide(hubOf(config, script, undefined, layerMemory(disk))))
    })
  })

  it.effect(
    "from rows that cannot be read says so, and is read again; one bad row in many is set aside",
    () => {
      const script = saying((_, nth) =>
        nth === 1 ? { body: [...rowsOf(5), { id: 7 }, {}] } : { body: [...rowsOf(20), { id: "k" }] }
      )
      return Effect.gen(function* () {
        const { error, state } = (yield* Hub).board.health("chat")
        assert.deepStrictEqual([state, error?.code], ["loading", "upstream_shape"])
        yield* advance("15 seconds")
        assert.deepStrictEqual([yield* stateOf(), (yield* history())!.length], ["live", 20])
      }).pipe(onChat(new Disk(), script))
    }
  )

  it.effect(
    "with more bad rows than a tenth is loaded once maxBad allows it, and until then says how many",
    () => {
      const disk = new Disk()
      const script = saying(() => ({ body: [...rowsOf(8), { id: "bad" }] }))
      return Effect.gen(function* () {
        yield* Effect.gen(function* () {
          yield* advance("1 hour")
          const { error, state } = (yield* Hub).board.health("chat")
          assert.deepStrictEqual(
            [state, error],
            [
              "loading",
              {
                code: "upstream_shape",
                detail: "1 of 9 rows of the answer could not be read, which is too many."
              }
            ]
          )
        }).pipe(onChat(disk, script))
        yield* Effect.gen(function* () {
          assert.deepStrictEqual(yield* history(), ["m7", "m6", "m5", "m4", "m3", "m2", "m1", "m0"])
        }).pipe(onChat(disk, script, { maxBad: 0.2 }))
      })
    }
  )

  it.effect("newest first, if that is how they come, and no more into history than is kept", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* live(), ["m2", "m1", "m0"])
      yield* advance("1 minute")
      assert.deepStrictEqual(yield* history(), ["m0", "m1", "m2", "m3", "m4"])
    }).pipe(
      onChat(
        new Disk(),
        saying(() => ({ body: rowsOf(8) })),
        { loadFirst: "newest", keep: { rows: 2 } }
      )
    )
  )
})

describe("a family that is loaded", () => {
  it.effect("is asked for each member at its first reader or write, by its id, once", () => {
    const disk = new Disk()
    const script = saying(({ url }) => ({ body: url.endsWith("/chat") ? [] : rowsOf(4) }))
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* touch("support:a b")
        assert.deepStrictEqual(yield* live("support:a b"), ["m1", "m2", "m3"])
        const { isNew } = yield* write("support:7", "edited", "k3")
        assert.isFalse(isNew)
        assert.deepStrictEqual(yield* live("support:7"), ["m1", "m2", "edited"])
        const reader = yield* connect(yield* queryOf(["support:8"]))
        yield* settle
        assert.lengthOf([...reader.rows.get("support:8")!], 3)
        yield* touch("support:8")
        yield* advance("1 hour")
      }).pipe(onChat(disk, script))
      yield* Effect.gen(function* () {
        for (const id of ["7", "8", "a b"]) yield* touch(`support:${id}`)
        yield* advance("1 hour")
        assert.deepStrictEqual(yield* live("support:7"), ["m1", "m2", "edited"])
      }).pipe(onChat(disk, script))
      const db = "http://db/support"
      assert.deepStrictEqual(urlsOf(script), ["http://db/chat", `${db}/a%20b`, `${db}/7`, `${db}/8`])
    })
  })

  it.effect("is tried for a member that fails while somebody wants it, and not for ever", () => {
    const script = saying(({ url }) => (url.endsWith("/chat") ? { body: [] } : { status: 500 }))
    return Effect.gen(function* () {
      yield* touch("support:7")
      yield* advance("30 minutes")
      const asked = script.asked.length
      assert.isAbove(asked, 3)
      assert.deepStrictEqual((yield* Hub).board.health("support:7"), { state: "loading" })
      yield* advance("1 hour")
      assert.strictEqual(script.asked.length, asked)
    }).pipe(onChat(new Disk(), script))
  })

  it.effect(
    "remembers no more members without rows than it should; one that is forgotten is asked for anew",
    () => {
      const script = saying(({ url }) => ({ body: url.endsWith("/full") ? rowsOf(1) : [] }))
      const memory = { tips: 1_000, tombstones: 1_000, idleMembers: 5 }
      return Effect.gen(function* () {
        yield* touch("support:full")
        yield* write("support:was", "x", "k")
        const { write: again } = yield* RateEngine
        yield* again({ op: "delete", collection: "support:was", key: "k" })
        for (let i = 0; i < 20; i++) yield* touch(`support:${i}`)
        const names = [...(yield* Hub).board.names()].filter((name) => name.startsWith("support:"))
        assert.includeMembers(names, ["support:full", "support:was"])
        assert.lengthOf(names, 7)
        const asked = script.asked.length
        yield* touch("support:0")
        yield* touch("support:was")
        assert.strictEqual(script.asked.length, asked + 1)
        assert.deepStrictEqual(yield* live("support:was"), [])
      }).pipe(onChat(new Disk(), script, {}, memory))
    }
  )
})

const silent = () => saying(() => ({ body: rowsOf(2, 100) }))

describe("a function that loads", () => {
  it.effect("is told the collection and the member, and may ask over HTTP", () => {
    const asked: Array<unknown> = []
    const load: Load<Message> = (about) => {
      asked.push(about)
      return about.id === undefined
        ? rowsOf(2)
        : Effect.flatMap(HttpClient.HttpClient, (client) =>
            Effect.as(client.get(`http://db/${about.id}`), rowsOf(1, 7))
          )
    }
    const script = silent()
    return Effect.gen(function* () {
      yield* touch("support:7")
      assert.deepStrictEqual([yield* live(), yield* live("support:7")], [["m0", "m1"], ["m7"]])
      assert.deepStrictEqual(asked, [
        { collection: "chat", id: undefined },
        { collection: "support:7", id: "7" }
      ])
      assert.deepStrictEqual(urlsOf(script), ["http://db/7"])
    }).pipe(onChat(new Disk(), script, { load }))
  })

  it.effect("that throws, fails, answers with what are no rows, or never, is asked again", () => {
    const ways: Array<Load<Message>> = [
      () => {
        throw new Error("broken")
      },
      () => Effect.fail("no"),
      () => Promise.resolve([]) as never,
      () => [{ text: "no key" }] as never,
      () => "rows" as never,
      () => Effect.never,
      () => rowsOf(1)
    ]
    const count = ways.length
    return Effect.gen(function* () {
      assert.strictEqual(yield* stateOf(), "loading")
      yield* advance("10 minutes")
      assert.deepStrictEqual([yield* live(), ways.length], [["m0"], 0])
      assert.strictEqual(count, 7)
    }).pipe(onChat(new Disk(), silent(), { load: (asked) => ways.shift()!(asked) }))
  })
})
