/** Rows of the last visit: what is kept and what is not, by itself and in a real Chromium. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import { type SnapshotMessage } from "../../client/Cast.ts"
import { forget, type Keep, persisted, type PersistOptions } from "../../client/Persist.ts"
import { chromium, reason } from "../Browser.ts"
import { bundled, filesOf } from "./Recipes.ts"
import { siteOf } from "./SiteOf.ts"
import { type Api, change, cursor, snapshot, Stage } from "./Stage.ts"

const second = 1_000

/** As `localStorage`, with a quota. */
class Shelf implements Keep {
  readonly all = new Map<string, string>()
  quota = Infinity
  get length() {
    return this.all.size
  }
  key(index: number) {
    return [...this.all.keys()][index] ?? null
  }
  getItem(key: string) {
    return this.all.get(key) ?? null
  }
  setItem(key: string, value: string) {
    if (value.length > this.quota) throw new DOMException("full", "QuotaExceededError")
    this.all.set(key, value)
  }
  removeItem(key: string) {
    this.all.delete(key)
  }
}

describe("what is kept", () => {
  let stage: Stage
  let storage: Shelf
  const reports: Array<unknown> = []
  beforeEach(() => {
    stage = new Stage().asPage()
    stage.greet = (line) => line.say(snapshot(1, { a: { id: "a", usd: "1" } }))
    storage = new Shelf()
    reports.length = 0
  })
  afterEach(() => stage.leave())

  const visit = (options: Partial<PersistOptions> = {}, more: object = {}) =>
    persisted<Api, "pools">(
      "https://cast.test",
      { collections: ["pools"], ...more },
      { as: "ana", storage, report: (error) => reports.push(error), ...options }
    )
  /** Reads for a while, and leaves. */
  const stay = async (options: Partial<PersistOptions> = {}, more: object = {}) => {
    const cast = visit(options, more)
    cast.subscribe(() => {})
    await stage.pass(second)
    cast.close()
  }
  const shown = (options: Partial<PersistOptions> = {}, more: object = {}) =>
    visit(options, more).pools.get("a")?.usd

  /** What is reported while a page reads, and is left. */
  const reads = async (options: Partial<PersistOptions>) => {
    const cast = visit(options)
    cast.subscribe(() => {})
    await stage.pass(second)
    assert.strictEqual(cast.pools.get("a")!.usd, "1")
    stage.page.dispatch("pagehide")
    cast.close()
    return reports.splice(0).map((error) => (error as Error).name)
  }

  it("is shown at the next visit as stale, and gone on with from its cursor", async () => {
    await stay()
    stage.greet = () => {}
    const cast = visit()
    assert.strictEqual(cast.pools.get("a")!.usd, "1")
    assert.strictEqual(cast.status.state, "stale")
    cast.subscribe(() => {})
    await stage.pass(100)
    assert.strictEqual(stage.line.query.get("since"), cursor(1))
    stage.line.say(change(1, 2, { set: { a: { usd: "2" } } }))
    assert.strictEqual(cast.status.state, "live")
    assert.strictEqual(cast.pools.get("a")!.usd, "2")
    cast.close()
  })

  it("is written every 10 s at most, and when the page is hidden or left", async () => {
    const cast = visit()
    cast.subscribe(() => {})
    await stage.pass(second)
    assert.strictEqual(storage.length, 0)
    const kept = () => /"cursor":"([^"]+)"/.exec([...storage.all.values()][0] ?? "")?.[1]
    let at = 1
    const next = () => {
      stage.line.say(change(at, ++at, { set: { a: { usd: String(at) } } }))
      return stage.pass(second)
    }
    for (let i = 0; i < 11; i++) await next()
    const first = kept()
    assert.isDefined(first)
    for (let i = 0; i < 5; i++) await next()
    assert.strictEqual(kept(), first)
    stage.hide(true)
    assert.strictEqual(kept(), cursor(at))
    await next()
    stage.page.dispatch("pagehide")
    assert.strictEqual(kept(), cursor(at))
    cast.close()
  })

  it("is not what is read while the page sleeps, which is not all of one cursor", async () => {
    stage.greet = (line) => {
      const names = line.query.get("collections")!.split(",")
      line.say({
        ...snapshot(names.length === 2 ? 1 : 5, {}),
        collections: Object.fromEntries(
          names.map((name) => [name, { state: "live", rows: { a: { id: "a" } } }])
        )
      } as SnapshotMessage)
    }
    const both = { collections: ["pools", "toasts"], keepAlive: ["toasts"], roads: ["stream"] }
    const cast = visit({}, both)
    cast.subscribe(() => {})
    await stage.pass(second)
    stage.hide(true)
    const before = [...storage.all.values()]
    await stage.pass(40 * second)
    assert.strictEqual(stage.line.query.get("collections"), "toasts")
    cast.close()
    assert.deepStrictEqual([...storage.all.values()], before)
    assert.include(before[0], cursor(1))
  })

  it("is nobody else's: of another reader, query, address", async () => {
    await stay()
    assert.strictEqual(shown(), "1")
    assert.isUndefined(shown({ as: "ben" }))
    assert.isUndefined(shown({}, { query: { where: "type:stable" } }))
    const elsewhere = persisted<Api, "pools">(
      "https://other.test",
      { collections: ["pools"] },
      { as: "ana", storage }
    )
    assert.isUndefined(elsewhere.pools.get("a"))
    forget(storage)
    assert.strictEqual(storage.length, 0)
  })

  it("is ignored and dropped where it is old, damaged, or of another format", async () => {
    await stay()
    const [[key, value]] = [...storage.all] as [[string, string]]
    const text = value.slice(value.indexOf(" ") + 1)
    const message = JSON.parse(text) as object
    const now = Date.now()
    for (const bad of [
      "",
      " ",
      "x",
      text,
      value.slice(0, -1),
      `${now} null`,
      `${now} []`,
      `${now} {}`,
      `${now} ${JSON.stringify({ ...message, cursor: 5 })}`,
      `${now} ${JSON.stringify({ ...message, type: "change" })}`,
      `${now} ${JSON.stringify({ ...message, collections: { pools: {} } })}`,
      `${now} ${JSON.stringify({ ...message, collections: { pools: { rows: { a: null } } } })}`,
      `${now} ${JSON.stringify({ ...message, collections: { pools: null } })}`
    ]) {
      storage.all.set(key, bad)
      assert.isUndefined(shown(), bad)
      assert.strictEqual(storage.length, bad === "" ? 1 : 0, bad)
    }
    storage.all.clear()
    storage.all.set(key, value)
    assert.strictEqual(shown(), "1")
    await stage.pass(25 * 3_600 * second)
    assert.isUndefined(shown())
    assert.strictEqual(storage.length, 0)
    assert.deepStrictEqual(reports, [])
  })

  it("is bounded: too many characters and a full quota are told once, and what was there stays whole", async () => {
    await stay()
    const [value] = [...storage.all.values()]
    storage.quota = 10
    stage.greet = (line) => line.say(snapshot(9, { a: { id: "a", usd: "9" } }))
    const cast = visit()
    cast.subscribe(() => {})
    await stage.pass(second)
    stage.hide(true)
    stage.hide(false)
    stage.line.say(change(9, 10, { set: { a: { usd: "10" } } }))
    cast.close()
    assert.deepStrictEqual(
      reports.map((error) => (error as Error).name),
      ["QuotaExceededError"]
    )
    assert.strictEqual([...storage.all.values()][0], value)
    await stay({ maxLength: 100 })
    assert.match(String(reports[1]), /characters of rows are more than maxLength, 100/)
    assert.strictEqual(storage.length, 0)
  })

  it("is of so many queries, the oldest goes", async () => {
    storage.all.set("mine", "stays")
    for (const as of ["a", "b", "c", "d", "e"]) {
      await stay({ as, maxEntries: 3 })
      await stage.pass(second)
    }
    assert.deepStrictEqual(
      [...storage.all.keys()].map((key) => /test","(.)"/.exec(key)?.[1] ?? key),
      ["mine", "c", "d", "e"]
    )
  })

  it("is gone after a logout, though the page is still there, is left, and is closed", async () => {
    const before = visit()
    before.subscribe(() => {})
    await stage.pass(second)
    stage.hide(true)
    assert.strictEqual(storage.length, 1)
    forget(storage)
    stage.line.say(change(1, 2, { set: { a: { usd: "2" } } }))
    stage.page.dispatch("pagehide")
    await stage.pass(11 * second)
    stage.line.say(change(2, 3, { set: { a: { usd: "3" } } }))
    await stage.pass(second)
    assert.strictEqual(storage.length, 0)
    // Whoever logs in next, without another page.
    await stay({ as: "ben" })
    before.close()
    assert.strictEqual(storage.length, 1)
    assert.strictEqual(shown({ as: "ben" }), "1")
  })

  it("is nothing where storage is forbidden or broken: rows are the server's, and that is told once", async () => {
    Object.defineProperty(globalThis, "localStorage", {
      configurable: true,
      get: () => {
        throw new DOMException("The operation is insecure.", "SecurityError")
      }
    })
    try {
      assert.deepStrictEqual(await reads({ storage: undefined as never }), ["SecurityError"])
      forget()
    } finally {
      Reflect.deleteProperty(globalThis, "localStorage")
    }
    storage.getItem = () => {
      throw new DOMException("damaged", "UnknownError")
    }
    assert.deepStrictEqual(await reads({}), ["UnknownError"])
  })

  it("goes where the server says that one may not read any more", async () => {
    await stay()
    stage.greet = (line) => line.end(line.road === "socket" ? 4403 : 403)
    await stay()
    assert.strictEqual(storage.length, 0)
  })
})

describe.skipIf(chromium === undefined)(`the next visit${reason}`, { timeout: 60_000 }, () => {
  const site = siteOf()

  it("shows rows without a server, as stale, and goes on when it is there", async () => {
    const script = await bundled(filesOf("persist.md"), "persist.ts", "browser", "iife")
    const first = await site.visit()
    await first.evaluate(script)
    await first.holds("rows", `document.title.endsWith(" live")`)
    await site.change()
    await first.holds("the price", `document.title === "${site.price} live"`)
    const was = site.price
    await first.call("Page.navigate", { url: `${site.cable.url}/other.html` })
    await first.holds("the other page", `document.title === "other"`)
    await site.has(0)
    await site.change()
    const second = await site.visit("/other.html", undefined, first)
    site.cable.pull()
    // A script of the page, as in its own scope.
    await second.evaluate(script)
    assert.strictEqual(await second.evaluate("document.title"), `${was} stale`)
    site.cable.plug()
    await second.holds("the server's price", `document.title === "${site.price} live"`)
  })

  it("is the server's rows again, with the cursor of the last one", async () => {
    const options = `{ collections: ["rates", "chat"], interval: "50ms", trace: (text) => { snapshots += JSON.parse(text).type === "snapshot" } }, { as: "" }`
    const begin = `globalThis.snapshots = 0; globalThis.cast = persisted("/", ${options}); cast.subscribe(() => {}); cast.ready()`
    const tab = await site.visit()
    await tab.evaluate(begin)
    await site.isRight(tab)
    for (let i = 0; i < 3; i++) {
      await tab.call("Page.reload")
      await tab.holds("the client", `typeof connect === "function" && globalThis.cast === undefined`)
      await tab.evaluate(begin)
      await site.isRight(tab)
      assert.strictEqual(await tab.evaluate("snapshots"), 0)
    }
    await tab.evaluate("forget()")
    assert.strictEqual(await tab.evaluate("localStorage.length"), 0)
  })
})
