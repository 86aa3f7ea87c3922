/** Answers that are given once: what caches may do with them, entity tags, `HEAD`, and which methods a path takes. */
import { gunzipSync } from "node:zlib"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { ask, byId, inTurn, Market, numbers, type Pool, pool, type Snapshot, textOf } from "./Market.ts"

let market: Market
let rows: ReadonlyArray<Pool> = numbers(40).map((i) =>
  pool(`p${i}`, { type: i < 20 ? "stable" : "volatile" })
)

beforeAll(async () => {
  market = await Market.open(rows)
})
afterEach(() => market.leave())
afterAll(() => market.close())

/** One row changes. */
const edit = (id: string, more: Partial<Pool>) => {
  rows = rows.map((row) => (row.id === id ? { ...row, ...more } : row))
  return market.commit("pools", rows)
}

const vary = "Accept-Encoding, Authorization, Cookie, Origin"
const tagOf = (answer: Response) => answer.headers.get("etag")!

describe("caching", () => {
  it("no-cache for snapshots and rows, no-store for changes, and what they vary by", async () => {
    for (const [path, caching] of [
      ["/v1/snapshot", "no-cache"],
      ["/v1/rows/pools/p1", "no-cache"],
      ["/v1/rows/pools?key=p1", "no-cache"],
      ["/v1/collections", "no-cache"],
      ["/v1/changes", "no-store"],
      ["/v1/changes?since=now&wait=0s", "no-store"]
    ] as const) {
      const { headers } = await market.get(path)
      assert.strictEqual(headers.get("cache-control"), caching, path)
      assert.strictEqual(headers.get("vary"), vary, path)
    }
  })

  it("no answer says that it is private while no token is read", async () => {
    const { headers } = await market.get("/v1/snapshot", { cookie: "theme=dark" })
    assert.strictEqual(headers.get("cache-control"), "no-cache")
  })
})

describe("the entity tag of a snapshot", () => {
  it("is its cursor, weak", async () => {
    const answer = await market.get("/v1/snapshot?collections=pools")
    const { cursor } = (await answer.json()) as Snapshot
    assert.strictEqual(tagOf(answer), `W/"${cursor}"`)
    assert.strictEqual(answer.headers.get("content-type"), "application/json")
  })

  it("304 where nothing of the query has changed since the cursor, not where the revision is the same", async () => {
    const query = "/v1/snapshot?collections=pools&where=type:stable&fields=rate"
    const tag = tagOf(await market.get(query))
    const revision = market.daemon.hub.revision()
    await inTurn([1, 2, 3], async (i) => {
      await market.commit("wide", [{ id: "w", text: String(i) }])
      await edit("p30", { rate: `${i}.5` })
      await edit("p1", { volume: i })
      const answer = await market.get(query, { "if-none-match": tag })
      assert.strictEqual(answer.status, 304)
      assert.strictEqual(await answer.text(), "")
      assert.strictEqual(answer.headers.get("vary"), vary)
      assert.strictEqual(answer.headers.get("cache-control"), "no-cache")
      assert.isString(answer.headers.get("etag"))
    })
    assert.strictEqual(market.daemon.hub.revision(), revision + 9)
    await edit("p1", { rate: "7.7" })
    const changed = await market.get(query, { "if-none-match": tag })
    assert.strictEqual(changed.status, 200)
    assert.notStrictEqual(tagOf(changed), tag)
  })

  it("200 for a row that came in, went out, or was there only between; and for a state that changed", async () => {
    const query = "/v1/snapshot?collections=pools&where=type:volatile"
    const changes: ReadonlyArray<() => Promise<unknown>> = [
      () => edit("p2", { type: "volatile" }),
      () => edit("p2", { type: "stable" }),
      () => market.commit("pools", rows.slice(0, -1)),
      () => market.commit("pools", rows),
      () => market.commit("pools", 503)
    ]
    await inTurn(changes, async (change) => {
      const tag = tagOf(await market.get(query))
      assert.strictEqual((await market.get(query, { "if-none-match": tag })).status, 304)
      await change()
      assert.strictEqual((await market.get(query, { "if-none-match": tag })).status, 200, String(change))
    })
    await market.commit("pools", rows)
  })

  it("is found in a list, and under any other query, epoch or form it is none", async () => {
    const query = "/v1/snapshot?collections=pools"
    const tag = tagOf(await market.get(query))
    const [epoch, rest] = [tag.slice(3, tag.indexOf("-")), tag.slice(tag.indexOf("-"))]
    const status = async (path: string, header: string) =>
      (await market.get(path, { "if-none-match": header })).status
    assert.strictEqual(await status(query, `"other", ${tag}`), 304)
    assert.strictEqual(await status(query, tag.slice(2)), 304, "compared weakly")
    assert.strictEqual(await status("/v1/snapshot?collections=types", tag), 200)
    assert.strictEqual(await status(query, `W/"x${epoch}${rest}`), 200)
    assert.strictEqual(await status(query, tag.slice(3, -1)), 200, "not quoted")
    for (const odd of ["", '""', 'W/""', "W/", '"', `W/"${"9".repeat(4_000)}"`])
      assert.strictEqual(await status(query, odd), 200, odd)
  })
})

describe("one row", () => {
  it("by path and by ?key=, with the cursor of a query for it", async () => {
    const byPath = await market.get("/v1/rows/pools/p3")
    const text = await byPath.text()
    const answer = JSON.parse(text) as {
      readonly cursor: string
      readonly key: string
      readonly row: unknown
    }
    assert.deepStrictEqual(answer, { cursor: answer.cursor, key: "p3", row: rows[3] })
    assert.strictEqual(await (await market.get("/v1/rows/pools?key=p3")).text(), text)
    const onward = await market.get(`/v1/changes?collections=pools&key=p3&since=${answer.cursor}&wait=0s`)
    assert.strictEqual(onward.status, 204)
  })

  it("ETag and 304: of its content, whatever else was committed", async () => {
    const tag = tagOf(await market.get("/v1/rows/pools/p3"))
    await edit("p4", { rate: "5" })
    assert.strictEqual((await market.get("/v1/rows/pools/p3", { "if-none-match": tag })).status, 304)
    await edit("p3", { rate: "6" })
    const changed = await market.get("/v1/rows/pools/p3", { "if-none-match": tag })
    assert.strictEqual(changed.status, 200)
    await edit("p3", { rate: "1.0" })
    assert.strictEqual(tagOf(await market.get("/v1/rows/pools/p3")), tag)
    assert.strictEqual((await market.get("/v1/rows/pools/p3", { "if-none-match": "*" })).status, 304)
  })

  it("404 unknown_row, and a member that has no rows is an empty collection", async () => {
    for (const path of [
      "/v1/rows/pools/nothing",
      "/v1/rows/pools?key=",
      "/v1/rows/order:9/1",
      "/v1/rows/silent/1"
    ]) {
      const answer = await market.get(path)
      assert.strictEqual(answer.status, 404, path)
      assert.strictEqual(((await answer.json()) as { readonly code: string }).code, "unknown_row", path)
    }
  })
})

describe("HEAD is GET without a body", () => {
  for (const path of [
    "/v1/snapshot",
    "/v1/snapshot?collections=nothing",
    "/v1/changes",
    "/v1/changes?since=now&wait=0s",
    "/v1/rows/pools/p1",
    "/v1/rows/pools?key=p1",
    "/v1/collections",
    "/v1/nothing",
    "/livez",
    "/readyz"
  ]) {
    it(path, async () => {
      const get = await ask(market.at(path))
      const head = await ask(market.at(path), { method: "HEAD" })
      // The length of a body that is not sent may be left out, but not be another (RFC 9110, 8.6).
      const length = head.headers["content-length"] ?? get.headers["content-length"]
      const told = ({ headers }: typeof get) => ({ ...headers, date: "", "content-length": length })
      assert.strictEqual(head.status, get.status)
      assert.deepStrictEqual(told(head), { ...told(get), "content-length": get.headers["content-length"] })
      const wire = await market.wire()
      wire.request(`HEAD ${path} HTTP/1.1`, { connection: "close" })
      await wire.closed
      assert.isTrue(wire.text.endsWith("\r\n\r\n"), "no byte after the head")
    })
  }

  it("/v1/stream: the head of a stream, and an end", async () => {
    const { body, headers, status } = await ask(market.at("/v1/stream"), { method: "HEAD" })
    assert.strictEqual(status, 200)
    assert.strictEqual(headers["content-type"], "text/event-stream")
    assert.strictEqual(body, "")
  })

  it("304 to HEAD as to GET", async () => {
    const tag = tagOf(await market.get("/v1/snapshot"))
    const { status } = await ask(market.at("/v1/snapshot"), {
      method: "HEAD",
      headers: { "if-none-match": tag }
    })
    assert.strictEqual(status, 304)
  })
})

describe("another method: 405 method_not_allowed with Allow", () => {
  for (const [path, allow] of [
    ["/v1/snapshot", "GET, HEAD"],
    ["/v1/changes", "GET, HEAD"],
    ["/v1/stream", "GET, HEAD"],
    ["/v1/socket", "GET, HEAD"],
    ["/v1/collections", "GET, HEAD"],
    ["/v1/refresh/pools", "POST"]
  ] as const) {
    it(`${path} takes ${allow}`, async () => {
      const others = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "GET"]
      await inTurn(
        others.filter((method) => !allow.includes(method)),
        async (method) => {
          const { body, headers, status } = await ask(market.at(path), { method })
          assert.strictEqual(status, 405, method)
          assert.sameMembers(headers["allow"]!.split(", "), allow.split(", "))
          assert.strictEqual(headers["content-type"], "application/problem+json")
          assert.strictEqual((JSON.parse(body) as { readonly code: string }).code, "method_not_allowed")
        }
      )
    })
  }
})

/** A body as it came, and what it says. */
const unpacked = async (path: string, encoding: string) => {
  const wire = await market.wire()
  wire.request(`GET ${path} HTTP/1.1`, { "accept-encoding": encoding, connection: "close" })
  await wire.closed
  const [answer] = wire.answers
  assert.isTrue(answer!.whole)
  const gzip = answer!.headers["content-encoding"] === "gzip"
  const text = gzip ? gunzipSync(answer!.body).toString() : answer!.body.toString()
  return { gzip, text, bytes: answer!.body.length }
}

describe("gzip bodies", () => {
  it("where gzip is taken the same text comes smaller, and only there", async () => {
    for (const path of ["/v1/snapshot?collections=pools", "/v1/changes?collections=pools"]) {
      const plain = await unpacked(path, "identity")
      assert.isFalse(plain.gzip)
      for (const encoding of ["gzip", "br, gzip;q=0.5", "*", "GZIP"]) {
        const packed = await unpacked(path, encoding)
        assert.isTrue(packed.gzip, encoding)
        assert.strictEqual(packed.text, plain.text)
        assert.isBelow(packed.bytes, plain.bytes / 2)
      }
      for (const encoding of ["gzip;q=0", "br", "*;q=0", "identity, gzip; q=0.000", ""])
        assert.isFalse((await unpacked(path, encoding)).gzip, encoding)
    }
  })

  it("a long one too, whole and of the length it says", async () => {
    const wide = numbers(60).map((i) => ({ id: `w${i}`, text: `${i}`.repeat(40_000) }))
    await market.commit("wide", wide)
    const plain = await unpacked("/v1/snapshot?collections=wide", "identity")
    assert.isAbove(plain.bytes, 2_400_000)
    const { rows } = (JSON.parse(plain.text) as Snapshot).collections["wide"]!
    assert.deepStrictEqual(textOf(rows), textOf(byId(wide)))
    const packed = await unpacked("/v1/snapshot?collections=wide", "gzip")
    assert.isTrue(packed.gzip)
    assert.strictEqual(packed.text, plain.text)
    await market.commit("wide", [])
  })

  it("shows when a body is cut: the reader of answers says that it is not whole", async () => {
    const wire = await market.wire()
    wire.request("GET /v1/snapshot?collections=pools HTTP/1.1", {
      "accept-encoding": "gzip",
      connection: "close"
    })
    await wire.closed
    const [answer] = wire.answers
    assert.throws(() => gunzipSync(answer!.body.subarray(0, -1)), /unexpected end/)
    const spoiled = Buffer.from(answer!.body)
    spoiled[spoiled.length - 5]! ^= 1
    assert.throws(() => gunzipSync(spoiled))
  })
})
