/** What a start makes of rows that were kept under another config: all of it in one commit, or nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import type { Catalog } from "../../src/Catalog.ts"
import { type Config, defineConfig, derived, polled, source, written } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { advance, type Client, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String })
const Count = Schema.Struct({ id: Schema.String, n: Schema.Finite })
const pools = polled({
  source: source({ url: "http://up/pools", every: "1 second", retries: 0 }),
  key: "id",
  row: Schema.Struct({ id: Schema.String, rate: Schema.Finite })
})
const chatOf = (rows: number) => written({ key: "id", row: Message, retain: { rows } })
const chat = chatOf(10)
type Chat = typeof chat

const times = (by: number) =>
  derived({
    from: { pools },
    key: "id",
    row: Count,
    touches: ({ key }) => [key],
    rowAt: (key, { pools }) => {
      const pool = pools.get(key)
      return pool === undefined ? undefined : { id: key, n: pool.rate * by }
    }
  })
const countOf = (from: Chat | typeof pools, count = (size: number) => size) =>
  derived({
    from: { of: from as Chat },
    key: "id",
    row: Count,
    rows: ({ of }) => [{ key: "all", row: { id: "all", n: count(of.size) } }]
  })
const throws = (): number => {
  throw new Error("never")
}
const configOf = (collections: object) => defineConfig({ collections } as never) as Config
const before = configOf({ pools, chat, times: times(2), count: countOf(chat) })

const rooms = (rows: number) =>
  configOf({
    "room:{id}": written({ key: "id", row: Message, retain: { rows }, pageOutAfter: "1 minute" })
  })
const pairs = (from: object) =>
  derived({
    from: from as { readonly chat: Chat },
    key: "id",
    row: Count,
    rows: ({ chat }) => [{ key: "all", row: { id: "all", n: chat.size } }]
  })

/** A disk on which a first run has left two pools and three messages, and whoever was there then. */
const world = () => {
  const disk = new Disk()
  /** `out`: a part of the URLs that are answered only once. */
  const state = { down: false, out: "nothing", asked: new Set<string>() }
  const script = new Script(({ url }) => {
    if (state.down) return Effect.never
    if (url.includes(state.out) && state.asked.has(url)) return { status: 500 }
    state.asked.add(url)
    return {
      body: [
        { id: "a", rate: 1 },
        { id: "b", rate: 2 }
      ]
    }
  })
  const run = <A, E>(of: Config, body: Effect.Effect<A, E, Hub | Catalog | RateEngine>) =>
    Effect.andThen(settle, body).pipe(
      Effect.provide(hubOf(of, script, undefined, layerMemory(disk)))
    ) as Effect.Effect<A, E>
  const first = Effect.fnUntraced(function* (names: ReadonlyArray<string>, of = before) {
    const client = yield* run(
      of,
      Effect.gen(function* () {
        const client = yield* connect(yield* queryOf(names))
        for (const key of ["x", "y", "z"]) yield* put(key)
        yield* advance("2 seconds")
        return client
      })
    )
    state.down = true
    return client
  })
  return { disk, state, run, first }
}

const put = (key: string) =>
  Effect.flatMap(RateEngine, ({ write }) => write({ op: "put", collection: "chat", key, row: { text: key } }))
const shown = Effect.fnUntraced(function* (name: string) {
  const { board } = yield* Hub
  const { error, state } = board.health(name)
  return [
    error === undefined ? state : `${state} ${error.code}`,
    Object.fromEntries([...board.rows(name)].map(([key, row]) => [key, row["n"] ?? row["text"]]))
  ]
})
const back = Effect.fnUntraced(function* (client: Client, names: ReadonlyArray<string>) {
  client.messages.length = 0
  yield* connect(yield* queryOf(names), { since: client.cursor, client })
  yield* settle
  return client.messages.map(({ collections, type }) => ({ type, collections }))
})
/** How many commits there were since a client left, beside the first of a run, which says that nobody knows what is live. */
const commitsSince = ({ cursor }: Client) =>
  Effect.map(Hub, (hub) => hub.revision() - Number(cursor!.split("-")[1]) - 1)

describe("a start", () => {
  it.effect("has what is derived from what is written, before anything is written", () =>
    world().run(
      configOf({ chat, count: countOf(chat), more: countOf(chat, (n) => n + 1) }),
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* shown("more"), ["live", { all: 1 }])
        assert.strictEqual((yield* Hub).revision(), 1)
      })
    )
  )

  it.effect("takes the rows back that are derived from one more now, which was never read", () => {
    const { first, run, state } = world()
    const slow = polled({ ...pools.options, source: source({ url: "http://up/slow", every: "1 second" }) })
    const of = (from: object) => configOf({ pools, slow, chat, all: pairs({ chat, ...from }) })
    return Effect.gen(function* () {
      state.out = "slow"
      state.asked.add("http://up/slow")
      yield* first(["chat", "all"], of({}))
      yield* run(
        of({ slow }),
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* shown("all"), ["loading upstream_status", {}])
        })
      )
    })
  })

  it.effect("changes nothing either where nothing was ever written", () => {
    const { run } = world()
    const of = configOf({ chat, count: countOf(chat) })
    return Effect.gen(function* () {
      const client = yield* run(of, Effect.flatMap(queryOf(["chat", "count"]), connect))
      yield* run(
        of,
        Effect.gen(function* () {
          assert.strictEqual(yield* commitsSince(client), 0)
          assert.deepStrictEqual(
            (yield* back(client, ["chat", "count"])).map(({ type }) => type),
            ["ping"]
          )
        })
      )
    })
  })

  it.effect("under the same config changes nothing", () => {
    const { first, run } = world()
    return Effect.gen(function* () {
      const names = ["pools", "chat", "times", "count"]
      const client = yield* first(names)
      yield* run(
        before,
        Effect.gen(function* () {
          assert.strictEqual(yield* commitsSince(client), 0)
          const [change, ...more] = yield* back(client, names)
          assert.deepStrictEqual(more, [])
          assert.deepStrictEqual(
            Object.entries(change!.collections!).map(([name, { rows, state }]) => [name, state, rows]),
            [
              ["pools", "stale", undefined],
              ["times", "stale", undefined]
            ]
          )
        })
      )
    })
  })

  it.effect("changes nothing either where one of two upstreams had failed", () => {
    const { first, run, state } = world()
    const stock = polled({
      source: source({ url: "http://up/stock", every: "1 second", retries: 0 }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, rate: Schema.Finite })
    })
    const of = configOf({
      pools,
      stock,
      chat,
      both: derived({
        from: { pools, stock },
        key: "id",
        row: Count,
        rows: ({ pools, stock }) => [{ key: "all", row: { id: "all", n: pools.size + stock.size } }]
      })
    })
    return Effect.gen(function* () {
      state.out = "/stock"
      const client = yield* first(["both"], of)
      yield* run(
        of,
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* shown("both"), ["stale upstream_status", { all: 4 }])
          assert.strictEqual(yield* commitsSince(client), 0)
        })
      )
    })
  })

  it.effect("runs functions that are new or others now, and narrows windows, in one commit", () => {
    const { disk, first, run } = world()
    const chat = chatOf(2)
    const after = configOf({
      pools,
      chat,
      times: times(3),
      count: countOf(chat),
      more: countOf(chat, (n) => n * 10)
    })
    return Effect.gen(function* () {
      const names = ["chat", "times", "count"]
      const client = yield* first(names)
      yield* run(
        after,
        Effect.gen(function* () {
          assert.strictEqual(yield* commitsSince(client), 1)
          assert.deepStrictEqual(yield* shown("chat"), ["live", { y: "y", z: "z" }])
          assert.deepStrictEqual(yield* shown("times"), ["stale", { a: 3, b: 6 }])
          assert.deepStrictEqual(yield* shown("count"), ["live", { all: 2 }])
          assert.deepStrictEqual(yield* shown("more"), ["live", { all: 20 }])
          assert.deepStrictEqual(
            disk.history.map(({ key }) => key),
            ["x"]
          )
          const [change] = yield* back(client, names)
          assert.deepInclude(change!.collections!["chat"]!, { evict: ["x"] })
          assert.deepInclude(change!.collections!["times"]!, { set: { a: { n: 3 }, b: { n: 6 } } })
        })
      )
    })
  })

  it.effect("narrows the windows of members that were paged out as well", () => {
    const { disk, run } = world()
    return Effect.gen(function* () {
      yield* run(
        rooms(10),
        Effect.gen(function* () {
          const { write } = yield* RateEngine
          for (const key of ["x", "y", "z"])
            yield* write({ op: "put", collection: "room:1", key, row: { text: key } })
          yield* advance("5 minutes")
          assert.strictEqual((yield* Hub).pagedOut(), 1)
        })
      )
      yield* run(
        rooms(1),
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* shown("room:1"), ["live", { z: "z" }])
          assert.deepStrictEqual(
            disk.history.map(({ key }) => key),
            ["x", "y"]
          )
        })
      )
    })
  })

  it.effect("goes on past a function that throws, which keeps its rows and says so", () => {
    const { first, run, state } = world()
    const after = configOf({
      pools,
      chat,
      times: times(3),
      count: countOf(chat, throws),
      more: countOf(chat, throws),
      rates: countOf(pools, throws)
    })
    return Effect.gen(function* () {
      yield* first([])
      yield* run(
        after,
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* shown("count"), ["stale upstream_shape", { all: 3 }])
          assert.deepStrictEqual(yield* shown("more"), ["loading upstream_shape", {}])
          assert.deepStrictEqual(yield* shown("rates"), ["loading upstream_shape", {}])
          assert.deepStrictEqual(yield* shown("times"), ["stale", { a: 3, b: 6 }])
        })
      )
      state.down = false
      yield* run(
        after,
        Effect.gen(function* () {
          yield* advance("2 seconds")
          assert.deepStrictEqual((yield* shown("times"))[0], "live")
          yield* put("w")
          assert.strictEqual((yield* Hub).look("chat").rows, 4)
        })
      )
    })
  })

  it.effect("waits for rows that are still to be loaded, or to be polled for the first time", () => {
    const { first, run } = world()
    const loads = written({ key: "id", row: Message, load: source({ url: "http://up/messages" }) })
    return Effect.gen(function* () {
      yield* first([], configOf({ chat, count: pairs({ chat }) }))
      yield* run(
        configOf({ chat, loads, pools, count: pairs({ chat, pools }), more: pairs({ chat: loads }) }),
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* shown("loads"), ["loading", {}])
          assert.deepStrictEqual(yield* shown("more"), ["loading", {}])
          // Nothing can be made of one input alone.
          assert.deepStrictEqual(yield* shown("count"), ["loading", {}])
        })
      )
    })
  })
})
