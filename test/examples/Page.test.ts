/**
 * The demo page. Its protocol half runs here, held against test/Held.ts and against messages made to hurt; the whole of
 * it in a real browser, where there is one: Chromium, and `playwright-core` to drive it, which is no dependency of ours.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"

import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it, vi } from "@effect/vitest"

import { startSimulator } from "../../examples/dex/simulator.ts"
import { freePort, until } from "../Daemon.ts"
import { canonicalText, Held } from "../Held.ts"

type Row = Map<string, unknown>

interface Collection {
  readonly state: string
  readonly error: { readonly code: string } | undefined
  readonly asOf: number | undefined
  readonly rows: Map<string, Row>
}

interface Receipt {
  readonly type: string
  readonly outcome: "applied" | "ignored" | "again"
  readonly size: number
  readonly rows: number
  readonly fields: number
  readonly touched: Map<string, "all" | Set<string>>
}

interface Cast {
  readonly cursor: string | undefined
  readonly collections: Map<string, Collection>
  readonly take: (text: string) => Receipt
  readonly pass: (cursor: string) => void
}

interface RoadEvents {
  readonly cursor: () => string | undefined
  readonly message: (text: string) => void
  readonly nothing: (cursor: string) => void
  readonly failure: (failure: { readonly final?: boolean; readonly retryAfterMs?: number }) => void
}

interface Connection {
  readonly state: { readonly kind: string; readonly at?: number; readonly code?: string }
  readonly open: (options?: { readonly road?: string; readonly interval?: string }) => void
  readonly wake: () => void
}

const root = join(import.meta.dirname, "../..")
const load = (name: string) => import(join(root, "examples/dex/page", name))

const { Cast } = (await load("cast.js")) as { readonly Cast: new () => Cast }
const { Connection } = (await load("connection.js")) as {
  readonly Connection: new (options: object) => Connection
}
const { RawCost, readMetrics } = (await load("metrics.js")) as {
  readonly RawCost: new () => { readonly total: number; readonly add: (sources: unknown) => void }
  readonly readMetrics: (text: string) => { readonly readers?: number; readonly sources: unknown }
}
const format = (await load("format.js")) as {
  readonly [name: string]: (value: number) => string
}

const snapshot = (cursor: string, collections: object) =>
  JSON.stringify({ type: "snapshot", cursor, reason: "initial", at: 1, collections })
const change = (from: string, cursor: string, collections: object) =>
  JSON.stringify({ type: "change", from, cursor, commits: 1, at: 2, collections })
const ping = (from: string, cursor: string, asOf = {}) =>
  JSON.stringify({ type: "ping", from, cursor, at: 3, interval: 15_000, asOf })

const held = (cast: Cast, name = "a") =>
  Object.fromEntries(
    [...(cast.collections.get(name)?.rows ?? [])].map(([key, row]) => [key, Object.fromEntries(row)])
  )

const started = (rows: object) => {
  const cast = new Cast()
  assert.strictEqual(cast.take(snapshot("e-1-x", { a: { state: "live", asOf: 5, rows } })).outcome, "applied")
  return cast
}

describe("cast.js holds what messages say", () => {
  it("replaces everything by a snapshot", () => {
    const cast = started({ k: { v: 1 } })
    cast.take(snapshot("f-1-y", { b: { state: "loading", error: { code: "c", detail: "d" }, rows: {} } }))
    assert.deepStrictEqual([...cast.collections.keys()], ["b"])
    assert.strictEqual(cast.collections.get("b")!.error?.code, "c")
    assert.strictEqual(cast.cursor, "f-1-y")
  })

  it("applies remove, evict, put, set and unset, in this order", () => {
    const cast = started({
      r: { v: 1 },
      e: { v: 1 },
      p: { v: 1, w: 1 },
      s: { v: 1, w: 1 },
      u: { v: 1, w: 1 }
    })
    const receipt = cast.take(
      change("e-1-x", "e-2-x", {
        a: {
          remove: ["r", "not here"],
          evict: ["e"],
          put: { p: { v: 2 }, n: { v: null } },
          set: { s: { v: [2, { deep: true }], w: null } },
          unset: { u: ["w"], s: ["w"] }
        }
      })
    )
    assert.deepStrictEqual(held(cast), {
      p: { v: 2 },
      s: { v: [2, { deep: true }] },
      u: { v: 1 },
      n: { v: null }
    })
    assert.strictEqual(receipt.outcome, "applied")
    assert.deepStrictEqual(receipt.touched.get("a"), new Set(["r", "not here", "e", "p", "n", "s", "u"]))
    assert.strictEqual(receipt.fields, 1 + 1 + 2 + 2)
  })

  it("replaces one collection where a change has rows", () => {
    const cast = started({ k: { v: 1 }, l: { v: 1 } })
    cast.take(
      snapshot("e-1-x", {
        a: { state: "live", rows: { k: { v: 1 } } },
        b: { state: "live", rows: { z: {} } }
      })
    )
    const receipt = cast.take(change("e-1-x", "e-2-x", { a: { rows: { m: { v: 2 } } } }))
    assert.deepStrictEqual([held(cast), held(cast, "b")], [{ m: { v: 2 } }, { z: {} }])
    assert.strictEqual(receipt.touched.get("a"), "all")
  })

  it("takes keys and fields for what they are: data", () => {
    const nasty = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "0", "a b/ä\u2028'\"<img>"]
    const rows = `{${nasty.map((key) => `${JSON.stringify(key)}:{"__proto__":1,"constructor":{"x":1}}`).join(",")}}`
    const cast = new Cast()
    cast.take(
      `{"type":"snapshot","cursor":"e-1-x","collections":{"__proto__":{"state":"live","rows":${rows}}}}`
    )
    const collection = cast.collections.get("__proto__")!
    assert.deepStrictEqual(new Set(collection.rows.keys()), new Set(nasty))
    cast.take(
      `{"type":"change","from":"e-1-x","cursor":"e-2-x","collections":{"__proto__":{"remove":["constructor"],` +
        `"set":{"__proto__":{"__proto__":{"polluted":true},"toString":2}},"unset":{"toString":["__proto__"]}}}}`
    )
    assert.strictEqual(({} as { polluted?: boolean }).polluted, undefined)
    assert.deepStrictEqual(
      collection.rows.get("__proto__")!.get("__proto__"),
      JSON.parse('{"polluted":true}')
    )
    assert.strictEqual(collection.rows.get("__proto__")!.get("toString"), 2)
    assert.isFalse(collection.rows.has("constructor"))
    assert.isFalse(collection.rows.get("toString")!.has("__proto__"))
  })

  it("applies a change only over its own cursor", () => {
    const cast = started({ k: { v: 1 } })
    const wrong = change("e-9-x", "e-10-x", { a: { set: { k: { v: 9 } } } })
    assert.strictEqual(cast.take(wrong).outcome, "again")
    assert.strictEqual(
      cast.take(change("e-0-x", "e-1-x", { a: { set: { k: { v: 9 } } } })).outcome,
      "ignored"
    )
    assert.deepStrictEqual([held(cast), cast.cursor], [{ k: { v: 1 } }, "e-1-x"])
    assert.strictEqual(new Cast().take(wrong).outcome, "again")
    assert.strictEqual(new Cast().take(ping("e-1-x", "e-1-x")).outcome, "again")
  })

  it("asks for everything where a change is about a row that it lacks, and applies nothing of it", () => {
    const cast = started({ k: { v: 1 } })
    const receipt = cast.take(change("e-1-x", "e-2-x", { a: { remove: ["k"], set: { l: { v: 1 } } } }))
    assert.deepStrictEqual([receipt.outcome, held(cast), cast.cursor], ["again", { k: { v: 1 } }, undefined])
  })

  it("moves on by a ping and by an empty long poll", () => {
    const cast = started({ k: { v: 1 } })
    assert.strictEqual(cast.take(ping("e-1-x", "e-4-x", { a: 77, unknown: 1 })).outcome, "applied")
    assert.deepStrictEqual([cast.cursor, cast.collections.get("a")!.asOf], ["e-4-x", 77])
    assert.isFalse(cast.collections.has("unknown"))
    cast.pass("e-5-x")
    assert.strictEqual(cast.cursor, "e-5-x")
  })

  it("knows the state of each collection, and its error until a state comes without one", () => {
    const cast = started({ k: { v: 1 } })
    const look = () => {
      const { asOf, error, state } = cast.collections.get("a")!
      return [state, error?.code, asOf]
    }
    cast.take(
      change("e-1-x", "e-2-x", { a: { state: "stale", error: { code: "upstream_status", detail: "" } } })
    )
    assert.deepStrictEqual(look(), ["stale", "upstream_status", 5])
    cast.take(change("e-2-x", "e-3-x", { a: { asOf: 6, set: { k: { v: 2 } } } }))
    assert.deepStrictEqual(look(), ["stale", "upstream_status", 6])
    cast.take(change("e-3-x", "e-4-x", { a: { state: "live", asOf: 7 } }))
    assert.deepStrictEqual(look(), ["live", undefined, 7])
  })

  it("leaves alone what it does not know", () => {
    const cast = started({ k: { v: 1 } })
    for (const type of ["goodbye", "ack", "pong", "error", "something new"]) {
      assert.strictEqual(cast.take(JSON.stringify({ type, cursor: "e-9-x" })).outcome, "ignored")
    }
    assert.strictEqual(cast.cursor, "e-1-x")
    assert.throws(() => cast.take('{"type":"chan'))
  })

  it("holds what the other client of the protocol holds, after any messages", () => {
    let seed = 7
    const below = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
    const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
    const fields = ["v", "w", "__proto__", "x"]
    // An own `__proto__` as JSON.parse makes it, which a literal would not.
    const row = () =>
      Object.fromEntries(fields.filter(() => below(2) === 0).map((field) => [field, below(9)]))
    const keys = ["k", "__proto__", "1", "l", "m"]
    const cast = new Cast()
    const other = new Held()
    const both = (text: string) => {
      other.receive(text)
      return cast.take(text).outcome
    }
    both(snapshot("e-0-x", { a: { state: "live", rows: {} } }))
    for (let revision = 1; revision < 2000; revision++) {
      const rows = cast.collections.get("a")!.rows
      const there = keys.filter((key) => rows.has(key))
      const [removed, put, set] = [[], [], []] as [Array<string>, Array<string>, Array<string>]
      for (const key of keys) pick([removed, put, there.includes(key) ? set : put, []]).push(key)
      const part = {
        [pick(["remove", "evict"])]: removed,
        put: Object.fromEntries(put.map((key) => [key, row()])),
        set: Object.fromEntries(set.map((key) => [key, row()])),
        unset: Object.fromEntries(set.filter(() => below(3) === 0).map((key) => [key, [pick(fields)]]))
      }
      const whole = { rows: Object.fromEntries(keys.filter(() => below(2) === 0).map((key) => [key, row()])) }
      const next = `e-${revision}-x`
      if (below(10) === 0) both(change("e-0-y", next, { a: { put: { k: {} } } }))
      else if (below(20) === 0) both(snapshot(next, { a: { state: "live", ...whole } }))
      else if (below(20) === 0) both(ping(cast.cursor!, next))
      else both(change(cast.cursor!, next, { a: below(20) === 0 ? whole : part }))
      assert.strictEqual(cast.cursor, other.cursor)
      const mine = [...cast.collections.get("a")!.rows].map(
        ([key, row]) => [key, canonicalText(Object.fromEntries(row))] as const
      )
      assert.deepStrictEqual(new Map(mine), other.canonical().get("a") ?? new Map())
    }
  })
})

describe("connection.js comes back", () => {
  const opened: Array<{ readonly query: string; readonly on: RoadEvents; closed: boolean }> = []
  let connection: Connection
  const seen: Array<string> = []
  const road = (name: string) => ({
    name,
    open: (query: (since: string | undefined) => URLSearchParams, on: RoadEvents) => {
      const one = { query: `${name}?${query(on.cursor())}`, on, closed: false }
      opened.push(one)
      return () => (one.closed = true)
    }
  })
  const last = () => opened.at(-1)!

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    vi.spyOn(Math, "random").mockReturnValue(0)
    opened.length = 0
    seen.length = 0
    connection = new Connection({
      cast: new Cast(),
      collections: ["a", "b"],
      roads: { stream: road("stream"), poll: road("poll") },
      on: { state: ({ kind }: { kind: string }) => seen.push(kind), message: () => {} }
    })
    connection.open()
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  it("opens without a cursor, is live with the first message, and resumes by another road or at another pace", () => {
    last().on.message(snapshot("e-1-x", { a: { state: "live", rows: {} } }))
    connection.open({ road: "poll" })
    last().on.message(ping("e-1-x", "e-2-x"))
    connection.open({ interval: "5s" })
    assert.deepStrictEqual(
      opened.map(({ closed, query }) => [query, closed]),
      [
        ["stream?collections=a%2Cb", true],
        ["poll?collections=a%2Cb&since=e-1-x", true],
        ["poll?collections=a%2Cb&since=e-2-x&interval=5s", false]
      ]
    )
    assert.deepStrictEqual(seen, ["connecting", "live", "connecting", "live", "connecting"])
  })

  it("after a goodbye no sooner than it says, with the cursor", () => {
    last().on.message(snapshot("e-1-x", {}))
    last().on.message('{"type":"goodbye","code":"rotation","retryAfterMs":1800}')
    assert.isTrue(opened[0]!.closed)
    // What the closed road still says is nobody's any more.
    opened[0]!.on.failure({})
    vi.advanceTimersByTime(1799)
    assert.strictEqual(opened.length, 1)
    vi.advanceTimersByTime(1)
    assert.match(last().query, /since=e-1-x$/)
    assert.strictEqual(connection.state.kind, "waiting")
    last().on.message(ping("e-1-x", "e-1-x"))
    assert.strictEqual(connection.state.kind, "live")
  })

  it("after failures by a pause that doubles up to half a minute, and starts anew once a message came", () => {
    const pauses: Array<number> = []
    for (let attempt = 0; attempt < 8; attempt++) {
      last().on.failure({})
      pauses.push(connection.state.at! - Date.now())
      vi.advanceTimersByTime(pauses.at(-1)!)
    }
    assert.deepStrictEqual(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
    last().on.message(snapshot("e-1-x", {}))
    last().on.failure({})
    assert.strictEqual(connection.state.at! - Date.now(), 500)
  })

  it("after 40 s without a word, and at once when the network is back", () => {
    last().on.message(snapshot("e-1-x", {}))
    vi.advanceTimersByTime(39_000)
    last().on.message(ping("e-1-x", "e-1-x"))
    vi.advanceTimersByTime(39_999)
    assert.strictEqual(connection.state.kind, "live")
    vi.advanceTimersByTime(1)
    assert.strictEqual(connection.state.kind, "waiting")
    connection.wake()
    assert.strictEqual(opened.length, 2)
    connection.wake()
    assert.strictEqual(opened.length, 3, "an attempt that hangs is not waited for")
    last().on.message(ping("e-1-x", "e-1-x"))
    connection.wake()
    assert.strictEqual(opened.length, 3)
  })

  it("asks again from its cursor after a change from elsewhere, and from nothing after half a message", () => {
    last().on.message(snapshot("e-1-x", {}))
    last().on.message(change("e-5-x", "e-6-x", {}))
    vi.advanceTimersByTime(500)
    assert.match(last().query, /since=e-1-x$/)
    last().on.message('{"type":"cha')
    vi.advanceTimersByTime(1000)
    assert.strictEqual(last().query, "stream?collections=a%2Cb")
  })

  it("not where coming back does not help", () => {
    last().on.message('{"type":"goodbye","code":"forbidden"}')
    vi.advanceTimersByTime(600_000)
    assert.deepStrictEqual([connection.state.kind, connection.state.code], ["ended", "forbidden"])
    assert.strictEqual(opened.length, 1)
  })
})

describe("the meter", () => {
  const metrics = (polls: number, failed: number) => `# HELP upstream_body_size Size
upstream_body_size{source="pools"} 1000
upstream_body_size{source="a \\"b\\",c=\\\\"} 10
upstream_polls_total{source="pools",outcome="changed"} ${polls}
upstream_polls_total{source="pools",outcome="unchanged"} 5
upstream_polls_total{source="pools",outcome="upstream_status"} ${failed}
upstream_polls_total{source="young",outcome="upstream_status"} 1
hub_readers 3
`

  it("counts each source once to begin with, then every poll that was answered, also over a restart", () => {
    const cost = new RawCost()
    const totals = [metrics(100, 0), metrics(102, 9), metrics(102, 9), metrics(1, 0)].map((text) => {
      cost.add(readMetrics(text).sources)
      return cost.total
    })
    assert.deepStrictEqual(totals, [1010, 3010, 3010, 9010])
    assert.strictEqual(readMetrics(metrics(1, 1)).readers, 3)
  })

  it("writes numbers whose points stand below each other and which keep their width", () => {
    const texts = (name: string, values: ReadonlyArray<number>) =>
      values.map((value) => format[name]!(value).replaceAll("\u2007", "_"))
    const prices = texts("price", [0, 1, 9.99999, 0.00012345, 1234.5, 1.2344e-6, 9.9999e-9, 1e-13])
    assert.deepStrictEqual(
      prices.map((text) => text.replace(/_+$/, "")),
      ["0.0000", "1.0000", "10.0000", "0.00012345", "1,234.50", "0.0₅1234", "0.0₇1000", "0.0₁₂1000"]
    )
    assert.deepStrictEqual(new Set(prices.map((text) => text.length - text.indexOf(".") - 1)), new Set([8]))
    assert.deepStrictEqual(texts("size", [0, 999, 9995, 999_600, 1.5e9]), [
      "0 B",
      "999 B",
      "10.0 kB",
      "1.00 MB",
      "1.50 GB"
    ])
    assert.deepStrictEqual(texts("share", [0, 1e-9, 0.00021, 0.0213, 0.1, 1.65]), [
      "0 %",
      "less than 0.001 %",
      "0.021 %",
      "2.1 %",
      "10 %",
      "165 %"
    ])
  })
})

interface Locator {
  readonly allTextContents: () => Promise<Array<string>>
  readonly count: () => Promise<number>
}

interface Page {
  readonly goto: (url: string) => Promise<unknown>
  readonly click: (selector: string) => Promise<void>
  readonly fill: (selector: string, text: string) => Promise<void>
  readonly press: (selector: string, key: string) => Promise<void>
  readonly textContent: (selector: string) => Promise<string | null>
  readonly getAttribute: (selector: string, name: string) => Promise<string | null>
  readonly isVisible: (selector: string) => Promise<boolean>
  readonly locator: (selector: string) => Locator
  readonly evaluate: <A>(script: string) => Promise<A>
  readonly route: (pattern: string, handle: (route: Route) => Promise<void>) => Promise<void>
  readonly setViewportSize: (size: { readonly width: number; readonly height: number }) => Promise<void>
  readonly on: (event: string, listener: (told: { text?: () => string; message?: string }) => void) => void
  readonly close: () => Promise<void>
}

interface Route {
  readonly fulfill: (answer: { readonly status: number; readonly body: string }) => Promise<void>
}

interface Browser {
  readonly newPage: (options: object) => Promise<Page>
  readonly close: () => Promise<void>
}

interface Playwright {
  readonly chromium: { readonly launch: (options: object) => Promise<Browser> }
}

const executablePath = "/usr/bin/chromium"

/** Found beside us, or in NODE_PATH. */
const playwright = ((): Playwright | undefined => {
  try {
    return createRequire(import.meta.url)("playwright-core") as Playwright
  } catch {
    return undefined
  }
})()

const missing = [
  ...(existsSync(executablePath) ? [] : [`no ${executablePath}`]),
  ...(playwright === undefined ? ["no playwright-core, here or in NODE_PATH"] : [])
].join(", ")

describe.skipIf(missing !== "")(
  `the page in a browser${missing === "" ? "" : ` (skipped: ${missing})`}`,
  () => {
    let browser: Browser
    let simulator: Awaited<ReturnType<typeof startSimulator>>
    let daemon: ChildProcess
    let port: number
    let page: Page
    const complaints: Array<string> = []

    const serve = async () => {
      daemon = spawn(
        process.execPath,
        [join(root, "src/Main.ts"), "serve", "--config", join(root, "examples/dex/ratecast.config.ts")],
        {
          stdio: "ignore",
          env: {
            ...process.env,
            SIMULATOR_PORT: new URL(simulator.url).port,
            PORT: String(port),
            PAGE: join(root, "examples/dex/page"),
            BASE_PATH: "/live"
          }
        }
      )
      const isUp = () =>
        fetch(`http://127.0.0.1:${port}/live/readyz`).then(
          ({ ok }) => ok,
          () => false
        )
      await until("the daemon is ready", isUp, 15_000)
    }
    const stop = async () => {
      const ended = new Promise((resolve) => daemon.once("exit", resolve))
      daemon.kill()
      await ended
    }

    const visit = async (options: object = {}) => {
      page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
      page.on("pageerror", ({ message }) => complaints.push(message!))
      page.on("console", (told) => complaints.push(told.text!()))
      await page.goto(`http://127.0.0.1:${port}/live/?simulator=${simulator.url}`)
      await until("rows of rates", async () => (await rates().count()) > 5)
    }
    const rates = () => page.locator("#rates-table tbody tr:not(.spacer)")
    const pools = () => page.locator("#pools-table tbody tr:not(.spacer)")
    const log = () => page.locator("#log li").allTextContents()
    const symbols = () => page.locator("#rates-table tbody .symbol").allTextContents()
    const becomes = (selector: string, text: string, ms = 15_000) =>
      until(`${selector} says ${text}`, async () => (await page.textContent(selector))!.includes(text), ms)

    beforeAll(async () => {
      simulator = await startSimulator({ port: 0, speed: 2 })
      port = await freePort()
      await serve()
      browser = await playwright!.chromium.launch({
        executablePath,
        args: [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--no-first-run",
          "--disable-background-networking"
        ]
      })
    }, 40_000)
    afterEach(async () => {
      await page.close()
      complaints.length = 0
    })
    afterAll(async () => {
      await browser.close()
      await stop()
      await simulator.close()
    })

    it("shows the rates by TVL, their cells flash, and nothing is wrong in the console", async () => {
      await visit()
      const { collections } = (await (await fetch(`http://127.0.0.1:${port}/live/v1/snapshot`)).json()) as {
        readonly collections: {
          readonly rates: { readonly rows: { [key: string]: { symbol: string; tvlUsd: string } } }
        }
      }
      const rows = Object.values(collections.rates.rows).toSorted(
        (a, b) => Number(b.tvlUsd) - Number(a.tvlUsd)
      )
      assert.sameMembers(
        await symbols(),
        rows.map(({ symbol }) => symbol)
      )
      assert.deepStrictEqual(
        (await symbols()).slice(0, 2),
        rows.slice(0, 2).map(({ symbol }) => symbol)
      )
      await until("a flash", () =>
        page.evaluate<boolean>(
          "document.getAnimations().some(({ effect }) => effect.target.className === 'value')"
        )
      )
      await becomes("#ratio", "%")
      await becomes("#connection-state", "Live")
      assert.deepStrictEqual(complaints, [])
    })

    it("does not flash where less motion is asked for", async () => {
      await visit({ reducedMotion: "reduce" })
      await page.evaluate(
        "window.flashes = 0; window.old = Element.prototype.animate; Element.prototype.animate = () => flashes++"
      )
      const revision = await page.textContent("#revision")
      await until("a change", async () => (await page.textContent("#revision")) !== revision)
      await until("a change is painted", async () => (await log())[0]!.includes("change"))
      assert.strictEqual(await page.evaluate("flashes"), 0)
    })

    it("resumes by every road and at every pace, without another snapshot", async () => {
      await visit()
      for (const [choice, says] of [
        ["socket", "by WebSocket"],
        ["poll", "by long poll"],
        ["stream", "by SSE"],
        ["5s", "by SSE"]
      ] as const) {
        await page.click(`label:has([value="${choice}"])`)
        await becomes("#log", `resumed at`)
        await becomes("#log", says)
        await becomes("#connection-state", "Live")
      }
      assert.strictEqual(
        (await log()).filter((line) => line.includes("snapshot") && line.includes("resumed")).length,
        0
      )
      assert.deepStrictEqual(complaints, [])
    })

    it("says stale and why when the backend breaks, keeps its rows, and is live again when it is mended", async () => {
      await visit()
      const before = await rates().count()
      await page.click("#backend-break")
      await becomes("#states", "The upstream answered with status 503.")
      assert.isTrue(await page.isVisible("#rates-stale"))
      assert.match((await page.textContent("#states"))!, /Stale\s*As of \d+ s ago/)
      assert.strictEqual(await rates().count(), before)
      await page.click("#backend-mend")
      await until("live again", async () => !(await page.textContent("#states"))!.includes("Stale"), 20_000)
    }, 45_000)

    it("says that it reconnects, and since when it knows nothing, until the daemon is back", async () => {
      await visit()
      await stop()
      await becomes("#connection-state", "Reconnecting")
      await becomes("#connection-more", "to go on at")
      await becomes("#states", "Last word")
      await serve()
      await page.click("#reconnect").catch(() => {})
      await becomes("#connection-state", "Live", 30_000)
      await becomes("#log", "epoch")
    }, 60_000)

    it("is searched, sorted and walked with the keyboard", async () => {
      await visit()
      await page.fill("#search", "ton")
      await becomes("#found", " of ")
      await until("only what was sought", async () => (await symbols()).length < 6)
      await page.fill("#search", "no such thing")
      await until("a word instead of rows", () => page.isVisible("#rates .empty"))
      await page.fill("#search", "")
      const head = "#rates-table thead th:first-child"
      await page.press(`${head} button`, "Enter")
      assert.strictEqual(await page.getAttribute(head, "aria-sort"), "ascending")
      const lower = async () => (await symbols()).map((symbol) => symbol.toLowerCase())
      await until(
        "by name",
        async () => JSON.stringify(await lower()) === JSON.stringify((await lower()).toSorted())
      )
      await page.press("#rates-tab", "ArrowRight")
      assert.strictEqual(await page.getAttribute("#pools-tab", "aria-selected"), "true")
      await until("pools", async () => (await pools().count()) > 20)
      assert.isFalse(await page.isVisible("#rates-table"))
    })

    it("fits 360 px, in both looks, with both tables", async () => {
      await visit({ viewport: { width: 360, height: 780 } })
      for (const tab of ["#pools-tab", "#rates-tab"]) {
        await page.click(tab)
        await page.click("#look")
        await until(
          "painted",
          async () => (await page.locator(`${tab.replace("-tab", "-table")} tbody tr`).count()) > 5
        )
        assert.strictEqual(await page.evaluate("document.documentElement.scrollWidth"), 360)
      }
    })

    it("says that there is no comparison where there are no metrics", async () => {
      page = await browser.newPage({})
      await page.route("**/metrics", (route) => route.fulfill({ status: 404, body: "" }))
      await page.goto(`http://127.0.0.1:${port}/live/`)
      await becomes("#meter-why", "not available here")
      assert.isFalse(await page.isVisible("#comparison"))
      assert.strictEqual(await page.textContent("#raw"), "–")
      await becomes("#ours", "kB")
    })
  }
)
