/** TanStack Query itself: docs/client/tanstack-query.md as written, and what its options promise. */
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { dehydrate, focusManager, hydrate, QueryClient, QueryObserver } from "@tanstack/query-core"

import type { CastError } from "../../client/Cast.ts"
import { rowOptions, rowsOptions } from "../../client/TanstackQuery.ts"
import { chromium, reason } from "../Browser.ts"
import { market, measured, trade } from "./Market.ts"
import { bundled, filesOf } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"
import { change, cursor, snapshot, Stage } from "./Stage.ts"

const second = 1_000
const rows = { a: { id: "a", usd: "1" }, b: { id: "b", usd: "1" } }

describe("options of TanStack Query", () => {
  let stage: Stage
  let client: QueryClient
  beforeEach(() => {
    stage = new Stage()
    stage.greet = (line) => {
      const since = line.query.get("since")
      line.say(since === null ? snapshot(1, rows) : { type: "ping", from: since, cursor: since })
    }
    client = new QueryClient()
    client.mount()
  })
  afterEach(() => {
    client.unmount()
    client.clear()
    stage.leave()
  })

  const begin = () => stage.connect({ roads: ["stream"] })
  type Pools = ReturnType<typeof begin>["pools"]
  /** As a component: what it is told, and how it leaves. */
  const observe = (pools: Pools, queries = client) => {
    const observer = new QueryObserver(queries, rowsOptions(pools))
    let told = 0
    const leave = observer.subscribe(() => told++)
    return { leave, told: () => told, result: () => observer.getCurrentResult() }
  }

  it("are pending until there are rows, then have them, and what becomes of them, once a frame", async () => {
    stage.greet = () => {}
    const { pools } = begin()
    const { leave, result, told } = observe(pools)
    const one = new QueryObserver(client, rowOptions(pools, "a"))
    const leaveOne = one.subscribe(() => {})
    await stage.pass(5 * second)
    assert.isTrue(result().isPending)
    stage.line.say(snapshot(1, rows))
    await stage.pass(100)
    assert.deepStrictEqual(result().data, Object.values(rows))
    assert.deepStrictEqual(one.getCurrentResult().data, rows.a)
    const [before, count] = [result().data!, told()]
    for (const i of [1, 2, 3]) stage.line.say(change(i, i + 1, { set: { a: { usd: `${i}0` } } }))
    stage.line.say({ type: "ping", from: cursor(4), cursor: cursor(5), asOf: { pools: 7 } })
    await stage.pass(100)
    assert.strictEqual(told(), count + 1)
    assert.strictEqual(result().data![0]!.usd, "30")
    assert.strictEqual(result().data![1], before[1])
    assert.strictEqual(one.getCurrentResult().data!.usd, "30")
    stage.line.say(change(5, 6, { remove: ["a"] }))
    await stage.pass(100)
    assert.isNull(one.getCurrentResult().data)
    assert.strictEqual(stage.lines.length, 1)
    leave()
    leaveOne()
  })

  it("read while they are observed, and go on from the cursor when they are again", async () => {
    const { pools } = begin()
    const first = observe(pools)
    await stage.pass(second)
    const other = observe(pools)
    first.leave()
    await stage.pass(10 * second)
    assert.strictEqual(stage.open.length, 1)
    // As StrictMode does.
    other.leave()
    const again = observe(pools)
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, 1)
    stage.line.say(change(1, 2, { set: { a: { usd: "2" } } }))
    await stage.pass(second)
    assert.strictEqual(again.result().data![0]!.usd, "2")
    again.leave()
    await stage.pass(4 * second)
    assert.strictEqual(stage.open.length, 0)
    const late = observe(pools)
    assert.strictEqual(late.result().data![0]!.usd, "2")
    await stage.pass(second)
    assert.strictEqual(stage.line.query.get("since"), cursor(2))
    stage.line.say(change(2, 3, { set: { a: { usd: "3" } } }))
    await stage.pass(second)
    assert.strictEqual(late.result().data![0]!.usd, "3")
    late.leave()
  })

  it("are not fetched again while they are live, by focus, by another observer, or in vain", async () => {
    const { pools } = begin()
    const { leave, result } = observe(pools)
    await stage.pass(second)
    const key = rowsOptions(pools).queryKey
    const fetches: Array<string> = []
    const stop = client.getQueryCache().subscribe((event) => {
      if (event.type === "updated" && event.action.type === "fetch") fetches.push(event.action.type)
    })
    focusManager.setFocused(false)
    focusManager.setFocused(true)
    const other = observe(pools)
    await stage.pass(second)
    assert.isFalse(result().isStale)
    assert.deepStrictEqual(fetches, [])
    await client.invalidateQueries({ queryKey: key })
    assert.deepStrictEqual(fetches, ["fetch"])
    const before = client.getQueryState(key)!.dataUpdateCount
    stage.line.say(change(1, 2, { set: { a: { usd: "2" } } }))
    await stage.pass(second)
    assert.strictEqual(client.getQueryState(key)!.dataUpdateCount, before + 1)
    focusManager.setFocused(undefined)
    stop()
    leave()
    other.leave()
  })

  it("what nobody observes reads until it has rows; what a server has fetched goes on", async () => {
    const { pools } = begin()
    const server = new QueryClient()
    const prefetched = server.prefetchQuery(rowsOptions(pools))
    await stage.pass(second)
    await prefetched
    await stage.pass(4 * second)
    assert.strictEqual(stage.open.length, 0)
    assert.deepStrictEqual(server.getQueryData(rowsOptions(pools).queryKey), Object.values(rows))
    hydrate(client, JSON.parse(JSON.stringify(dehydrate(server))))
    server.clear()
    stage.greet = (line) => line.say(snapshot(5, { a: { id: "a", usd: "5" } }))
    const page = stage.connect({ roads: ["stream"] }).pools
    const { leave, result } = observe(page)
    assert.strictEqual(result().data![0]!.usd, "1")
    await stage.pass(second)
    stage.line.say(change(5, 6, { set: { a: { usd: "6" } } }))
    await stage.pass(second)
    assert.strictEqual(result().data![0]!.usd, "6")
    leave()
  })

  it("fail with the problem of the server, and go on after a login", async () => {
    stage.greet = (line) => line.end(403, { code: "forbidden", detail: "you may not read pools" })
    const cast = begin()
    const { leave, result } = observe(cast.pools)
    await stage.pass(second)
    const { code, message, status } = result().error as CastError
    assert.deepStrictEqual(
      { code, message, status },
      { code: "forbidden", message: "you may not read pools", status: 403 }
    )
    stage.greet = (line) => line.say(snapshot(1, rows))
    cast.reconnect()
    void result().refetch()
    await stage.pass(second)
    assert.strictEqual(result().data!.length, 2)
    leave()
  })

  it("leave nothing where they are left while they are pending, or removed while they are live", async () => {
    stage.greet = () => {}
    const { pools } = begin()
    const first = observe(pools)
    await stage.pass(second)
    first.leave()
    await stage.pass(5 * second)
    assert.strictEqual(stage.open.length, 0)
    stage.greet = (line) => line.say(snapshot(1, rows))
    const { leave } = observe(pools)
    await stage.pass(second)
    assert.strictEqual(stage.open.length, 1)
    client.clear()
    await stage.pass(5 * second)
    assert.strictEqual(stage.open.length, 0)
    leave()
    client.unmount()
    await stage.pass(600 * second)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("cost", async () => {
    market(stage)
    const { leave, result } = observe(begin().pools)
    await stage.pass(second)
    await measured("TanStack Query", 1, 9, async (i) => {
      trade(stage.line, i)
      await stage.pass(20)
      assert.strictEqual(result().data![0]!.usd, `${i}`)
    })
    leave()
  })
})

describe.skipIf(chromium === undefined)(`docs/client/tanstack-query.md in a browser${reason}`, () => {
  const frontend = Frontend.of()

  it("works as written", async () => {
    const mount = `
      import { StrictMode } from "react"
      import { createRoot } from "react-dom/client"
      import { App } from "./Rates.tsx"
      createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>)`
    const files = new Map([...filesOf("tanstack-query.md"), ["page.tsx", mount]])
    const tab = await frontend.visit(await bundled(files, "page.tsx", "browser"))
    await tab.shows("li:nth-child(3)", "TON 1.00")
    frontend.price("TON", "9.00")
    await tab.shows("li:nth-child(3)", "TON 9.00")
    assert.strictEqual(await tab.evaluate("sockets.length"), 1)
    assert.deepStrictEqual(tab.complaints, [])
  })
})
