/** What people report of slow consumers and of memory, elsewhere; here none of it happens. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { Journal, layerSqlite } from "../../src/Hub.ts"
import { until } from "../Daemon.ts"
import { heldRows, Market, numbers, pool, sleep, textOf, byId } from "../Http/Market.ts"
import { megabytesHeld } from "../Memory.ts"
import { SlowLine } from "./SlowLine.ts"

let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")])
})
afterEach(() => market.leave())
afterAll(() => market.close())

const collections = [{ name: "rates", kind: "polled", key: "id", fields: ["id", "rate"], fixed: [] }] as const
const letters = "abcdefghij"
const wide = (step: number) => [
  { id: "big", text: letters[step % 10]!.repeat(300_000) },
  { id: "step", text: String(step) }
]

describe("it does not happen that", () => {
  it("a client on a slow line makes the server run out of memory", async () => {
    await market.commit("wide", wide(0))
    const clients = numbers(2).map(() => new SlowLine(market.port, "collections=wide"))
    await until("snapshots", () => clients.every(({ cursor }) => cursor !== undefined))
    for (const client of clients) client.slow(true)
    let step = 0
    const commits = async (count: number) => {
      for (const _ of numbers(count)) await market.commit("wide", wide(++step))
      for (const { messages } of clients) messages.length = 0
    }
    // The first fill what the kernel keeps for each connection.
    await commits(40)
    const before = megabytesHeld()
    await commits(30)
    assert.isBelow(megabytesHeld() - before, 8, "MB, where two queues would hold 18")
    for (const client of clients) client.slow(false)
    const isThere = ({ rows }: SlowLine) => rows.get("wide")!.get("step")!.get("text") === String(step)
    await until("the newest", () => clients.every(isThere), 15_000)
    for (const client of clients) {
      assert.deepStrictEqual(heldRows(client, "wide"), textOf(byId(wide(step))))
      assert.isBelow(client.changes, step, "some came as one")
      assert.strictEqual(client.refused, 0)
      assert.deepStrictEqual(client.reasons, ["initial"])
      client.close()
    }
  })

  it("a write that has to wait is taken for a client that left, and the stream ends in the middle", async () => {
    // More than the kernel keeps for a connection, so that every write of it has to wait.
    const rows = numbers(40).map((n) => ({ id: `big${n}`, text: "y".repeat(300_000) }))
    await market.commit("wide", rows)
    const client = new SlowLine(market.port, "collections=wide")
    client.slow(true)
    await sleep(500)
    client.slow(false)
    await until("all of it", () => client.rows.get("wide")?.size === rows.length, 15_000)
    assert.deepStrictEqual(heldRows(client, "wide"), textOf(byId(rows)))
    await market.commit("wide", wide(1))
    await until("what comes next", () => client.rows.get("wide")?.size === 2, 15_000)
    assert.deepStrictEqual(client.reasons, ["initial"])
    client.close()
  })

  it("a client that is late has to take every message, though it cares for the newest alone", async () => {
    const client = new SlowLine(market.port, "collections=wide")
    await market.commit("wide", wide(0))
    await until("a first message", () => client.cursor !== undefined)
    client.slow(true)
    let step = 0
    for (const _ of numbers(60)) await market.commit("wide", wide(++step))
    client.messages.length = 0
    client.slow(false)
    await until(
      "the newest",
      () => client.rows.get("wide")?.get("step")?.get("text") === String(step),
      15_000
    )
    assert.isBelow(client.messages.length, step / 2)
    const commits = client.messages.map((message) => Number(message["commits"] ?? 0))
    assert.isAbove(Math.max(...commits), 10, "and it is told how many it has passed over")
    client.close()
  })

  it("a stream whose request had a body is never noticed to be closed", async () => {
    for (const body of ["", "hello", "x".repeat(50_000)]) {
      const wires = await Promise.all(
        numbers(20).map(async () => {
          const wire = await market.wire()
          wire.request("GET /v1/stream?collections=pools HTTP/1.1", { "content-length": String(body.length) })
          wire.socket.write(body)
          await until("a first message", () => wire.text.includes("event: "))
          return wire
        })
      )
      await until("twenty readers", async () => (await market.readers()) === 20)
      for (const { socket } of wires) socket.destroy()
      await market.isLeft()
    }
  })

  it("the disk fills with a history that nobody asks for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ratecast-history-"))
    const megabytes = () =>
      readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 2 ** 20
    const seen: Array<number> = []
    await Effect.gen(function* () {
      const journal = yield* Journal
      yield* journal.open({ epoch: "e", collections })
      for (let revision = 1; revision <= 600; revision++) {
        const row = { id: `k${revision % 50}`, rate: "x".repeat(50_000) }
        const text = JSON.stringify({ at: revision, collections: { rates: { put: { [row.id]: row } } } })
        yield* journal.append({ revision, text })
        if (revision % 100 === 0) {
          yield* Effect.promise(() => sleep(20))
          seen.push(megabytes())
        }
      }
    }).pipe(Effect.provide(layerSqlite(join(folder, "ratecast.sqlite"))), Effect.scoped, Effect.runPromise)
    rmSync(folder, { recursive: true })
    assert.isBelow(Math.max(...seen), 25, "MB, where thirty were written over 2.5 of rows")
  })
})
