/** One connection for all tabs of a browser: by itself, and in a real Chromium over HTTP/1.1. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { SignJWT } from "jose"

import { type Message, type SnapshotMessage } from "../../client/Cast.ts"
import { share } from "../../client/Share.ts"
import { chromium, isThorough, reason } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { sleep } from "../Http/Market.ts"
import type { Tab } from "../Tab.ts"
import { bundled, filesOf } from "./Recipes.ts"
import { read } from "./Site.ts"
import { siteOf } from "./SiteOf.ts"
import { change, cursor, snapshot, Stage } from "./Stage.ts"
import { Tabs } from "./Tabs.ts"

const secret = "s".repeat(32)
const options = `share: share()`
const snapshots = (tab: Tab) => tab.evaluate<number>("snapshots")
/** From now on. */
const noteStates = (tab: Tab) => tab.evaluate("states.length = 0")
const states = async (tab: Tab) => new Set(await tab.evaluate<ReadonlyArray<string>>("states"))

const token = (sub: string, more: object = {}) =>
  new SignJWT({ sub, ratecast: { read: ["*"] }, ...more })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuedAt()
    .setJti(String(Math.random()))
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secret))

/** Who has the lock: known by another one that they hold. */
const leader = async (tabs: ReadonlyArray<Tab>): Promise<Tab> => {
  await Promise.all(
    tabs.map((tab, i) => tab.evaluate(`navigator.locks.request("tab ${i}", () => new Promise(() => {})), 0`))
  )
  const { held } = await tabs[0]!.evaluate<{ held: ReadonlyArray<{ name: string; clientId: string }> }>(
    "navigator.locks.query()"
  )
  const { clientId } = held.find(({ name }) => name.startsWith("ratecast "))!
  const mine = held.find((lock) => lock.clientId === clientId && lock.name.startsWith("tab "))!
  return tabs[Number(mine.name.slice(4))]!
}

/** The same, as another server may write it. */
const reversed = (message: Message) => Object.fromEntries(Object.entries(message).toReversed()) as never

describe("tabs that share, on the test's clock,", () => {
  let stage: Stage
  let tabs: Tabs
  beforeEach(() => {
    stage = new Stage()
    tabs = new Tabs()
  })
  afterEach(() => stage.leave())

  const open = (count: number, from?: SnapshotMessage) =>
    Array.from({ length: count }, () => {
      const cast = stage.connect({ share: share(), from })
      cast.subscribe(() => {})
      return cast
    })
  const close = (casts: ReturnType<typeof open>) => {
    for (const cast of casts) cast.close()
  }

  const asked = () => tabs.told.filter((message) => "asker" in message).length

  it("wait together for a slow server when all are opened at once", async () => {
    tabs.grantTakes = 30
    stage.greet = (line) => void setTimeout(() => line.say(snapshot(1, { a: { id: "a", usd: "1" } })), 6_000)
    const casts = open(8)
    await stage.pass(6_100)
    assert.deepStrictEqual(
      casts.map(({ pools }) => pools.get("a")?.usd),
      casts.map(() => "1")
    )
    assert.strictEqual(stage.lines.length, 1)
    assert.strictEqual(tabs.steals, 0)
    close(casts)
  })

  it("know a message by its type, wherever in it that stands", async () => {
    const old = snapshot(1, { a: { id: "a", usd: "1" } }) as SnapshotMessage
    const casts = [...open(1), ...open(2, old)]
    await stage.pass(100)
    const before = asked()
    stage.line.say(reversed(snapshot(5, { a: { id: "a", usd: "5" } })))
    await stage.pass(10)
    for (const { pools, status } of casts) {
      assert.strictEqual(pools.get("a")!.usd, "5")
      assert.strictEqual(status.cursor, cursor(5))
    }
    assert.strictEqual(asked(), before)
    // Rows may say anything.
    stage.line.say(change(5, 6, { put: { b: { id: "b", type: "goodbye" } } }))
    await stage.pass(10)
    for (const { pools } of casts) assert.strictEqual(pools.rows.length, 2)
    stage.line.say(reversed({ type: "goodbye", code: "restart", retryAfterMs: 20_000 }))
    await stage.pass(19_000)
    // What the server has asked for is asked of all.
    assert.strictEqual(stage.lines.length, 1)
    await stage.pass(5_000)
    assert.strictEqual(stage.open.length, 1)
    close(casts)
  })
})

describe.skipIf(chromium === undefined)(`tabs that share${reason}`, { timeout: 60_000 }, () => {
  const site = siteOf({ JWT_SECRET: secret })

  const open = async (count: number, more = options): Promise<ReadonlyArray<Tab>> => {
    const tabs = [await site.reading(more)]
    while (tabs.length < count) {
      const tab = await site.visit("/", undefined, tabs[0])
      await read(tab, more)
      tabs.push(tab)
    }
    return tabs
  }
  it("have one connection, eight of them, and all have the server's rows", async () => {
    const tabs = await open(8)
    await site.isRight(tabs)
    for (const tab of tabs) {
      assert.strictEqual(await snapshots(tab), 1)
      assert.strictEqual(await tab.evaluate("cast.status.state"), "live")
    }
  })

  it("are as easy as the docs say", async () => {
    const script = await bundled(filesOf("share.md"), "share.ts", "browser", "iife")
    const first = await site.visit()
    const tabs = [first, await site.visit("/", undefined, first), await site.visit("/", undefined, first)]
    for (const tab of tabs) await tab.evaluate(script)
    await site.change()
    for (const tab of tabs) await tab.holds("the price", `document.title === "${site.price}"`)
    await site.has(1)
  })

  it("go on by another when the leader is closed, from where they are", async () => {
    const tabs = await open(4)
    const first = await leader(tabs)
    const left = tabs.filter((tab) => tab !== first)
    await Promise.all(left.map(noteStates))
    await first.close()
    await site.isRight(left, 1, 2_000)
    for (const tab of left) {
      assert.strictEqual(await snapshots(tab), 1)
      // A tab in the background is told within a second.
      await until("to be told", async () => (await states(tab)).size > 0)
      assert.deepStrictEqual([...(await states(tab))], ["live"])
    }
  })

  it("go on by another when the leader's process is killed", async () => {
    const tabs = await open(3)
    const first = await leader(tabs)
    void first.call("Page.crash").catch(() => {})
    const left = tabs.filter((tab) => tab !== first)
    await site.isRight(left, 1, 5_000)
    for (const tab of left) assert.strictEqual(await snapshots(tab), 1)
  })

  it("go on by another when the leader is frozen, and have it back when it is thawed", async () => {
    const tabs = await open(3)
    const first = await leader(tabs)
    await first.call("Page.setWebLifecycleState", { state: "frozen" })
    const left = tabs.filter((tab) => tab !== first)
    await site.isRight(left, 1, 2_000)
    await first.call("Page.setWebLifecycleState", { state: "active" })
    await site.isRight(tabs, 1, 3_000)
    for (const tab of left) assert.strictEqual(await snapshots(tab), 1)
  })

  it("go on by another when the leader goes elsewhere, and have it back when it comes back", async () => {
    const tabs = await open(3)
    const first = await leader(tabs)
    await first.evaluate("addEventListener('pageshow', (e) => { globalThis.persisted = e.persisted })")
    await first.call("Page.navigate", { url: `${site.cable.url}/other.html` })
    await first.holds("the other page", `document.title === "other"`)
    await site.isRight(
      tabs.filter((tab) => tab !== first),
      1,
      2_000
    )
    await first.evaluate("history.back()")
    await first.holds("the page", `document.title === "index" && globalThis.persisted === true`)
    await site.isRight(tabs, 1, 3_000)
  })

  it.skipIf(!isThorough)("take the lock from a leader that hangs", { timeout: 120_000 }, async () => {
    const tabs = await open(3)
    const first = await leader(tabs)
    void first
      .evaluate("(() => { const end = Date.now() + 25_000; while (Date.now() < end) {} })()")
      .catch(() => {})
    await sleep(1_000)
    // A newcomer notices first.
    const late = await site.visit("/", undefined, tabs[1])
    await read(late, options)
    const left = [...tabs.filter((tab) => tab !== first), late]
    await site.isRight(left, 2, 15_000)
    await sleep(20_000)
    await site.isRight([...left, first], 1, 20_000)
  })

  it.skipIf(!isThorough)("notice within 45 s that the leader hangs", { timeout: 120_000 }, async () => {
    // Only the last is looked at: the others rest meanwhile.
    const tabs = await open(2)
    const [first, last] = tabs as [Tab, Tab]
    assert.strictEqual(await leader(tabs), first)
    void first
      .evaluate("(() => { const end = Date.now() + 60_000; while (Date.now() < end) {} })()")
      .catch(() => {})
    await site.isRight(last, 2, 45_000)
    await sleep(20_000)
    await site.isRight(last)
    assert.strictEqual(await snapshots(last), 1)
  })

  it.skipIf(!isThorough)("lose the server together, and are back together", async () => {
    const tabs = await open(4)
    await site.daemon.close()
    await sleep(500)
    await site.serve()
    await site.isRight(tabs, 1)
    // Who is back later is told by the leader what it holds.
    for (const tab of tabs) assert.isAtMost(await snapshots(tab), 2)
  })

  it.skipIf(!isThorough)("lose the network together, and are back together", async () => {
    const tabs = await open(4)
    site.cable.pull()
    await sleep(3_000)
    for (const tab of tabs) assert.strictEqual(await tab.evaluate("cast.status.state"), "stale")
    site.cable.plug()
    await site.isRight(tabs, 1)
  })

  it.skipIf(!isThorough)(
    "of one who asks for something else, or for somebody else, have connections of their own",
    async () => {
      const [ana, again, ben] = await Promise.all([token("ana"), token("ana"), token("ben")])
      const first = await site.reading(`${options}, token: "${ana}"`)
      const others: Array<Tab> = []
      for (const [more, connections] of [
        [`${options}, token: "${again}"`, 1],
        [`${options}, token: "${ben}"`, 2],
        [`${options}, token: "${await token("ana", { ratecast: { read: ["rates", "chat"] } })}"`, 3],
        [options, 4],
        [`share: share("ana")`, 5],
        [`${options}, query: { keys: "TON" }, collections: ["rates"]`, 6]
      ] as const) {
        const tab = await site.visit("/", undefined, first)
        await read(tab, more)
        others.push(tab)
        await sleep(300)
        await site.has(connections)
      }
      await site.isRight([first, ...others.slice(0, 5)], 6)
    }
  )

  it("that have no locks, as on a page that is not secure, have connections of their own", async () => {
    const first = await site.reading(options)
    const tab = await site.visit("/", undefined, first)
    await tab.evaluate(`Object.defineProperty(navigator, "locks", { value: undefined })`)
    await read(tab, options)
    await site.isRight([first, tab], 2)
  })
})
