/** The simulator as a reader meets it, over real sockets; the market behind it, by what must never happen in one. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { Agent, get, type IncomingHttpHeaders } from "node:http"
import { buffer } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { gunzipSync } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"

import { type SimulatorOptions, startSimulator } from "../../examples/dex/simulator.ts"
import { Body } from "../../examples/dex/simulator/Body.ts"
import { makeDice } from "../../examples/dex/simulator/Dice.ts"
import { dataPaths, type Fault } from "../../examples/dex/simulator/Fault.ts"
import { makePace } from "../../examples/dex/simulator/Pace.ts"
import { isLive } from "../../examples/dex/simulator/Pool.ts"
import { World } from "../../examples/dex/simulator/World.ts"

interface PoolRow {
  readonly address: string
  readonly lt: string
  readonly totalSupply: string
  readonly type: string
  readonly tradeFee: string
  readonly assets: readonly [string, string]
  readonly reserves: readonly [string, string]
}

interface AssetRow {
  readonly type: string
  readonly address?: string
  readonly symbol: string
  readonly decimals: number
}

/** Nothing moves by itself and nobody waits, unless a test says so. */
const still = { port: 0, speed: 0, latency: 0 }

const using = async <A>(
  options: SimulatorOptions,
  use: (simulator: { readonly url: string; readonly world: World }) => Promise<A>
): Promise<A> => {
  const simulator = await startSimulator({ ...still, ...options })
  try {
    return await use(simulator)
  } finally {
    await simulator.close()
  }
}

const post = async (
  url: string,
  body: unknown
): Promise<{ readonly status: number; readonly json: { readonly [field: string]: unknown } }> => {
  const response = await fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body)
  })
  return { status: response.status, json: (await response.json()) as { readonly [field: string]: unknown } }
}

const raw = (
  url: string,
  headers: { readonly [name: string]: string } = {},
  agent?: Agent
): Promise<{ readonly status: number; readonly headers: IncomingHttpHeaders; readonly bytes: Buffer }> =>
  new Promise((resolve, reject) => {
    get(url, { headers, ...(agent && { agent }) }, (response) => {
      buffer(response).then(
        (bytes) => resolve({ status: response.statusCode!, headers: response.headers, bytes }),
        reject
      )
    }).on("error", reject)
  })

const rejected = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "",
    (error: Error) => error.name
  )

const lts = (world: World): Map<string, number> =>
  new Map(world.pools.map(({ address, lt }) => [address, lt]))

describe("the market", () => {
  it("is the same for the same seed and number of swaps, however they came about", () => {
    const [atOnce, oneByOne, other] = [new World("demo", 7), new World("demo", 7), new World("demo", 8)]
    atOnce.swap(5000)
    for (let swap = 0; swap < 5000; swap++) {
      oneByOne.swap()
      if (swap % 100 === 0) {
        oneByOne.poolsText()
      }
    }
    assert.strictEqual(atOnce.poolsText(), oneByOne.poolsText())
    assert.strictEqual(atOnce.listText(), oneByOne.listText())
    assert.notStrictEqual(new World("demo", 7).poolsText(), other.poolsText())
  })

  it("never loses from a pool what its shares own, in 10,000 swaps", () => {
    const world = new World("demo", 42)
    const before = new Map<
      string,
      { readonly product: bigint; readonly supply: bigint; readonly lt: number }
    >()
    let [swapped, provided] = [0, 0]
    for (let swap = 0; swap <= 10_000; swap++) {
      for (const { address, lt, reserves, totalSupply: supply } of world.pools) {
        const product = reserves[0] * reserves[1]
        const last = before.get(address)
        if (last !== undefined && last.lt !== lt) {
          assert.isAbove(lt, last.lt)
          if (last.supply === supply) {
            swapped++
            assert.isTrue(product >= last.product, `${address} lost in swap ${swap}`)
          } else {
            provided++
            assert.isTrue(product * last.supply ** 2n >= last.product * supply ** 2n)
          }
        }
        before.set(address, { product, supply, lt })
      }
      world.swap()
    }
    assert.isAbove(swapped, 9000)
    assert.isAbove(provided, 5)
    assert.isTrue(world.pools.filter(isLive).length >= 54)
  })

  it.for(["demo", "listed"] as const)("has one price for an asset, whichever way in %s", (profile) => {
    const world = new World(profile, 3)
    world.swap(20_000)
    const list = JSON.parse(world.listText()) as Array<AssetRow>
    const pools = (JSON.parse(world.poolsText()) as Array<PoolRow>).filter(
      ({ totalSupply }) => totalSupply !== "0"
    )
    const usdt = `jetton:${list[1]!.address}`
    assert.strictEqual(list[1]!.symbol, "USDT")
    /** The price of `b` in `a`, by the pool of the two. */
    const price = (a: string, b: string): number | undefined => {
      const pool = pools.find(({ assets }) => assets.includes(a) && assets.includes(b))
      const [of, at] = pool?.assets[0] === a ? ([0, 1] as const) : ([1, 0] as const)
      return pool && Number(pool.reserves[of]) / Number(pool.reserves[at])
    }
    const dollar = price("native", usdt)!
    let compared = 0
    for (const { address } of list.slice(2)) {
      const [direct, around] = [price("native", `jetton:${address}`), price(usdt, `jetton:${address}`)]
      if (direct !== undefined && around !== undefined) {
        compared++
        assert.closeTo((around * dollar) / direct, 1, 0.01)
      }
    }
    assert.isAbove(compared, 5)
  })

  it("changes about 2 % of the rows of `listed` in 10 s", () => {
    const world = new World("listed", 42)
    let now = 0
    const due = makePace(makeDice(42, "pace"), 1.5, () => now)
    let changed = 0
    for (let poll = 0; poll < 300; poll++) {
      const before = lts(world)
      now += 10_000
      world.swap(due())
      changed +=
        world.pools.filter(({ address, lt }) => before.get(address) !== lt).length / world.pools.length
    }
    assert.isAbove(changed / 300, 0.015)
    assert.isBelow(changed / 300, 0.023)
  })

  it("is as large as its profile says", () => {
    for (const [profile, pools, assets, dead] of [
      ["demo", 60, 24, 0.1],
      ["listed", 600, 250, 0.05],
      ["dedust", 42_000, 12_000, 0.94]
    ] as const) {
      const world = new World(profile, 42)
      const rows = JSON.parse(world.poolsText()) as Array<PoolRow>
      const list = JSON.parse(world.listText()) as Array<AssetRow>
      assert.lengthOf(rows, pools)
      assert.lengthOf(list, assets)
      assert.strictEqual(new Set(rows.map(({ address }) => address)).size, pools)
      const live = rows.filter((row) => row.totalSupply !== "0" && !row.reserves.includes("0"))
      assert.closeTo(1 - live.length / pools, dead, 0.001)
      assert.closeTo(rows.filter(({ type }) => type === "stable").length / pools, 0.03, 0.01)

      const known = new Set(
        list.map(({ address }) => (address === undefined ? "native" : `jetton:${address}`))
      )
      const strange = live.filter((row) => !row.assets.every((asset) => known.has(asset)))
      assert.isAtLeast(strange.length, 1)
      assert.isBelow(strange.length / live.length, 0.05)
      const ton = live.filter((row) => row.assets[0] === "native").map((row) => BigInt(row.reserves[0]))
      const deepest = ton.toSorted((a, b) => (a < b ? 1 : -1))
      const usdt = live.find(
        (row) => row.assets[0] === "native" && row.assets[1] === `jetton:${list[1]!.address}`
      )!
      assert.isTrue(BigInt(usdt.reserves[0]) === deepest[0] && deepest[0] > 3n * deepest[1]!)
      for (const row of rows.slice(0, 100)) {
        assert.match(row.address, /^EQ[\w-]{46}$/)
        assert.match(row.tradeFee, /^[01](\.\d+)?$/)
      }
    }
  })

  it("knows how many swaps are due, and sleeps when nobody asks for long", () => {
    let now = 0
    const due = makePace(makeDice(1, "pace"), 6, () => now)
    let swaps = 0
    for (; now < 1000_000; now += 700) {
      swaps += due()
    }
    assert.closeTo(swaps, 6000, 300)
    due()
    assert.strictEqual(due(), 0)
    now += 1e9
    assert.strictEqual(due(), 20_000)
    assert.strictEqual(due(), 0)
    now += 10_000
    assert.closeTo(due(), 60, 40)
    assert.strictEqual(makePace(makeDice(1, "pace"), 0, () => now)(), 0)
  })
})

describe("the lists", () => {
  it("are the same bytes until something changes, and 304 to who has them", () =>
    using({}, async ({ url, world }) => {
      const pools = `${url}/v2/pools-lite`
      const first = await raw(pools)
      assert.strictEqual(first.status, 200)
      assert.strictEqual(first.bytes.toString(), world.poolsText())
      assert.strictEqual(first.headers["cache-control"], "no-cache")
      assert.strictEqual(first.headers["access-control-allow-origin"], "*")
      assert.isFalse(Number.isNaN(Date.parse(first.headers["last-modified"]!)))
      const etag = first.headers.etag!
      assert.match(etag, /^"[^"]+"$/)

      const held = [etag, `W/${etag}`, `"other", ${etag}`, "*"]
      for (const again of await Promise.all(held.map((tag) => raw(pools, { "If-None-Match": tag })))) {
        assert.deepStrictEqual([again.status, again.bytes.length, again.headers.etag], [304, 0, etag])
      }
      assert.strictEqual((await raw(pools, { "If-None-Match": `"other"` })).status, 200)

      assert.deepStrictEqual(await post(`${url}/sim/swap`, { count: 3 }), { status: 200, json: { swaps: 3 } })
      const changed = await raw(pools, { "If-None-Match": etag })
      assert.strictEqual(changed.status, 200)
      assert.notStrictEqual(changed.headers.etag, etag)
      const list = await raw(`${url}/list.json`)
      assert.strictEqual(list.bytes.toString(), world.listText())
      assert.strictEqual((await raw(`${url}/list.json`, { "If-None-Match": list.headers.etag! })).status, 304)
    }))

  it.for(dataPaths)("are the same compressed: %s", (path) =>
    using({ profile: "listed" }, async ({ url }) => {
      const plain = await raw(url + path, { "Accept-Encoding": "identity, gzip;q=0" })
      const small = await raw(url + path, { "Accept-Encoding": "br, gzip" })
      assert.strictEqual(small.headers["content-encoding"], "gzip")
      assert.isUndefined(plain.headers["content-encoding"])
      assert.isBelow(small.bytes.length, plain.bytes.length / 2)
      assert.isTrue(gunzipSync(small.bytes).equals(plain.bytes))
      assert.notStrictEqual(small.headers.etag, plain.headers.etag)
      const held = { "Accept-Encoding": "gzip", "If-None-Match": small.headers.etag! }
      assert.strictEqual((await raw(url + path, held)).status, 304)
    })
  )

  it("are built once and compressed once for a version", () =>
    using({}, async ({ url, world }) => {
      let built = 0
      world.poolsText = () => {
        built++
        return "[]"
      }
      await Promise.all(Array.from({ length: 5 }, () => raw(`${url}/v2/pools-lite`)))
      world.swap()
      await raw(`${url}/v2/pools-lite`)
      assert.strictEqual(built, 2)
      const body = new Body("[]")
      assert.strictEqual(await body.gzip(), await body.gzip())
    }))

  it("move with the clock and take their time", () =>
    using({ speed: 50, latency: 30 }, async ({ url, world }) => {
      const started = performance.now()
      const took = await Promise.all(
        Array.from({ length: 21 }, () => raw(`${url}/v2/pools-lite`).then(() => performance.now() - started))
      )
      const median = took.toSorted((a, b) => a - b)[10]!
      assert.isAbove(median, 12)
      assert.isBelow(median, 250)
      assert.isAbove(world.swaps, 0)
    }))

  it("has the 42,000 rows of `dedust` without making everybody else wait", () =>
    using({ profile: "dedust" }, async ({ url, world }) => {
      await raw(`${url}/v2/pools-lite`)
      world.swap(15)
      const before = process.cpuUsage()
      const { bytes } = await raw(`${url}/v2/pools-lite`)
      const { system, user } = process.cpuUsage(before)
      assert.isAbove(bytes.length, 13e6)
      // About 100 ms on an idle machine, of both ends of the socket and the garbage collector.
      assert.isBelow((user + system) / 1000, 1500)
    }))
})

/** Turns it on, looks at the pools, turns it off and looks whether they are back. */
const withFault = (fault: Fault, look: (pools: string, world: World) => Promise<void>): Promise<void> =>
  using({}, async ({ url, world }) => {
    const pools = `${url}/v2/pools-lite`
    const sane = await raw(pools)
    const { json, status } = await post(`${url}/sim/fault`, fault)
    assert.deepStrictEqual([status, json], [200, { fault }])
    await look(pools, world)
    await post(`${url}/sim/fault`, { kind: "none" })
    const { bytes, headers } = await raw(pools)
    assert.isTrue(bytes.equals(sane.bytes))
    assert.strictEqual(headers.etag, sane.headers.etag)
  })

const jsonOf = async <A>(url: string): Promise<A> => JSON.parse((await raw(url)).bytes.toString()) as A

describe("a fault", () => {
  it("status", () =>
    withFault({ kind: "status" }, async (pools) => {
      const { bytes, status } = await raw(pools)
      assert.strictEqual(status, 500)
      assert.property(JSON.parse(bytes.toString()), "error")
    }))

  it.for([429, 503])("status %i says when to come back", (status) =>
    withFault({ kind: "status", status, ms: 7000 }, async (pools) => {
      const response = await raw(pools)
      assert.deepStrictEqual([response.status, response.headers["retry-after"]], [status, "7"])
    })
  )

  it("on one path alone", () =>
    withFault({ kind: "status", path: "/list.json" }, async (pools, world) => {
      assert.strictEqual((await raw(pools)).bytes.toString(), world.poolsText())
      assert.strictEqual((await raw(pools.replace("/v2/pools-lite", "/list.json"))).status, 500)
    }))

  it("slow", () =>
    withFault({ kind: "slow", ms: 150 }, async (pools) => {
      const started = performance.now()
      assert.strictEqual((await raw(pools)).status, 200)
      assert.isAbove(performance.now() - started, 145)
    }))

  it("timeout", () =>
    withFault({ kind: "timeout" }, async (pools) => {
      assert.strictEqual(await rejected(fetch(pools, { signal: AbortSignal.timeout(150) })), "TimeoutError")
    }))

  it("truncated", () =>
    withFault({ kind: "truncated" }, async (pools, world) => {
      const response = await fetch(pools)
      assert.strictEqual(response.status, 200)
      const reader = response.body!.getReader()
      let bytes = 0
      const reading = (async () => {
        for (;;) {
          // oxlint-disable-next-line no-await-in-loop
          const { done, value } = await reader.read()
          if (done) {
            return
          }
          bytes += value.length
        }
      })()
      assert.strictEqual(await rejected(reading), "TypeError")
      assert.strictEqual(bytes, world.poolsText().length >>> 1)
    }))

  it.for([undefined, 200])("html with status %s", (status) =>
    withFault({ kind: "html", ...(status && { status }) }, async (pools) => {
      const response = await raw(pools)
      assert.strictEqual(response.status, status ?? 502)
      assert.strictEqual(response.headers["content-type"], "text/html")
      assert.match(response.bytes.toString(), /^<!doctype html>/)
    })
  )

  it("duplicate", () =>
    withFault({ kind: "duplicate" }, async (pools) => {
      const rows = await jsonOf<Array<PoolRow>>(pools)
      assert.lengthOf(rows, 66)
      const twice = rows.slice(60)
      for (const copy of twice) {
        const row = rows.find(({ address }) => address === copy.address)!
        assert.notDeepEqual(row.reserves, copy.reserves)
      }
    }))

  it("shape", () =>
    withFault({ kind: "shape" }, async (pools) => {
      const { result } = await jsonOf<{ readonly result: Array<object> }>(pools)
      assert.lengthOf(result, 60)
      assert.includeMembers(Object.keys(result[0]!), ["address", "balances"])
      assert.notProperty(result[0], "reserves")
    }))

  it("empty", () =>
    withFault({ kind: "empty" }, async (pools) => {
      const { bytes, headers, status } = await raw(pools)
      assert.deepStrictEqual([status, bytes.toString()], [200, "[]"])
      assert.strictEqual((await raw(pools, { "If-None-Match": headers.etag! })).status, 304)
    }))

  it("half", () =>
    withFault({ kind: "half" }, async (pools) => {
      assert.lengthOf(await jsonOf<Array<PoolRow>>(pools), 24)
    }))

  it("flapping", () =>
    withFault({ kind: "flapping" }, async (pools) => {
      const statuses = [(await raw(pools)).status, (await raw(pools)).status, (await raw(pools)).status]
      assert.deepStrictEqual(statuses, [500, 200, 500])
    }))

  it("can be there from the start", () =>
    using({ fault: "empty" }, async ({ url }) => {
      assert.deepStrictEqual(await jsonOf(`${url}/list.json`), [])
    }))
})

describe("/sim", () => {
  it("says what it is, what it did and what is wrong", () =>
    using({ profile: "demo", seed: 5 }, async ({ url }) => {
      await raw(`${url}/v2/pools-lite`)
      await raw(`${url}/v2/pools-lite?page=1`)
      await raw(`${url}/nothing`)
      await post(`${url}/sim/swap`, { count: 10 })
      await post(`${url}/sim/fault`, { kind: "slow", ms: 5, path: "/list.json" })
      assert.deepStrictEqual(JSON.parse((await raw(`${url}/sim/state`)).bytes.toString()), {
        profile: "demo",
        seed: 5,
        speed: 0,
        pools: 60,
        assets: 24,
        swaps: 10,
        requests: { "/v2/pools-lite": 2, "/sim/swap": 1, "/sim/fault": 1, "/sim/state": 1 },
        fault: { kind: "slow", path: "/list.json", ms: 5 }
      })
    }))

  it("answers nonsense with a sentence, and goes on", () =>
    using({}, async ({ url }) => {
      const nonsense = [
        ["fault", "{", /must be JSON/],
        ["fault", "", /must be JSON/],
        ["fault", [], /must be a JSON object/],
        ["fault", "null", /must be a JSON object/],
        ["fault", {}, /"kind" must be one of none, status/],
        ["fault", { kind: "fire" }, /"kind" must be one of none, .* not "fire"/],
        ["fault", { kind: "slow", path: "/x" }, /"path" must be one of \/v2\/pools-lite/],
        ["fault", { kind: "status", status: 200 }, /"status" must be an integer from 400 to 599/],
        ["fault", { kind: "slow", ms: -1 }, /"ms" must be an integer from 0/],
        ["fault", { kind: "slow", delay: 1 }, /unknown field "delay"/],
        ["fault", " ".repeat(20_000), /longer than/],
        ["swap", {}, /"count" must be an integer from 1 to 100000/],
        ["swap", { count: 1.5 }, /"count"/],
        ["swap", { count: 1e9 }, /"count"/],
        ["swap", { count: "9" }, /not "9"/]
      ] as const
      const answers = await Promise.all(nonsense.map(([path, body]) => post(`${url}/sim/${path}`, body)))
      nonsense.forEach(([, , sentence], index) => {
        assert.strictEqual(answers[index]!.status, 400)
        assert.match(String(answers[index]!.json["error"]), sentence)
      })
      const lost = await raw(`${url}/v2/pools`)
      assert.strictEqual(lost.status, 404)
      assert.include(JSON.parse(lost.bytes.toString()).paths, "/v2/pools-lite")
      const wrong = await fetch(`${url}/v2/pools-lite`, { method: "POST" })
      assert.deepStrictEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD"])
      assert.strictEqual((await raw(`${url}/sim/swap`)).status, 405)
      const state = JSON.parse((await raw(`${url}/sim/state`)).bytes.toString())
      assert.deepStrictEqual([state.swaps, state.fault], [0, { kind: "none" }])
    }))

  it("lets a page of any origin break it", () =>
    using({}, async ({ url }) => {
      const preflight = await fetch(`${url}/sim/fault`, {
        method: "OPTIONS",
        headers: { Origin: "http://elsewhere", "Access-Control-Request-Headers": "content-type" }
      })
      assert.strictEqual(preflight.status, 204)
      assert.strictEqual(preflight.headers.get("access-control-allow-origin"), "*")
      assert.include(preflight.headers.get("access-control-allow-methods")!, "POST")
      assert.include(preflight.headers.get("access-control-allow-headers")!, "Content-Type")
    }))

  it("stops at once, whoever waits", async () => {
    const simulator = await startSimulator({ ...still, fault: "timeout" })
    const waiting = rejected(raw(`${simulator.url}/v2/pools-lite`))
    await post(`${simulator.url}/sim/fault`, { kind: "slow", ms: 60_000 })
    const slow = rejected(raw(`${simulator.url}/v2/pools-lite`))
    await sleep(50)
    const started = performance.now()
    await simulator.close()
    assert.isBelow(performance.now() - started, 200)
    assert.deepStrictEqual([await waiting, await slow], ["Error", "Error"])
  })
})

const start = (...flags: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, ["examples/dex/simulator.ts", ...flags], { stdio: ["pipe", "pipe", "pipe"] })

const firstLine = async (child: ChildProcess, from: "stdout" | "stderr"): Promise<string> =>
  String((await Promise.race([once(child[from]!, "data"), once(child, "close")]))[0]).trimEnd()

describe("node examples/dex/simulator.ts", () => {
  it("says where it is, and leaves at once when asked", async () => {
    const child = start("--port", "0", "--seed", "9", "--latency", "0")
    const agent = new Agent({ keepAlive: true })
    try {
      const line = await firstLine(child, "stdout")
      assert.match(
        line,
        /^simulator {2}http:\/\/127\.0\.0\.1:\d+ {2}60 pools · 24 assets · 6 swaps\/s · seed 9$/
      )
      const url = line.split("  ")[1]!
      assert.strictEqual((await raw(`${url}/list.json`, {}, agent)).status, 200)

      const second = start("--port", new URL(url).port)
      const complaint = firstLine(second, "stderr")
      const [code] = await once(second, "close")
      assert.strictEqual(code, 1)
      assert.match(await complaint, /^port \d+ is taken; choose another: --port \d+, or SIMULATOR_PORT=\d+$/)

      const started = performance.now()
      child.kill("SIGTERM")
      assert.deepStrictEqual(await once(child, "exit"), [0, null])
      assert.isBelow(performance.now() - started, 200)
    } finally {
      agent.destroy()
      child.kill("SIGKILL")
    }
  })

  it("leaves when its parent does, if so asked", async () => {
    const child = start("--port", "0", "--until-stdin-ends")
    try {
      await firstLine(child, "stdout")
      child.stdin!.destroy()
      assert.deepStrictEqual(await once(child, "exit"), [0, null])
    } finally {
      child.kill("SIGKILL")
    }
  })
})
