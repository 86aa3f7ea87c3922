/** Readers that stop reading, and the end of the daemon: nothing piles up, nobody waits for anybody else. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { type Client, EventClient, EventParser, type ServerEvent } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { megabytesHeld } from "../Memory.ts"
import { alone, byId, heldRows, inTurn, Market, numbers, pool, sleep, textOf } from "./Market.ts"

let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")])
})
afterEach(() => market.leave())
afterAll(() => market.close())

const letters = "abcdefghij"
const wide = (step: number, size = 150_000) => [
  { id: "big", text: letters[step % 10]!.repeat(size) },
  { id: "step", text: String(step) }
]

/** 16 MB: more than the kernel keeps for a connection that is not read. */
const long = numbers(80).map((i) => ({ id: `w${i}`, text: letters[i % 10]!.repeat(200_000) }))

const longer = (step: number) => [...long, { id: "step", text: String(step) }]

/** Lets go of what came, so that only the server's memory is measured. */
const forget = (client: Client) => {
  client.messages.length = 0
  client.arrivals.length = 0
  if (client instanceof EventClient) {
    client.events.length = 0
    client.text = ""
  }
}

/** What the changes of a client say they passed. */
const commitsIn = (client: Client): ReadonlyArray<number> =>
  client.messages.filter(({ type }) => type === "change").map((message) => message["commits"] as number)

describe("a reader that stops reading", () => {
  const steps = 220

  it("costs one frame, keeps nobody waiting, and ends with the server's rows by one merged change", async () => {
    await market.commit("wide", wide(0))
    const search = "collections=wide"
    const slow = {
      stream: await market.stream(search),
      gzip: await market.stream("collections=wide,pools", { headers: { "accept-encoding": "gzip" } }),
      socket: await market.rawSocket(search)
    }
    const quick = [
      await market.stream(search),
      await market.stream(search, { headers: { "accept-encoding": "gzip" } }),
      await market.rawSocket(search)
    ]
    const all = [...Object.values(slow), ...quick]
    await until("snapshots", () => all.every(({ cursor }) => cursor !== undefined))
    const passed = quick.map((client) => {
      const count = { commits: 0 }
      client.onMessage = (message) => (count.commits += Number(message["commits"] ?? 0))
      return count
    })
    for (const client of Object.values(slow)) client.pause()
    // The first commits fill what the kernel keeps for each connection.
    await inTurn(numbers(80), (step) => market.commit("wide", wide(step + 1)))
    for (const client of quick) forget(client)
    const before = megabytesHeld()
    await inTurn(numbers(steps - 80), async (step) => {
      await market.commit("wide", wide(step + 81))
      for (const client of quick) forget(client)
    })
    const text = String(steps)
    const isThere = (client: Client) => client.rows.get("wide")!.get("step")!.get("text") === text
    await until("the newest for those who read", () => quick.every(isThere), 1_000)
    for (const [i, client] of quick.entries()) {
      assert.strictEqual(passed[i]!.commits, steps, "they passed every commit")
      assert.strictEqual(client.refused, 0)
      forget(client)
    }
    assert.isBelow(megabytesHeld() - before, 8, "MB, where a queue would hold 20 for each")
    assert.isFalse(isThere(slow.stream) || isThere(slow.socket))
    for (const client of Object.values(slow)) client.unpause()
    await until("the newest for those who did not", () => Object.values(slow).every(isThere))
    for (const [road, client] of Object.entries(slow)) {
      assert.deepStrictEqual(heldRows(client, "wide"), textOf(byId(wide(steps))), road)
      assert.strictEqual(client.refused, 0, road)
      const commits = commitsIn(client)
      assert.strictEqual(
        commits.reduce((sum, n) => sum + n, 0),
        steps,
        road
      )
      // Gzip makes the frames so small that the kernel takes them all.
      if (road === "gzip") continue
      assert.isAbove(commits.at(-1)!, 50, road)
      assert.isBelow(Math.max(...commits.slice(0, -1)), 10, road)
    }
    assert.deepStrictEqual(slow.socket.broken, [])
  })

  it("in the middle of its snapshot gets all of it, and then what changed by one merged change", async () => {
    await market.commit("wide", longer(0))
    const stream = await market.stream("collections=wide,types", { paused: true })
    const socket = await market.rawSocket("collections=wide,types", { paused: true })
    const slow = [stream, socket]
    await sleep(300)
    assert.isTrue(slow.every(({ messages }) => messages.length === 0))
    await inTurn(numbers(6), (step) =>
      market.commit(
        "pools",
        numbers(step + 1).map((i) => pool(`p${i}`))
      )
    )
    await market.commit("wide", longer(1))
    for (const client of slow) client.unpause()
    await until("the newest", () => slow.every((client) => client.changes > 0), 10_000)
    for (const client of slow) {
      assert.deepStrictEqual(client.types, ["snapshot", "change"])
      assert.deepStrictEqual(heldRows(client, "wide"), textOf(byId(longer(1))))
      assert.deepStrictEqual(heldRows(client, "types"), textOf({ stable: { type: "stable", count: 6 } }))
      assert.deepStrictEqual(commitsIn(client), [7])
    }
    assert.deepStrictEqual(socket.broken, [])
    await market.commit("wide", [])
  })

  it("that vanishes in the middle leaves zero readers", async () => {
    await market.commit("wide", long)
    await inTurn(numbers(5), () => market.stream("collections=wide", { paused: true }))
    await inTurn(numbers(5), () => market.rawSocket("collections=wide", { paused: true }))
    await sleep(100)
    assert.strictEqual(await market.readers(), 10)
    await market.leave()
    await market.commit("wide", [])
  })

  it("shows when memory is held: what is kept is counted", () => {
    const before = megabytesHeld()
    const kept = [Buffer.alloc(20 * 2 ** 20, 1)]
    assert.isAbove(megabytesHeld() - before, 15)
    assert.lengthOf(kept, 1)
  })
})

describe("the end of the daemon", () => {
  it("ends 500 streams and 500 sockets within 1.5 s, each with a goodbye and a clean end", () =>
    alone([pool("a")], {}, async (own) => {
      const wires = await Promise.all(
        numbers(500).map(async (i) => {
          const wire = await own.wire()
          wire.request("GET /v1/stream HTTP/1.1", i % 2 ? {} : { "accept-encoding": "gzip" })
          return wire
        })
      )
      const sockets = await Promise.all(numbers(500).map(() => own.rawSocket("collections=pools")))
      await until("first messages", () => sockets.every(({ messages }) => messages.length > 0))
      await until("first messages", () => wires.every((wire) => wire.bytes.length > 600))
      assert.strictEqual(await own.readers(), 1_000)
      const began = performance.now()
      await own.daemon.close()
      assert.isBelow(performance.now() - began, 1_500)
      await until("ends", () =>
        [...wires, ...sockets.map(({ wire }) => wire)].every(({ isClosed }) => isClosed)
      )
      for (const [i, wire] of wires.entries()) {
        const [answer] = wire.answers
        assert.isTrue(answer!.whole, "the last chunk came")
        if (i % 2 === 0) continue
        const events: Array<ServerEvent> = []
        new EventParser((event) => events.push(event)).feed(answer!.body)
        const { code, retryAfterMs } = JSON.parse(events.at(-1)!.data) as {
          code: string
          retryAfterMs: number
        }
        assert.strictEqual(code, "shutdown")
        assert.isAbove(retryAfterMs, 0)
      }
      for (const socket of sockets) {
        assert.deepStrictEqual(socket.closing, { code: 1012, reason: "shutdown" })
        assert.deepStrictEqual(socket.types, ["snapshot", "goodbye"])
        assert.strictEqual(socket.goodbye!.code, "shutdown")
        assert.deepStrictEqual(socket.broken, [])
      }
    }))

  it("is not held up by those who do not read, and cuts them", () =>
    alone([pool("a")], {}, async (own) => {
      await own.commit("wide", long)
      await own.snapshot("?collections=wide")
      const stream = await own.stream("collections=wide", { paused: true })
      const socket = await own.rawSocket("collections=wide", { paused: true })
      const idle = await own.rawSocket()
      await sleep(100)
      const began = performance.now()
      await own.daemon.close()
      assert.isBelow(performance.now() - began, 1_500)
      for (const client of [stream, socket]) client.unpause()
      assert.strictEqual(await stream.ended, "cut")
      await until("an end", () => socket.wire.isClosed && idle.wire.isClosed)
      assert.deepStrictEqual(stream.reasons, [], "half a snapshot is none")
      assert.strictEqual(idle.goodbye?.code, "shutdown", "one without a subscription is told too")
      assert.deepStrictEqual(idle.closing, { code: 1012, reason: "shutdown" })
    }))

  it("answers every long poll, and none is told a cursor whose changes it was not told", () =>
    alone([pool("a")], {}, async (own) => {
      const quiet = await own.poll("collections=wide")
      const held = await own.poll("collections=pools")
      const asked = [quiet.ask("wait=30s"), held.ask("wait=30s&interval=20s")] as const
      await until("two readers", async () => (await own.readers()) === 2)
      await own.commit("pools", [pool("a"), pool("b")])
      const began = performance.now()
      await own.daemon.close()
      assert.isBelow(performance.now() - began, 1_500)
      const [none, some] = await Promise.all(asked)
      assert.strictEqual(none.status, 204)
      // What it was held back from is told now.
      assert.strictEqual(some.status, 200)
      assert.strictEqual(held.changes, 1)
      assert.sameMembers([...held.rows.get("pools")!.keys()], ["a", "b"])
    }))
})
