/** What is not understood is answered by a problem that says what, and nobody else notices. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import type { Client } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { alone, inTurn, Market, pool } from "./Market.ts"

let market: Market
let readers: ReadonlyArray<Client> = []
let changes = 0
let rate = 0

beforeAll(async () => {
  market = await Market.open([pool("a"), pool("b")])
  readers = [await market.stream("collections=pools"), await market.socket("collections=pools")]
})
afterAll(() => market.close())

/** The well-behaved readers get every change, one message each. */
afterEach(async () => {
  await market.commit("pools", [pool("a", { rate: String(++rate) }), pool("b")])
  changes++
  await until("a change for everybody else", () => readers.every((reader) => reader.changes === changes))
  for (const reader of readers) {
    assert.strictEqual(reader.refused, 0)
    assert.isUndefined(reader.goodbye)
    assert.strictEqual(reader.rows.get("pools")!.get("a")!.get("rate"), String(rate))
  }
  assert.deepStrictEqual(
    market.daemon.logs.filter((line) => /warn|error|fatal/i.test(line) && !line.includes("ORIGINS")),
    []
  )
})

interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

interface Told {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

/** Sends a target as it is, which fetch would mend first. */
const raw = async (
  target: string,
  headers: { readonly [name: string]: string } = {},
  method = "GET"
): Promise<Told> => {
  const wire = await market.wire()
  wire.request(`${method} ${target} HTTP/1.1`, { connection: "close", ...headers })
  await wire.closed
  const [answer] = wire.answers
  return { status: answer!.status, headers: answer!.headers, body: answer!.body.toString() }
}

const problemIn = ({ body, headers, status }: Told): Problem => {
  assert.strictEqual(headers["content-type"], "application/problem+json", body)
  const problem = JSON.parse(body) as Problem
  assert.containsAllKeys(problem, ["type", "title", "status", "detail", "code"])
  assert.strictEqual(problem.status, status)
  assert.isTrue(problem.type.endsWith(problem.code), problem.type)
  assert.doesNotThrow(() => new URL(problem.type, market.daemon.url))
  for (const text of [problem.title, problem.detail]) assert.match(text, /\S/)
  // No stack, path of ours, or address of the upstream.
  assert.notMatch(body, /\n\s+at |node_modules|\.ts\b|file:|\/work\/|Error:/)
  assert.notInclude(body, market.backend.url)
  assert.notInclude(body, new URL(market.backend.url).port)
  return problem
}

const roads = ["/v1/snapshot", "/v1/changes", "/v1/stream"]

describe("400 invalid_query", () => {
  const cases: ReadonlyArray<readonly [search: string, says: RegExp]> = [
    ["colections=pools", /"colections".*"collections"/],
    ["collection=pools", /"collection".*"collections"/],
    ["key_s=a", /"key_s".*"keys"/],
    ["feilds=rate", /"feilds".*"fields"/],
    ["intervall=1s", /"intervall".*"interval"/],
    ["Since=x", /"Since".*"since"/],
    ["last-event-id=x", /"last-event-id".*"last_event_id"/],
    ["token=secret", /"token"/],
    ["pools.wheres=type:stable", /"pools\.wheres".*"pools\.where"/],
    ["pools.interval=1s", /"pools\.interval"/],
    ["=", /""/],
    ["%=1", /"%"/],
    ["constructor=1", /"constructor"/],
    ["collections=", /collections/],
    ["collections=pools,", /empty item/],
    ["collections=,pools", /empty item/],
    ["collections=pools%2C", /empty item/],
    ["keys=a,,b", /empty item/],
    ["keys=,", /empty item/],
    ["fields=rate,", /empty item/],
    ["pools.keys=a,", /empty item/],
    ["since=a&since=a", /"since"/],
    ["interval=1s&interval=1s", /"interval"/],
    ["wait=1s&wait=2s", /"wait"/],
    ["lastEventId=a&lastEventId=b", /"lastEventId"/],
    ["interval=", /interval/],
    ["interval=49ms", /interval.*50/],
    ["interval=0s", /interval/],
    ["interval=60001ms", /interval/],
    ["interval=61s", /interval/],
    ["interval=1m", /interval/],
    ["interval=1", /interval/],
    ["interval=-1s", /interval/],
    ["interval=1.5s", /interval/],
    ["interval=1e3ms", /interval/],
    ["interval=%201s", /interval/],
    ["interval=1S", /interval/],
    ["interval=NaNms", /interval/],
    ["interval=99999999999999999999s", /interval/],
    ["interval=%D9%A1s", /interval/],
    ["wait=", /wait/],
    ["wait=56s", /wait.*55/],
    ["wait=55001ms", /wait/],
    ["wait=25", /wait/],
    ["wait=forever", /wait/],
    ["fields=rat", /"rat".*"rate"/],
    ["fields=rate,nothing", /"nothing"/],
    ["fields=__proto__", /"__proto__"/],
    ["fields=toString", /"toString"/],
    ["collections=types&fields=rate", /"rate"/],
    ["pools.fields=count", /"count"/],
    ["where=rate:1.0", /"rate".*fixed/],
    ["where=id:a", /"id".*fixed/],
    ["pools.where=volume:1", /"volume".*fixed/],
    ["where=typ:stable", /"typ".*"type"/],
    ["where=type", /where/],
    ["where=", /where/],
    ["where=:stable", /where/],
    ["where=type=stable", /where/],
    ["collections=pools&types.keys=stable", /"types"/],
    ["poolz.keys=a", /"poolz".*"pools"/],
    ["collections=pools&constructor.keys=a", /"constructor"/],
    ["collections=pools%00&x=1", /"x"/]
  ]
  for (const [search, says] of cases) {
    it(search, async () => {
      await inTurn(roads, async (road) => {
        const answer = await raw(`${road}?${search}`)
        assert.strictEqual(answer.status, 400, road)
        const problem = problemIn(answer)
        assert.strictEqual(problem.code, "invalid_query")
        assert.match(problem.detail, says)
        assert.strictEqual(answer.headers["cache-control"], "no-store")
      })
    })
  }

  it("of one row, of the list and of a refresh: what they do not take", async () => {
    for (const [target, method, says] of [
      ["/v1/rows/pools", "GET", /key/],
      ["/v1/rows/pools?keys=a", "GET", /"keys".*"key"/],
      ["/v1/rows/pools?key=a&key=b", "GET", /"key"/],
      ["/v1/rows/pools/a?key=a", "GET", /key/],
      ["/v1/rows/pools/a?fields=rate", "GET", /"fields"/],
      ["/v1/collections?collections=pools", "GET", /"collections"/],
      ["/v1/refresh/pools?force=1", "POST", /"force"/]
    ] as const) {
      const answer = await raw(target, { "content-length": "0" }, method)
      assert.strictEqual(answer.status, 400, target)
      const problem = problemIn(answer)
      assert.strictEqual(problem.code, "invalid_query")
      assert.match(problem.detail, says)
    }
  })
})

describe("what is understood, however odd it looks", () => {
  for (const search of [
    "",
    "_",
    "_=1&_utm=%zz",
    "&&",
    "%63ollections=%70ools",
    "collections=pools%2Ctypes",
    "since=",
    "last_event_id=%00%ff",
    "keys=%zz&key=%",
    "key=+&key=%20",
    "where=type%3Astable",
    "where=type:stable%00",
    "wait=000025s&interval=0050ms",
    "collections=pools&pools.keys=",
    "fields=id"
  ]) {
    it(`?${search}`, async () => {
      assert.strictEqual((await raw(`/v1/snapshot?${search}`)).status, 200)
    })
  }

  it("an absolute target (RFC 9112, 3.2.2)", async () => {
    assert.strictEqual((await raw(`${market.daemon.url}/v1/snapshot?collections=pools`)).status, 200)
  })
})

describe("404", () => {
  for (const [target, code, says] of [
    ["/v1/snapshot?collections=pool", "unknown_collection", /"pool".*"pools"/],
    ["/v1/stream?collections=Pools", "unknown_collection", /"Pools".*"pools"/],
    ["/v1/changes?collections=pools,typs", "unknown_collection", /"typs".*"types"/],
    ["/v1/snapshot?collections=order", "unknown_collection", /"order"/],
    ["/v1/snapshot?collections=order:", "unknown_collection", /"order:"/],
    ["/v1/snapshot?collections=orders:1", "unknown_collection", /"orders:1"/],
    ["/v1/snapshot?collections=pools:1", "unknown_collection", /"pools:1"/],
    ["/v1/snapshot?collections=*", "unknown_collection", /"\*"/],
    ["/v1/snapshot?collections=p*", "unknown_collection", /"p\*"/],
    ["/v1/snapshot?collections=__proto__", "unknown_collection", /"__proto__"/],
    ["/v1/snapshot?collections=%ff", "unknown_collection", /no collection/],
    ["/v1/snapshot?collections=%3Cscript%3E", "unknown_collection", /no collection/],
    [`/v1/snapshot?collections=order:${"x".repeat(300)}`, "unknown_collection", /no collection/],
    ["/v1/rows/pool/a", "unknown_collection", /"pool".*"pools"/],
    ["/v1/rows/order/a", "unknown_collection", /"order"/],
    ["/v1/rows/order:*/a", "unknown_collection", /./],
    ["/v1/rows/pools/nothing", "unknown_row", /"nothing"/],
    ["/v1/rows/pools/a%2Fb", "unknown_row", /"a\/b"/],
    ["/v1/rows/pools/a%252Fb", "unknown_row", /"a%2Fb"/],
    ["/v1/rows/pools/A", "unknown_row", /"A"/],
    ["/v1/rows/pools/a;b", "unknown_row", /"a;b"/],
    ["/v1/rows/pools/a+", "unknown_row", /"a\+"/],
    [`/v1/rows/pools/${"long".repeat(64)}`, "unknown_row", /long/],
    [`/v1/rows/pools/${"long".repeat(1_500)}`, "unknown_row", /long/],
    ["/v1/rows/pools/__proto__", "unknown_row", /"__proto__"/],
    ["/v1/rows/pools/a/b", "not_found", /./],
    ["/v1/snapshots", "not_found", /\/v1\/snapshot"/],
    ["/v1/sream", "not_found", /\/v1\/stream"/],
    ["/v2/snapshot", "not_found", /\/v1\/snapshot"/],
    ["/v1", "not_found", /./],
    ["/", "not_found", /./],
    ["/%2e%2e/%2e%2e/etc/passwd", "not_found", /./],
    ["/../../etc/passwd", "not_found", /./],
    ["/v1/%", "not_found", /./],
    ["/v1/rows/pools/%", "not_found", /./],
    ["/v1/rows/pools/%zz", "not_found", /./],
    ["/v1/rows/pools/%ff", "not_found", /./],
    ["/v1/rows/%/a", "not_found", /./],
    ["/%00", "not_found", /./]
  ] as const) {
    it(`${target.slice(0, 60)} ${code}`, async () => {
      const answer = await raw(target)
      assert.include([404, 400], answer.status)
      const problem = problemIn(answer)
      // A path that cannot be decoded may be malformed or nowhere.
      if (/%(?![0-9a-f]{2})|%ff/.test(target) && target.startsWith("/v1/") && !target.includes("?")) return
      assert.strictEqual(answer.status, 404)
      assert.strictEqual(problem.code, code)
      assert.match(problem.detail, says)
    })
  }
})

/** A target of so many characters. */
const target = (length: number) => `/v1/snapshot?_=${"x".repeat(length - 15)}`

describe("what is too long", () => {
  it("a URL of more than 8 KiB: 414; one of 8 KiB is read", async () => {
    assert.strictEqual((await raw(target(8_192))).status, 200)
    for (const length of [8_193, 12_000]) {
      const answer = await raw(target(length))
      assert.strictEqual(answer.status, 414)
      problemIn(answer)
    }
  })

  it("headers of more than 16 KiB: 431, with a problem like any other", async () => {
    const answer = await raw("/v1/snapshot", { "x-long": "x".repeat(17_000) })
    assert.strictEqual(answer.status, 431)
    problemIn(answer)
  })

  it("what is no HTTP: 400, with a problem like any other", async () => {
    for (const text of ["HELLO\r\n\r\n", "GET /v1/snapshot HTTP/1.1\r\nhost: x\r\n bad : y\r\n\r\n"]) {
      const wire = await market.wire()
      wire.socket.write(text)
      await wire.closed
      const [answer] = wire.answers
      assert.strictEqual(answer!.status, 400, text)
      problemIn({ status: 400, headers: answer!.headers, body: answer!.body.toString() })
    }
  })
})

describe("across origins", () => {
  const foreign = { origin: "https://app.example" }
  const preflight = {
    ...foreign,
    "access-control-request-method": "GET",
    "access-control-request-headers": "last-event-id"
  }

  it("nothing is allowed by default", async () => {
    for (const target of [...roads.slice(0, 2), "/v1/collections", "/v1/rows/pools/a", "/v1/nothing"]) {
      const { headers } = await raw(target, foreign)
      assert.notProperty(headers, "access-control-allow-origin", target)
      assert.notProperty((await raw(target, preflight, "OPTIONS")).headers, "access-control-allow-origin")
    }
    const stream = await market.stream("", { headers: foreign })
    assert.notProperty(stream.headers, "access-control-allow-origin")
    stream.close()
  })

  it("ORIGINS may read, to the letter, with what they need to", () =>
    alone([pool("a")], { env: { ORIGINS: "https://app.example,http://localhost:3000" } }, async (own) => {
      const allowed = await own.get("/v1/snapshot", foreign)
      assert.strictEqual(allowed.headers.get("access-control-allow-origin"), "https://app.example")
      assert.match(allowed.headers.get("access-control-expose-headers")!, /Ratecast-Cursor/)
      assert.match(allowed.headers.get("vary")!, /Origin/)
      const problem = await own.get("/v1/snapshot?x=1", foreign)
      assert.strictEqual(problem.headers.get("access-control-allow-origin"), "https://app.example")
      const stream = await own.stream("", { headers: foreign })
      assert.strictEqual(stream.headers["access-control-allow-origin"], "https://app.example")
      stream.close()
      const asked = await fetch(own.at("/v1/stream"), { method: "OPTIONS", headers: preflight })
      assert.strictEqual(asked.status, 204)
      assert.strictEqual(asked.headers.get("access-control-allow-origin"), "https://app.example")
      assert.match(asked.headers.get("access-control-allow-methods")!, /GET/)
      assert.match(asked.headers.get("access-control-allow-headers")!, /Last-Event-ID/i)
      assert.isAtMost(Number(asked.headers.get("access-control-max-age")), 600)
      assert.notProperty(Object.fromEntries(asked.headers), "access-control-allow-private-network")
      for (const origin of [
        "https://app.example.evil.example",
        "https://APP.example",
        "null",
        "http://app.example"
      ]) {
        const { headers } = await own.get("/v1/snapshot", { origin })
        assert.isNull(headers.get("access-control-allow-origin"), origin)
      }
    }))
})

describe("the checks of this file", () => {
  it("show when an answer is no problem, or tells too much", async () => {
    const headers = { "content-type": "application/problem+json" }
    const problem = { type: "/problems/x", title: "x", status: 400, detail: "x", code: "x" }
    const told = (more: object) => () =>
      problemIn({ status: 400, headers, body: JSON.stringify({ ...problem, ...more }) })
    assert.doesNotThrow(told({}))
    assert.throws(told({ detail: `fetch ${market.backend.url}` }))
    assert.throws(told({ detail: "x\n    at f (/work/main/src/Http.ts:1)" }))
    assert.throws(told({ status: 500 }))
    assert.throws(told({ detail: "" }))
    const answer = await raw("/v1/snapshot")
    assert.throws(() => problemIn(answer))
  })
})
