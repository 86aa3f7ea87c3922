/** `GET /v1/stream`: what stands on the wire, from the head to the valid end. */
import * as http from "node:http"
import * as net from "node:net"
import { gunzipSync } from "node:zlib"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import {
  EventParser,
  type EventClient,
  type Headers,
  type ServerEvent,
  upgradeHeaders,
  type Wire
} from "../Clients.ts"
import { until } from "../Daemon.ts"
import type { Message } from "../Held.ts"
import { alone, heldRows, inTurn, Market, numbers, pool, sleep } from "./Market.ts"

let market: Market
const rows = numbers(40).map((i) => pool(`p${i}`, { note: "\r\n\n\u2028 data: x" }))
let rate = 0
const commit = () => market.commit("pools", [{ ...rows[0]!, rate: String(++rate) }, ...rows.slice(1)])

beforeAll(async () => {
  market = await Market.open(rows, { maxMembers: 1 })
  await market.snapshot("?collections=order:0")
})
afterEach(() => market.leave())
afterAll(() => market.close())

const parsed = (body: Buffer): ReadonlyArray<ServerEvent> => {
  const events: Array<ServerEvent> = []
  new EventParser((event) => events.push(event)).feed(body)
  return events
}

/** What a stream said, but for its own retry. */
const told = ({ text }: EventClient) => text.replace(/^retry: \d+\n/, "")

/** Waits until all stand where the server does. */
const level = async (clients: ReadonlyArray<EventClient>) => {
  const { cursor } = await market.snapshot("?collections=pools")
  await Promise.all(clients.map((client) => client.reaches(cursor)))
}

/** A stream on a bare connection, once its first message is there. */
const bare = async (line: string, headers: Headers = {}, at = market): Promise<Wire> => {
  const wire = await at.wire()
  wire.request(line, headers)
  await until("a first message", () => wire.text.includes("event: ") || wire.bytes.length > 600)
  return wire
}

/** One member more than may be read: the one way to be told goodbye at once. */
const refused = "collections=order:1,order:2"

describe("a stream", () => {
  it("says in its head what it is, and that nobody may hold it back", async () => {
    const { headers, status } = await market.stream()
    assert.strictEqual(status, 200)
    assert.strictEqual(headers["content-type"], "text/event-stream")
    assert.strictEqual(headers["cache-control"], "no-cache, no-transform")
    assert.strictEqual(headers["x-accel-buffering"], "no")
    assert.strictEqual(headers["vary"], "Accept-Encoding, Authorization, Cookie, Origin")
  })

  it("starts within 100 ms with retry: and its first message, and each stream has a retry: of its own", async () => {
    const times: Array<number> = []
    const retries = await inTurn(numbers(12), async () => {
      const stream = await market.stream("collections=pools")
      await until("a first message", () => stream.messages.length > 0)
      times.push(stream.arrivals[0]! - stream.askedAt)
      assert.match(stream.text, /^retry: \d+\n\nevent: snapshot\n/)
      return stream.parser.retry!
    })
    // The machine may be busy with something else once or twice.
    assert.isBelow(times.toSorted((a, b) => a - b)[9]!, 100)
    assert.isAtLeast(Math.min(...retries), 1_000)
    assert.isAtMost(Math.max(...retries), 5_000)
    assert.isAbove(new Set(retries).size, 6)
  })

  it("event: is the type, id: the cursor, data: the message on one line", async () => {
    const stream = await market.stream("collections=pools")
    await until("a snapshot", () => stream.cursor !== undefined)
    const resumed = await market.stream(`collections=pools&since=${stream.cursor}`, { from: stream })
    await commit()
    await until("changes", () => stream.changes > 0 && resumed.messages.length === 2)
    const events = [...stream.events, ...resumed.events]
    assert.deepStrictEqual([...new Set(events.map(({ type }) => type))], ["snapshot", "change", "ping"])
    for (const { data, ids, lastEventId, lines, type } of events) {
      const message = JSON.parse(data) as { readonly type: string; readonly cursor: string }
      assert.strictEqual(type, message.type)
      assert.strictEqual(lastEventId, message.cursor)
      assert.strictEqual(lines, 1)
      assert.strictEqual(ids, 1)
    }
  })

  it("a goodbye has no id:, so the client keeps its cursor", async () => {
    const stream = await market.stream(refused)
    assert.strictEqual(await stream.ended, "clean")
    assert.deepStrictEqual(
      stream.events.map(({ ids, lastEventId, type }) => ({ ids, lastEventId, type })),
      [{ ids: 0, lastEventId: "", type: "goodbye" }]
    )
  })

  it("is never answered 503: while the daemon drains 200, retry:, goodbye, end", () =>
    alone(rows, {}, async (own) => {
      await Effect.runPromise(own.daemon.hub.drain)
      const stream = await own.stream("collections=pools")
      assert.strictEqual(await stream.ended, "clean")
      assert.strictEqual(stream.status, 200)
      assert.isNumber(stream.parser.retry)
      assert.deepStrictEqual(stream.types, ["goodbye"])
      assert.strictEqual(stream.goodbye!.code, "shutdown")
      const socket = await own.socket("collections=pools")
      assert.deepStrictEqual(await socket.closed, { code: 1012, reason: "shutdown" })
      assert.deepStrictEqual(socket.types, ["goodbye"])
    }))

  it("shows when an event is not one: the parser goes by the standard and nothing else", () => {
    const text =
      "retry: 10\n\n: comment\nevent: a\rid: 1\r\ndata: {}\ndata:{}\n\nid: 2\0\ndata: x\n\nevent: b\n\ndata: y"
    const events: Array<ServerEvent> = []
    const parser = new EventParser((event) => events.push(event))
    for (const byte of Buffer.from(text)) parser.feed(Buffer.from([byte]))
    assert.strictEqual(parser.retry, 10)
    assert.deepStrictEqual(events, [
      { type: "a", data: "{}\n{}", lastEventId: "1", lines: 2, ids: 1 },
      { type: "message", data: "x", lastEventId: "1", lines: 1, ids: 0 }
    ])
    assert.throws(() => parser.feed(Buffer.from([0xff])))
  })
})

const gzip = { headers: { "accept-encoding": "gzip" } }

/** Two streams of the same query, plain and packed. */
const both = async () => {
  const pair = [
    await market.stream("collections=pools"),
    await market.stream("collections=pools", gzip)
  ] as const
  await level(pair)
  return pair
}

describe("a gzip stream", () => {
  it("is flushed per event and equal to the plain one, also for one who comes late", async () => {
    const [plain, packed] = await both()
    assert.strictEqual(packed.headers["content-encoding"], "gzip")
    await inTurn(numbers(4), async () => {
      await commit()
      await level([plain, packed])
    })
    const [latePlain, late] = await both()
    await inTurn(numbers(4), async () => {
      await commit()
      await level([plain, packed, latePlain, late])
    })
    assert.strictEqual(told(packed), told(plain))
    assert.strictEqual(told(late), told(latePlain))
    assert.deepStrictEqual(heldRows(late, "pools"), heldRows(plain, "pools"))
  })

  it("is not sent to who does not take it", async () => {
    for (const encoding of ["gzip;q=0", "br", "identity"]) {
      const { headers } = await market.stream("", { headers: { "accept-encoding": encoding } })
      assert.isUndefined(headers["content-encoding"], encoding)
    }
  })

  it("comes to its valid end after a goodbye, for a strict decoder", async () => {
    const refusedAtOnce = await market.stream(refused, gzip)
    assert.strictEqual(await refusedAtOnce.ended, "clean")
    assert.deepStrictEqual(refusedAtOnce.types, ["goodbye"])
    const own = await Market.open(rows)
    const early = await own.stream("collections=pools", gzip)
    const plain = await own.stream("collections=pools")
    await own.commit("pools", rows.slice(1))
    await until("a change", () => early.changes > 0)
    const late = await own.stream("collections=pools", gzip)
    const old = await own.wire()
    old.request("GET /v1/stream?collections=pools HTTP/1.0", gzip.headers)
    await until("messages", () => late.messages.length > 0 && old.bytes.length > 400)
    await own.commit("pools", rows.slice(2))
    await until("changes", () => early.changes === 2 && late.changes > 0)
    await own.daemon.close()
    for (const client of [early, late, plain]) {
      assert.strictEqual(await client.ended, "clean")
      assert.strictEqual(client.goodbye!.code, "shutdown")
      assert.strictEqual(client.rows.get("pools")!.size, 38)
    }
    await old.closed
    const types = parsed(gunzipSync(old.answers[0]!.body)).map(({ type }) => type)
    assert.deepStrictEqual([types[0], types.at(-1)], ["snapshot", "goodbye"])
    await own.backend.close()
  })
})

describe("a stream on a connection that another answer is still on", () => {
  it("begins when that has left: a browser may have had all of it before we hear that it has", async () => {
    const socket = net.connect(market.daemon.port, "127.0.0.1")
    let text = ""
    socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")))
    socket.write(
      "GET /v1/collections HTTP/1.1\r\nhost: x\r\n\r\nGET /v1/stream?collections=pools HTTP/1.1\r\nhost: x\r\n\r\n"
    )
    await until("a snapshot", () => text.includes("event: snapshot") || text.includes("event:snapshot"))
    assert.strictEqual(text.split("HTTP/1.1 200 OK").length - 1, 2)
    socket.destroy()
  })
})

describe("on the wire", () => {
  it("HTTP/1.0: no chunks, and the connection is the end", async () => {
    const wire = await bare("GET /v1/stream?collections=pools HTTP/1.0")
    await commit()
    await until("a change", () => wire.text.includes("event: change"))
    const { body, headers } = wire.answers[0]!
    assert.isUndefined(headers["transfer-encoding"])
    assert.strictEqual(headers["connection"], "close")
    assert.deepStrictEqual(
      parsed(body).map(({ type }) => type),
      ["snapshot", "change"]
    )
    const ended = await market.wire()
    ended.request(`GET /v1/stream?${refused} HTTP/1.0`)
    await ended.closed
    assert.match(ended.text, /\r\n\r\nretry: \d+\n\nevent: goodbye\ndata: .*\n\n$/)
  })

  it("the connection can be used again after a goodbye", async () => {
    const wire = await market.wire()
    wire.request(`GET /v1/stream?${refused} HTTP/1.1`)
    await until("an end", () => wire.answers[0]?.whole === true)
    wire.request("GET /v1/snapshot?collections=pools HTTP/1.1")
    await until("an answer", () => wire.answers[1]?.whole === true)
    wire.request(`GET /v1/stream?${refused} HTTP/1.1`, { "accept-encoding": "gzip" })
    await until("an end", () => wire.answers[2]?.whole === true)
    wire.request("GET /v1/stream?collections=pools HTTP/1.1")
    await until("a snapshot", () => wire.text.includes("event: snapshot"))
    await commit()
    await until("a change", () => wire.text.includes("event: change"))
    assert.deepStrictEqual(
      wire.answers.map(({ status, whole }) => [status, whole]),
      [
        [200, true],
        [200, true],
        [200, true],
        [200, false]
      ]
    )
    assert.deepStrictEqual(
      parsed(gunzipSync(wire.answers[2]!.body)).map(({ type }) => type),
      ["goodbye"]
    )
  })

  it("an agent that keeps connections alive gets the next answer on the same one", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const first = await market.stream(refused, { agent })
    assert.strictEqual(await first.ended, "clean")
    const second = await market.stream("collections=pools", { agent })
    await until("a snapshot", () => second.messages.length > 0)
    assert.strictEqual(second.types[0], "snapshot")
    agent.destroy()
  })

  it("a second request on a streaming connection waits for its end", async () => {
    const wire = await bare("GET /v1/stream?collections=pools HTTP/1.1")
    wire.request("GET /v1/collections HTTP/1.1")
    await sleep(50)
    await commit()
    await until("a change", () => wire.text.includes("event: change"))
    assert.lengthOf(wire.answers, 1)
    assert.deepStrictEqual(
      parsed(wire.answers[0]!.body).map(({ type }) => type),
      ["snapshot", "change"]
    )
  })

  it("a second stream on a streaming connection harms nobody: the first goes on alone", () =>
    alone(rows, {}, async (own) => {
      const other = await own.stream("collections=pools")
      const wire = await bare("GET /v1/stream?collections=pools HTTP/1.1", {}, own)
      wire.request("GET /v1/stream?collections=types HTTP/1.1")
      await sleep(50)
      await own.commit("pools", rows.slice(1))
      await until("a change elsewhere", () => other.changes > 0)
      await sleep(50)
      const messages = parsed(wire.answers[0]!.body).map(({ data }) => JSON.parse(data) as Message)
      assert.deepStrictEqual(
        messages.map(({ collections, type }) => [type, Object.keys(collections!)]),
        [
          ["snapshot", ["pools"]],
          ["change", ["pools"]]
        ]
      )
      assert.strictEqual(other.refused, 0)
      wire.socket.destroy()
      other.close()
      await own.isLeft()
    }))

  it("an upgrade asked for on a streaming connection harms nobody, and leaves no reader behind", () =>
    alone(rows, {}, async (own) => {
      const other = await own.stream("collections=pools")
      const wire = await bare("GET /v1/stream?collections=pools HTTP/1.1", {}, own)
      wire.request("GET /v1/socket?collections=types HTTP/1.1", upgradeHeaders())
      await sleep(50)
      await own.commit("pools", rows.slice(1))
      await until("a change elsewhere", () => other.changes > 0)
      assert.lengthOf(wire.answers, 1, "no second answer in the middle of the first")
      wire.socket.destroy()
      other.close()
      await own.isLeft()
    }))

  it("a request that offers another protocol is answered as if it had not, and leaves no reader behind", () =>
    alone(rows, {}, async (own) => {
      // What curl --http2 and Java's HttpClient send over plain HTTP.
      const h2c = {
        connection: "Upgrade, HTTP2-Settings",
        upgrade: "h2c",
        "http2-settings": "AAMAAABkAAQAAP__"
      }
      const wire = await bare("GET /v1/stream?collections=pools HTTP/1.1", h2c, own)
      assert.strictEqual(wire.answers[0]!.status, 200)
      assert.strictEqual(await own.readers(), 1)
      wire.socket.destroy()
      await own.isLeft()
    }))

  it("bytes that are no request harm nobody else", async () => {
    const other = await market.stream("collections=pools")
    const wire = await bare("GET /v1/stream?collections=pools HTTP/1.1")
    wire.socket.write("\0\0 this is no HTTP\r\n\r\n")
    await wire.closed
    await commit()
    await until("a change elsewhere", () => other.changes > 0)
    assert.strictEqual(other.refused, 0)
  })

  it("a client that vanishes leaves zero readers", async () => {
    const gone = await inTurn(numbers(10), (i) =>
      market.stream("", { headers: i % 2 ? { "accept-encoding": "gzip" } : {} })
    )
    const wires = await inTurn(numbers(10), () => bare("GET /v1/stream?collections=pools HTTP/1.1"))
    const early = await inTurn(numbers(10), () => market.wire())
    for (const wire of early) wire.request("GET /v1/stream HTTP/1.1")
    for (const wire of early) wire.socket.destroy()
    assert.isAtLeast(await market.readers(), 20)
    for (const client of gone) client.close()
    for (const wire of wires) wire.socket.resetAndDestroy()
    await market.isLeft()
  })

  it("and hub_readers says so by itself", async () => {
    const stream = await market.stream("collections=pools")
    const gauge = async () =>
      Number(/^hub_readers (\d+)$/m.exec(await (await market.get("/metrics")).text())?.[1])
    await until("one reader", async () => (await gauge()) === 1)
    stream.close()
    await until("hub_readers 0", async () => (await gauge()) === 0, 1_500)
  })
})
