/** Families: one member by name, all of them by pattern, and how many may be read at once. */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"

import { until } from "../Daemon.ts"
import { alone, heldRows, Market, numbers, pool, sleep, textOf } from "./Market.ts"

const order = (id: string, amount = "1.50") => ({ id, amount })

describe("a member of a family", () => {
  let market: Market
  beforeAll(async () => {
    market = await Market.open([pool("a")])
  })
  afterEach(() => market.leave())
  afterAll(() => market.close())

  it("without rows is an empty collection, and is filled on every road as its poll comes", async () => {
    market.bodies.set("/orders/7", [order("x")])
    const search = "collections=order:7"
    const stream = await market.stream(search)
    const socket = await market.socket(search)
    const poll = await market.poll(search)
    assert.isTrue(poll.rows.has("order:7"))
    if (heldRows(poll, "order:7").size === 0) await poll.ask("wait=2s")
    const rows = textOf({ x: order("x") })
    const clients = [stream, socket, poll]
    await until("rows", () => clients.every((client) => heldRows(client, "order:7").size === 1))
    for (const client of clients) {
      assert.deepStrictEqual(heldRows(client, "order:7"), rows)
      assert.strictEqual(client.states.get("order:7"), "live")
      assert.strictEqual(client.refused, 0)
    }
    assert.deepStrictEqual(textOf((await market.snapshot(`?${search}`)).collections["order:7"]!.rows), rows)
    assert.strictEqual((await market.get("/v1/rows/order:7/x")).status, 200)
    assert.strictEqual((await market.get("/v1/rows/order%3A7?key=x")).status, 200)
  })

  it("is polled once for all who read it", async () => {
    market.bodies.set("/orders/shared", [order("s")])
    await Promise.all(numbers(8).map(() => market.stream("collections=order:shared")))
    await market.poll("collections=order:shared")
    await until("a poll", () => market.asked.includes("/orders/shared"))
    assert.lengthOf(
      market.asked.filter((path) => path === "/orders/shared"),
      1
    )
  })

  it("goes to the upstream as one step of its path, whatever its id holds", async () => {
    for (const id of ["a/b", "a b", "../pools", "a?b#c", "100%", "é"]) {
      const search = `collections=${encodeURIComponent(`order:${id}`)}`
      const { collections } = await market.snapshot(`?${search}`)
      assert.deepStrictEqual(Object.keys(collections), [`order:${id}`])
      const path = `/orders/${encodeURIComponent(id)}`
      await until(`${path} among ${market.asked.slice(-3)}`, () => market.asked.includes(path))
    }
  })

  it("is no part of a query that names no collections", async () => {
    await market.commit("order:hidden", [order("h")])
    const { collections } = await market.snapshot()
    assert.sameMembers(Object.keys(collections), ["pools", "types", "wide", "silent"])
  })

  it("stands in /v1/collections as the pattern that reads all of them", async () => {
    await market.commit("order:listed", [order("l1"), order("l2")])
    const answer = (await (await market.get("/v1/collections")).json()) as {
      readonly collections: ReadonlyArray<{
        readonly name: string
        readonly kind: string
        readonly rows: number
      }>
    }
    const listed = answer.collections.find(({ name }) => name === "order:*")!
    assert.strictEqual(listed.kind, "polled")
    assert.isAtLeast(listed.rows, 2)
  })
})

describe("order:* is a query for whoever may read that pattern", () => {
  let market: Market
  beforeAll(async () => {
    market = await Market.open([pool("a")], { forgetAfter: "300 millis" })
  })
  afterEach(() => market.leave())
  afterAll(() => market.close())

  it("members appear and go as collections of a change", async () => {
    const stream = await market.stream("collections=order:*")
    const socket = await market.socket("collections=pools,order:*")
    await until("snapshots", () => stream.messages.length + socket.messages.length === 2)
    assert.deepStrictEqual(stream.messages[0]!.collections, {})
    await market.commit("order:1", [order("x"), order("y")])
    await market.commit("order:2", [order("z")])
    for (const client of [stream, socket]) {
      await until("members", () => heldRows(client, "order:2").size === 1)
      assert.deepStrictEqual(heldRows(client, "order:1"), textOf({ x: order("x"), y: order("y") }))
      assert.deepStrictEqual(heldRows(client, "order:2"), textOf({ z: order("z") }))
      assert.strictEqual(client.states.get("order:1"), "live")
    }
    // Nobody reads them by name any more.
    for (const client of [stream, socket]) {
      await until("no rows", () => heldRows(client, "order:1").size + heldRows(client, "order:2").size === 0)
      const gone = client.messages.filter(
        ({ collections }) => collections?.["order:1"]?.["evict"] !== undefined
      )
      assert.lengthOf(gone, 1, "its rows left the window: they are not deleted")
      assert.strictEqual(client.refused, 0)
    }
  })

  it("a snapshot has the members there are, and a pattern may have more letters", async () => {
    const named = await market.stream("collections=order:b1,order:b2,order:c1")
    await market.commit("order:b1", [order("x")])
    await market.commit("order:b2", [order("y")])
    await market.commit("order:c1", [order("z")])
    const all = await market.snapshot("?collections=order:*")
    assert.includeMembers(Object.keys(all.collections), ["order:b1", "order:b2", "order:c1"])
    const some = await market.snapshot("?collections=order:b*")
    assert.sameMembers(Object.keys(some.collections), ["order:b1", "order:b2"])
    const keyed = await market.snapshot("?collections=order:*&keys=x&fields=amount")
    assert.deepStrictEqual(keyed.collections["order:b1"]!.rows, { x: order("x") })
    assert.deepStrictEqual(keyed.collections["order:c1"]!.rows, {})
    await until("the named ones", () => heldRows(named, "order:c1").size === 1)
  })

  it("resumes over members that came meanwhile", async () => {
    const poll = await market.poll("collections=order:*")
    const held = await market.stream("collections=order:new")
    await market.commit("order:new", [order("n")])
    await poll.ask("wait=2s")
    await until("the row", async () => {
      if (heldRows(poll, "order:new").size === 0) await poll.ask("wait=100ms")
      return heldRows(poll, "order:new").size === 1
    })
    assert.deepStrictEqual(poll.reasons, ["initial"])
    assert.strictEqual(poll.refused, 0)
    assert.strictEqual(held.refused, 0)
  })

  it("shows when a member is missing: another pattern is another answer", async () => {
    const named = await market.stream("collections=order:d1")
    await market.commit("order:d1", [order("x")])
    const [all, none] = [
      await market.snapshot("?collections=order:*"),
      await market.snapshot("?collections=order:x*")
    ]
    assert.property(all.collections, "order:d1")
    assert.notProperty(none.collections, "order:d1")
    assert.strictEqual(named.status, 200)
  })
})

describe("members that are polled at once are bounded", () => {
  let market: Market
  beforeAll(async () => {
    market = await Market.open([pool("a")], { maxMembers: 2 })
  })
  beforeEach(async () => {
    const readers = [await market.stream("collections=order:1"), await market.stream("collections=order:2")]
    await until("readers", () => readers.every(({ messages }) => messages.length > 0))
  })
  afterEach(() => market.leave())
  afterAll(() => market.close())

  it("429 too_many with Retry-After where a status can be told", async () => {
    for (const path of [
      "/v1/snapshot?collections=order:3",
      "/v1/changes?collections=order:3",
      "/v1/rows/order:3/x"
    ]) {
      const answer = await market.get(path)
      assert.strictEqual(answer.status, 429, path)
      assert.isAtLeast(Number(answer.headers.get("retry-after")), 1)
      assert.strictEqual(((await answer.json()) as { readonly code: string }).code, "too_many")
    }
    const refreshed = await fetch(market.at("/v1/refresh/order:3"), { method: "POST" })
    assert.strictEqual(refreshed.status, 429)
  })

  it("a stream is never answered 429: 200, retry:, goodbye, end", async () => {
    const stream = await market.stream("collections=order:3")
    assert.strictEqual(await stream.ended, "clean")
    assert.strictEqual(stream.status, 200)
    assert.strictEqual(stream.headers["content-type"], "text/event-stream")
    assert.isNumber(stream.parser.retry)
    assert.deepStrictEqual(stream.types, ["goodbye"])
    assert.strictEqual(stream.goodbye!.code, "too_many")
    assert.isAtLeast(stream.goodbye!["retryAfterMs"] as number, 1_000)
  })

  it("a socket learns it by goodbye and 4429, a subscribe by an error", async () => {
    const socket = await market.socket("collections=order:3")
    assert.deepStrictEqual(await socket.closed, { code: 4429, reason: "too_many" })
    assert.strictEqual(socket.goodbye!.code, "too_many")
    assert.isAtLeast(socket.goodbye!["retryAfterMs"] as number, 1_000)
    const other = await market.socket("collections=order:1")
    other.say({ type: "subscribe", ref: "s", collections: ["order:3"] })
    const { problem, type } = await other.answer("s")
    assert.strictEqual(type, "error")
    assert.strictEqual((problem as { readonly code: string }).code, "too_many")
  })

  it("those that are read already stay readable", async () => {
    assert.strictEqual((await market.get("/v1/snapshot?collections=order:1,order:2")).status, 200)
    assert.strictEqual((await market.get("/v1/snapshot?collections=order:*")).status, 200)
  })

  it("those that nobody reads any more give way", () =>
    alone([pool("a")], { maxMembers: 2 }, async (own) => {
      for (const i of numbers(6)) {
        assert.strictEqual((await own.get(`/v1/snapshot?collections=order:${i}`)).status, 200, `order:${i}`)
        await until("a poll", () => own.asked.includes(`/orders/${i}`))
      }
    }))

  it("also where one query names more than may be read", () =>
    alone([pool("a")], { maxMembers: 2 }, async (own) => {
      const { status } = await own.get("/v1/snapshot?collections=order:1,order:2,order:3")
      await sleep(100)
      const polled = new Set(own.asked.filter((path) => path.startsWith("/orders/")))
      assert.isAtMost(polled.size, 2, "polled at once")
      assert.strictEqual(status, 429)
    }))
})
