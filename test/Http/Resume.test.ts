/** A stream that comes back: where the cursor may stand, which one wins, and what is said to a cursor that is no good. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { type Client, PollClient } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { alone, heldRows, inTurn, Market, numbers, pool } from "./Market.ts"

let market: Market
const rows = numbers(5).map((i) => pool(`p${i}`))

beforeAll(async () => {
  market = await Market.open(rows)
})
afterEach(() => market.leave())
afterAll(() => market.close())

let rate = 0
const commit = () => market.commit("pools", [{ ...rows[0]!, rate: String(++rate) }, ...rows.slice(1)])

const query = "collections=pools"

describe("the cursor of a stream that comes back", () => {
  it("stands in the header Last-Event-ID or in the query, however it is spelled", async () => {
    const held = await market.poll(query)
    await commit()
    const inHeader = await market.stream(query, { headers: { "last-event-id": held.cursor! }, from: held })
    assert.strictEqual((await inHeader.first()).from, held.cursor)
    for (const name of ["since", "last_event_id", "lastEventId", "lastEventID", "lastEvent"]) {
      const stream = await market.stream(`${query}&${name}=${held.cursor}`, { from: held })
      const { from, type } = await stream.first()
      assert.strictEqual(type, "change", name)
      assert.strictEqual(from, held.cursor, name)
      assert.deepStrictEqual(heldRows(stream, "pools"), heldRows(inHeader, "pools"))
      const answer = await market.get(`/v1/changes?${query}&${name}=${held.cursor}`)
      assert.strictEqual(((await answer.json()) as { readonly from: string }).from, held.cursor, name)
    }
  })

  it("the header wins over the query", async () => {
    const old = await market.poll(query)
    await commit()
    const newer = await market.poll(query)
    await commit()
    for (const name of ["since", "lastEventId"]) {
      const stream = await market.stream(`${query}&${name}=${old.cursor}`, {
        headers: { "last-event-id": newer.cursor! },
        from: newer
      })
      assert.strictEqual((await stream.first()).from, newer.cursor)
      const poll = new PollClient(market.at(`/v1/changes?${query}&${name}=${old.cursor}`))
      poll.take(JSON.stringify(newer.messages[0]))
      const answer = await market.get(`/v1/changes?${query}&${name}=${old.cursor}`, {
        "last-event-id": newer.cursor!
      })
      assert.strictEqual(((await answer.json()) as { readonly from: string }).from, newer.cursor)
    }
  })

  it("an empty one is none", async () => {
    const { cursor } = await market.snapshot(`?${query}`)
    for (const search of ["since=", "lastEventId=", "last_event_id=&since="]) {
      const stream = await market.stream(`${query}&${search}`, { headers: { "last-event-id": "" } })
      assert.strictEqual((await stream.first()).reason, "initial", search)
    }
    const inQuery = await market.stream(`${query}&since=${cursor}`, { headers: { "last-event-id": "" } })
    assert.strictEqual((await inQuery.first()).from, cursor, "an empty header does not win")
    const other = await market.stream(`${query}&since=&lastEventId=${cursor}`)
    assert.strictEqual((await other.first()).from, cursor)
  })

  it("is used again and again by a client that is cut off: no change is lost, none comes twice", async () => {
    const held = await market.poll(query)
    await inTurn(numbers(12), async (round) => {
      const stream = await market.stream(query, {
        headers: { "last-event-id": held.cursor!, "accept-encoding": round % 2 ? "gzip" : "identity" },
        from: held
      })
      const both = [commit(), commit()]
      await until("something", () => stream.messages.length > round % 2)
      stream.close()
      for (const message of stream.messages) held.take(JSON.stringify(message))
      await Promise.all(both)
    })
    await until("the newest", async () => {
      await held.ask("wait=0s")
      return held.rows.get("pools")!.get("p0")!.get("rate") === String(rate)
    })
    assert.strictEqual(held.refused, 0)
    assert.deepStrictEqual(held.reasons, ["initial"])
  })
})

const tampered = (text: string, at: number) =>
  text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1)

describe("a malformed, foreign or future since is never an error: it gets a snapshot", () => {
  const cases: ReadonlyArray<
    readonly [string, (cursor: string, foreign: string) => string, ReadonlyArray<string>]
  > = [
    ["not a cursor", () => "hello", ["epoch"]],
    ["a number", () => "17", ["epoch"]],
    ["truncated by one digit", (cursor) => cursor.slice(0, -1), ["epoch"]],
    ["without its proof", (cursor) => cursor.slice(0, -13), ["epoch"]],
    ["without its epoch", (cursor) => cursor.slice(cursor.indexOf("-")), ["epoch"]],
    ["one digit longer", (cursor) => `${cursor}0`, ["epoch"]],
    ["in capitals", (cursor) => cursor.toUpperCase(), ["epoch"]],
    ["with a revision that has a zero before it", (cursor) => cursor.replace("-", "-0"), ["epoch"]],
    ["with a negative revision", (cursor) => cursor.replace("-", "--"), ["epoch"]],
    ["with a revision beyond every double", (cursor) => cursor.replace("-", `-${"9".repeat(40)}`), ["epoch"]],
    ["of another epoch", (cursor) => `x${cursor}`, ["epoch"]],
    ["of the epoch of a prototype", (cursor) => cursor.replace(/^[^-]+/, "constructor"), ["epoch"]],
    ["with control characters", (cursor) => `${cursor}\r\nid: 1\0`, ["epoch"]],
    ["of 4,000 characters", () => "k".repeat(4_000), ["epoch"]],
    ["quoted", (cursor) => `"${cursor}"`, ["epoch"]],
    ["of another query", (_, foreign) => foreign, ["query"]],
    [
      "whose proof does not fit at its end",
      (cursor) => tampered(cursor, cursor.length - 1),
      ["query", "diverged"]
    ],
    [
      "whose proof does not fit at its beginning",
      (cursor) => tampered(cursor, cursor.length - 12),
      ["diverged"]
    ],
    ["of a revision that is not its own", (cursor) => cursor.replace(/-\d+-/, "-1-"), ["query", "diverged"]]
  ]
  for (const [what, make, reasons] of cases) {
    it(what, async () => {
      const foreign = await market.snapshot("?collections=types")
      const text = make((await market.snapshot(`?${query}`)).cursor, foreign.cursor)
      const search = `${query}&since=${encodeURIComponent(text)}`
      const header = /[\r\n\0]/.test(text) ? {} : { headers: { "last-event-id": text } }
      const clients: ReadonlyArray<Client> = [
        await market.stream(search),
        await market.stream(query, header),
        await market.socket(search),
        await market.poll(search)
      ]
      for (const [i, client] of clients.entries()) {
        const { reason, type } = await client.first()
        assert.strictEqual(type, "snapshot")
        if (i !== 1 || "headers" in header) assert.include(reasons, reason)
        assert.strictEqual(heldRows(client, "pools").size, 5)
      }
    })
  }

  it("ahead in the same epoch, once it has waited: reason epoch", async () => {
    const { cursor } = await market.snapshot(`?${query}`)
    const ahead = cursor.replace(/-\d+-/, (text) => `-${Number(text.slice(1, -1)) + 100}-`)
    const streams = await Promise.all([
      market.stream(`${query}&since=${ahead}`),
      market.stream(query, { headers: { "last-event-id": ahead, "accept-encoding": "gzip" } }),
      market.socket(`${query}&since=${ahead}`)
    ])
    for (const client of streams) assert.strictEqual((await client.first()).reason, "epoch")
  })

  it("shows when a cursor is good: no snapshot then", async () => {
    const { cursor } = await market.snapshot(`?${query}`)
    const stream = await market.stream(`${query}&since=${cursor}`)
    assert.strictEqual((await stream.first()).type, "ping")
    assert.deepStrictEqual(stream.reasons, [])
  })
})

describe("a cursor from long ago", () => {
  it("gets a snapshot because it is forgotten, or because it is smaller", () =>
    alone(rows, { memory: { tips: 8, tombstones: 1_000, idleMembers: 10 } }, async (own) => {
      const long = new PollClient(own.at(`/v1/changes?${query}`))
      await long.ask()
      const recent = new PollClient(own.at(`/v1/changes?${query}`))
      await inTurn(numbers(20), (i) => own.commit("pools", rows.slice(0, 1 + (i % 4))))
      await own.commit("pools", [...rows, ...numbers(600).map((i) => pool(`many${i}`))])
      await recent.ask()
      await own.commit("pools", rows)
      await long.ask()
      await recent.ask()
      assert.deepStrictEqual(long.reasons, ["initial", "forgotten"])
      assert.deepStrictEqual(recent.reasons, ["initial", "smaller"])
      for (const client of [long, recent]) assert.strictEqual(heldRows(client, "pools").size, 5)
    }))

  it("gets its collection anew inside a change where only that was forgotten", () =>
    alone(rows, { memory: { tips: 1_000, tombstones: 0, idleMembers: 10 } }, async (own) => {
      const poll = new PollClient(own.at("/v1/changes?collections=pools,wide"))
      await poll.ask()
      await own.commit("wide", [{ id: "w", text: "kept" }])
      await poll.ask()
      await own.commit("pools", [...rows, ...numbers(20).map((i) => pool(`many${i}`))])
      await own.commit("pools", rows.slice(0, 2))
      await poll.ask()
      const last = poll.messages.at(-1)!
      assert.strictEqual(last.type, "change")
      assert.hasAllKeys(last.collections!["pools"]!.rows, ["p0", "p1"])
      assert.notProperty(last.collections, "wide")
      assert.strictEqual(heldRows(poll, "wide").size, 1)
      assert.strictEqual(heldRows(poll, "pools").size, 2)
      assert.deepStrictEqual(poll.reasons, ["initial"])
    }))
})
