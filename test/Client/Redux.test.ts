/** Redux Toolkit Query itself, in Node: docs/client/redux.md as written, and what its endpoints promise. */
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { combineReducers, configureStore } from "@reduxjs/toolkit"
import { createApi, fakeBaseQuery } from "@reduxjs/toolkit/query"

import type { Cast } from "../../client/Cast.ts"
import { entitiesEndpoint, type Failed, rowEndpoint, rowsEndpoint } from "../../client/Redux.ts"
import { patience } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { seeded } from "../Hub/World.ts"
import { market, measured, trade } from "./Market.ts"
import { filesOf, imported } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"
import { type Api, change, type Pool, snapshot, Stage } from "./Stage.ts"

const second = 1_000
const rows = { a: { id: "a", usd: "1" }, b: { id: "b", usd: "1" } }

const makeStore = (cast: Cast<Api, "pools">) => {
  const api = createApi({
    baseQuery: fakeBaseQuery<Failed>(),
    endpoints: (build) => ({
      entities: build.query(entitiesEndpoint(cast.pools)),
      list: build.query(rowsEndpoint(cast.pools)),
      pool: build.query(rowEndpoint(cast.pools))
    })
  })
  const actions: Array<string> = []
  const reducer = combineReducers({ api: api.reducer })
  const store = configureStore({
    reducer: (state: ReturnType<typeof reducer> | undefined, action) => {
      actions.push(action.type)
      return reducer(state, action)
    },
    middleware: (standard) =>
      standard({ immutableCheck: false, serializableCheck: false }).concat(api.middleware)
  })
  return { api, store, actions }
}

describe("endpoints of Redux Toolkit Query", () => {
  let stage: Stage
  beforeEach(() => {
    stage = new Stage()
    stage.greet = (line) => line.say(snapshot(1, rows))
  })
  afterEach(() => stage.leave())

  const begin = () => {
    const cast = stage.connect({ roads: ["stream"] })
    const made = makeStore(cast as Cast<Api, "pools">)
    const { entities, list, pool } = made.api.endpoints
    return {
      ...made,
      cast,
      entities: () => entities.select()(made.store.getState()),
      list: () => list.select()(made.store.getState()),
      pool: (key: string) => pool.select(key)(made.store.getState())
    }
  }

  it("are pending until there are rows, and then have them", async () => {
    stage.greet = () => {}
    const { api, entities, list, pool, store } = begin()
    void store.dispatch(api.endpoints.entities.initiate())
    void store.dispatch(api.endpoints.list.initiate())
    for (const key of ["a", "none"]) void store.dispatch(api.endpoints.pool.initiate(key))
    await stage.pass(5 * second)
    assert.isTrue(entities().isLoading)
    assert.strictEqual(stage.lines.length, 1)
    stage.line.say(snapshot(1, rows))
    await stage.pass(100)
    assert.deepStrictEqual(entities().data, { ids: ["a", "b"], entities: rows })
    assert.deepStrictEqual(list().data, Object.values(rows))
    assert.deepStrictEqual(pool("a").data, rows.a)
    assert.isNull(pool("none").data)
    stage.line.say(change(1, 2, { put: { none: { id: "none" } } }))
    await stage.pass(100)
    assert.deepStrictEqual(pool("none").data, { id: "none" })
    store.dispatch(api.util.resetApiState())
  })

  it("have the changes of a frame as one patch each, and all else stays the same objects", async () => {
    const { actions, api, entities, list, store } = begin()
    void store.dispatch(api.endpoints.entities.initiate())
    void store.dispatch(api.endpoints.list.initiate())
    await stage.pass(100)
    const [before, listed, count] = [entities().data!, list().data!, actions.length]
    for (const i of [1, 2, 3]) stage.line.say(change(i, i + 1, { set: { a: { usd: `${i}0` } } }))
    stage.line.say({ type: "ping", from: "e1-4-abc", cursor: "e1-5-abc", asOf: { pools: 7 } })
    await stage.pass(100)
    assert.strictEqual(actions.slice(count).filter((type) => type.includes("Patched")).length, 2)
    assert.strictEqual(entities().data!.entities["a"]!.usd, "30")
    assert.strictEqual(entities().data!.entities["b"], before.entities["b"])
    assert.strictEqual(entities().data!.ids, before.ids)
    assert.strictEqual(list().data![1], listed[1])
    store.dispatch(api.util.resetApiState())
  })

  it("equal the rows whatever becomes of them, whatever the keys are called", async () => {
    const { api, cast, entities, list, pool, store } = begin()
    stage.greet = (line) =>
      line.say(JSON.parse(JSON.stringify(snapshot(1, rows)).replace('"b":', '"__proto__":')))
    void store.dispatch(api.endpoints.entities.initiate())
    void store.dispatch(api.endpoints.list.initiate())
    const keys = ["a", "__proto__", "c", "constructor", "1"]
    for (const key of keys) void store.dispatch(api.endpoints.pool.initiate(key))
    await stage.pass(100)
    const random = seeded(7)
    for (let i = 1; i < 300; i++) {
      const key = keys[Math.floor(random() * keys.length)]!
      const part =
        random() < 0.4 && cast.pools.get(key)
          ? { remove: [key] }
          : { put: Object.fromEntries([[key, { id: key, usd: `${i}` }]]) }
      stage.line.say(change(i, i + 1, part))
      if (random() < 0.3) continue
      await stage.pass(20)
      const truth = [...cast.pools.keys()].map((key) => [key, cast.pools.get(key)] as const)
      assert.deepStrictEqual(entities().data!.ids, [...cast.pools.keys()])
      assert.sameDeepMembers(Object.entries(entities().data!.entities), truth as never)
      assert.deepStrictEqual(list().data, cast.pools.rows)
      for (const key of keys) assert.strictEqual(pool(key).data, cast.pools.get(key) ?? null)
    }
    assert.strictEqual(stage.lines.length, 1)
    store.dispatch(api.util.resetApiState())
  })

  it("read until the entry is removed, and nothing of them is left then", async () => {
    const { api, store } = begin()
    const asked = [
      store.dispatch(api.endpoints.entities.initiate()),
      store.dispatch(api.endpoints.pool.initiate("a"))
    ]
    await stage.pass(100)
    assert.strictEqual(stage.open.length, 1)
    asked[0]!.unsubscribe()
    await stage.pass(70 * second)
    assert.strictEqual(stage.open.length, 1)
    asked[1]!.unsubscribe()
    await stage.pass(59 * second)
    assert.strictEqual(stage.open.length, 1)
    await stage.pass(6 * second)
    assert.strictEqual(stage.open.length, 0)
    assert.deepStrictEqual(store.getState().api.queries, {})
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("read no more where they are not waited for any longer", async () => {
    stage.greet = () => {}
    const { api, store } = begin()
    const asked = store.dispatch(api.endpoints.list.initiate())
    await stage.pass(second)
    asked.unsubscribe()
    asked.abort()
    await stage.pass(5 * second)
    assert.strictEqual(stage.open.length, 0)
    store.dispatch(api.util.resetApiState())
  })

  it("fail as of fetchBaseQuery where there will be no rows, and go on after a login", async () => {
    stage.greet = (line) => line.end(403, { code: "forbidden", detail: "you may not read pools" })
    const { api, cast, list, store } = begin()
    const asked = store.dispatch(api.endpoints.list.initiate())
    await stage.pass(second)
    const { data, status } = list().error as Failed
    assert.strictEqual(status, 403)
    assert.deepInclude(data, { code: "forbidden", detail: "you may not read pools" })
    assert.strictEqual(Object.getPrototypeOf(list().error), Object.prototype)
    stage.greet = (line) => line.say(snapshot(1, rows))
    cast.reconnect()
    void asked.refetch()
    await stage.pass(second)
    assert.strictEqual(list().data!.length, 2)
    stage.line.say(change(1, 2, { remove: ["a"] }))
    await stage.pass(second)
    assert.strictEqual(list().data!.length, 1)
    store.dispatch(api.util.resetApiState())
  })

  it("cost", async () => {
    market(stage)
    const { api, entities, list, store } = begin()
    const { endpoints } = api
    const asked = store.dispatch(endpoints.list.initiate())
    await stage.pass(second)
    const next = (first: () => Pool) => async (i: number) => {
      trade(stage.line, i)
      await stage.pass(20)
      assert.strictEqual(first().usd, `${i}`)
    }
    await measured(
      "RTK Query, rowsEndpoint",
      1,
      9,
      next(() => list().data![0]!)
    )
    asked.unsubscribe()
    void store.dispatch(endpoints.entities.initiate())
    await stage.pass(61 * second)
    await measured(
      "RTK Query, entitiesEndpoint",
      9,
      17,
      next(() => entities().data!.entities["p0"]!)
    )
    store.dispatch(api.util.resetApiState())
  })
})

describe("docs/client/redux.md", () => {
  const frontend = Frontend.of(false)
  afterEach(() => void vi.unstubAllGlobals())

  interface Recipe {
    readonly api: ReturnType<typeof makeStore>["api"] & {
      readonly endpoints: { readonly [name: string]: { readonly initiate: (key?: string) => never } }
    }
    readonly cast: Cast<{ rates: Pool }>
    readonly store: { readonly getState: () => never; readonly dispatch: (action: never) => unknown }
    readonly sorted: (state: never) => ReadonlyArray<{ readonly symbol: string }>
    readonly rates: {
      readonly selectById: (state: never, id: string) => { readonly usd: string } | undefined
    }
  }

  it("works as written", async () => {
    vi.stubGlobal("location", { href: frontend.url })
    const all = new Map([
      ...filesOf("redux.md"),
      ["all.ts", `export * from "./api.ts"\nexport * from "./store.ts"`]
    ])
    const { api, cast, rates, sorted, store } = await imported<Recipe>(all, "all.ts", frontend.folder)
    store.dispatch(api.endpoints["rates"]!.initiate())
    const usd = () => rates.selectById(store.getState(), "TON")?.usd
    await until("the price", () => usd() === "1.00", patience)
    frontend.price("TON", "3.00")
    await until("the next price", () => usd() === "3.00", patience)
    const symbols = () => sorted(store.getState()).map(({ symbol }) => symbol)
    assert.deepStrictEqual(symbols(), ["BTC", "ETH", "TON"])
    cast.close()
    store.dispatch(api.util.resetApiState() as never)
  })
})
