/** Angular's own signals and DestroyRef in Node, and docs/client/angular.md as written in a real Chromium. */
import { computed, Injector, PLATFORM_ID, runInInjectionContext, signal } from "@angular/core"
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"

import { row$, rows$, rowSignal, rowsSignal, status$, statusSignal } from "../../client/Angular.ts"
import { chromium, reason } from "../Browser.ts"
import { market, measured, trade } from "./Market.ts"
import { bundled, filesOf } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"
import { change, snapshot, Stage } from "./Stage.ts"

const second = 1_000
const rows = { a: { id: "a", usd: "1" }, b: { id: "b", usd: "1" } }

/** What injects, and is destroyed. */
const component = (platform = "browser") =>
  Injector.create({ providers: [{ provide: PLATFORM_ID, useValue: platform }] })

describe("signals and Observables", () => {
  let stage: Stage
  beforeEach(() => {
    stage = new Stage()
    stage.greet = (line) => line.say(snapshot(1, rows))
  })
  afterEach(() => stage.leave())

  const begin = () => stage.connect({ roads: ["stream"] })

  it("a signal has the rows, one row, the status, and changes when they do", async () => {
    const cast = begin()
    const owner = component()
    const symbol = signal("a")
    let computedRow = 0
    const { all, one, status } = runInInjectionContext(owner, () => {
      const row = rowSignal(cast.pools, symbol)
      return {
        all: rowsSignal(cast.pools),
        one: computed(() => {
          computedRow++
          return row()?.usd
        }),
        status: statusSignal(cast)
      }
    })
    assert.strictEqual(stage.lines.length, 0)
    assert.deepStrictEqual([all(), one(), status().state], [[], undefined, "connecting"])
    await stage.pass(second)
    assert.deepStrictEqual([all(), one(), status().state], [Object.values(rows), "1", "live"])
    const [before, times] = [all(), computedRow]
    stage.line.say(change(1, 2, { set: { b: { usd: "2" } } }))
    await stage.pass(second)
    one()
    assert.strictEqual(computedRow, times)
    assert.strictEqual(all()[0], before[0])
    assert.strictEqual(all()[1]!.usd, "2")
    symbol.set("b")
    assert.strictEqual(one(), "2")
    stage.line.say(change(2, 3, { set: { b: { usd: "3" } } }))
    await stage.pass(second)
    assert.strictEqual(one(), "3")
    assert.strictEqual(stage.lines.length, 1)
    owner.destroy()
  })

  it("it reads from when it is read until its owner is destroyed, and no longer", async () => {
    const { pools } = begin()
    const owner = component()
    const key = signal("a")
    const row = runInInjectionContext(owner, () => rowSignal(pools, key))
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, 0)
    row()
    await stage.pass(10 * second)
    assert.strictEqual(stage.open.length, 1)
    owner.destroy()
    key.set("b")
    assert.strictEqual(row()!.id, "b")
    await stage.pass(4 * second)
    assert.strictEqual(stage.open.length, 0)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("on a server it is what is held, without a connection", async () => {
    const { pools } = stage.connect({ roads: ["stream"], from: snapshot(1, rows) as never })
    const owner = component("server")
    const row = runInInjectionContext(owner, () => rowSignal(pools, "a"))
    assert.deepStrictEqual(row(), rows.a)
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, 0)
    owner.destroy()
  })

  it("an Observable begins with what is held, has each change once, and reads while it is subscribed", async () => {
    const cast = begin()
    const [usd, sizes, states]: [Array<unknown>, Array<number>, Array<string>] = [[], [], []]
    const subscriptions = [
      row$(cast.pools, "a").subscribe((row) => usd.push(row?.usd)),
      rows$(cast.pools).subscribe(({ length }) => sizes.push(length)),
      status$(cast).subscribe(({ state }) => states.push(state))
    ]
    await stage.pass(second)
    for (const i of [1, 2]) stage.line.say(change(i, i + 1, { set: { a: { usd: `${i + 1}` } } }))
    await stage.pass(second)
    stage.line.say(change(3, 4, { remove: ["b"], state: "stale" }))
    await stage.pass(second)
    assert.deepStrictEqual(usd, [undefined, "1", "3"])
    assert.deepStrictEqual(sizes, [0, 2, 2, 1])
    assert.strictEqual(states.at(-1), "stale")
    for (const subscription of subscriptions) subscription.unsubscribe()
    await stage.pass(4 * second)
    assert.strictEqual(stage.open.length, 0)
  })

  it("cost", async () => {
    market(stage)
    const { pools } = begin()
    const owner = component()
    const all = runInInjectionContext(owner, () => rowsSignal(pools))
    all()
    await stage.pass(second)
    await measured("Angular, rowsSignal", 1, 9, async (i) => {
      trade(stage.line, i)
      await stage.pass(20)
      assert.strictEqual(all()[0]!.usd, `${i}`)
    })
    owner.destroy()
  })
})

describe.skipIf(chromium === undefined)(`docs/client/angular.md in a browser${reason}`, () => {
  const frontend = Frontend.of()

  it("works as written, and leaves nothing behind", async () => {
    const mount = `
      import "@angular/compiler"
      import { bootstrapApplication } from "@angular/platform-browser"
      import { Rates } from "./app.ts"
      globalThis.app = bootstrapApplication(Rates)`
    const files = new Map([...filesOf("angular.md"), ["page.ts", mount]])
    const tab = await frontend.visit(await bundled(files, "page.ts", "browser"), "<app-rates></app-rates>")
    await tab.shows("h1", "live: 1.00 1.10")
    frontend.price("ETH", "4.00")
    await tab.shows("h1", "live: 1.00 4.00")
    assert.deepStrictEqual(await tab.texts("li"), ["BTC 1.20", "ETH 4.00", "TON 1.00"])
    assert.strictEqual(await tab.evaluate("sockets.length"), 1)
    await tab.evaluate("app.then((app) => app.destroy())")
    await tab.holds("the end of it", "sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)")
    assert.deepStrictEqual(tab.complaints, ["Angular is running in development mode."])
  })
})
