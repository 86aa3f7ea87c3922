/** permessage-deflate (RFC 7692): who is given it, and what every client reads. */
import { randomBytes } from "node:crypto"
import { createRequire, syncBuiltinESMExports } from "node:module"

import * as NodeWS from "@effect/platform-node/NodeWS"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { Client } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { deflated, opcodes, type RawSocket } from "../Frames.ts"
import { alone, byId, heldRows, inTurn, Market, numbers, pool, sleep, textOf } from "./Market.ts"

let market: Market
const rows = numbers(60).map((i) => pool(`p${i}`))
let current = rows
let rate = 10
/** So many rows change. */
const commit = (count: number, at = market) => {
  rate++
  current = current.map((row, i) => (i < count ? { ...row, rate: `${rate}.${i}` } : row))
  return at.commit("pools", current)
}

beforeAll(async () => {
  market = await Market.open(rows)
})
afterEach(() => market.leave())
afterAll(() => market.close())

const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
const whole = `${agreed}; server_max_window_bits=15`

const offering = (offer: string | undefined, search = "collections=pools", at = market) =>
  at.rawSocket(search, offer === undefined ? {} : { headers: { "sec-websocket-extensions": offer } })

describe("what is agreed on", () => {
  const offers: ReadonlyArray<readonly [offer: string | undefined, answer: string]> = [
    [undefined, ""],
    ["permessage-deflate", agreed],
    ["permessage-deflate; client_max_window_bits", agreed],
    ["permessage-deflate;client_max_window_bits=8", agreed],
    ["permessage-deflate ;\tclient_max_window_bits=15 ", agreed],
    ['permessage-deflate; client_max_window_bits="10"', agreed],
    ["permessage-deflate; server_no_context_takeover; client_no_context_takeover", agreed],
    ["permessage-deflate; server_max_window_bits=15", whole],
    ['permessage-deflate; server_max_window_bits="15"; client_max_window_bits', whole],
    ["x-webkit-deflate-frame, permessage-deflate", agreed],
    ["permessage-deflate; server_max_window_bits=10, permessage-deflate", agreed],
    ["permessage-deflate; mux, permessage-deflate; server_max_window_bits=15, permessage-deflate", whole],
    ['a; b=c; d="e", permessage-deflate; client_max_window_bits, permessage-deflate', agreed],
    [", ,permessage-deflate,", agreed],
    // A window that is smaller than what everybody's blocks look back.
    ["permessage-deflate; server_max_window_bits=14", ""],
    ["permessage-deflate; server_max_window_bits=8; client_max_window_bits", ""],
    // No values that there are (RFC 7692, 7.1).
    ["permessage-deflate; server_max_window_bits", ""],
    ["permessage-deflate; server_max_window_bits=16", ""],
    ["permessage-deflate; server_max_window_bits=015", ""],
    ["permessage-deflate; client_max_window_bits=7", ""],
    ["permessage-deflate; client_max_window_bits=16", ""],
    ["permessage-deflate; client_max_window_bits=08", ""],
    ["permessage-deflate; client_max_window_bits=", ""],
    ["permessage-deflate; client_max_window_bits=-9", ""],
    ["permessage-deflate; client_max_window_bits=9=9", ""],
    ["permessage-deflate; server_no_context_takeover=1", ""],
    ["permessage-deflate; client_no_context_takeover=true", ""],
    ["permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""],
    ["permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""],
    ["permessage-deflate; unknown", ""],
    ["permessage-deflate; constructor", ""],
    ["permessage-deflate; __proto__=1", ""],
    ["permessage-deflate; Server_no_context_takeover", ""],
    // Not this extension, or nothing at all.
    ["permessage-bzip2", ""],
    ["deflate-frame; permessage-deflate", ""],
    ["permessage-deflate2", ""],
    ["permessage deflate", ""],
    ["", ""],
    [";", ""],
    ["=", ""],
    [",,,", ""],
    ["permessage-deflate;", ""],
    ["permessage-deflate; =15", ""],
    ['permessage-deflate; client_max_window_bits="10', ""],
    ['x; y="a, permessage-deflate, b"', ""],
    ['x; y="\\"permessage-deflate"', ""],
    ["permessage-deflate; ".repeat(400), ""],
    ["\t ".repeat(4_000), ""],
    [`permessage-deflate; ${"=".repeat(8_000)}`, ""],
    [`x; y=${'"'.repeat(8_000)}, permessage-deflate`, ""]
  ]

  it("the first offer that can be kept; where there is none the connection is plain, and never an error", async () => {
    const before = performance.now()
    await inTurn(offers, async ([offer, answer]) => {
      const socket = await offering(offer)
      await socket.first()
      assert.strictEqual(socket.extensions, answer, offer?.slice(0, 100))
      assert.deepStrictEqual(socket.broken, [], offer?.slice(0, 100))
      assert.deepStrictEqual(
        socket.shapes.map(({ isDeflated }) => isDeflated),
        [answer !== ""],
        offer?.slice(0, 100)
      )
      assert.deepStrictEqual(heldRows(socket, "pools"), textOf(byId(rows)))
      socket.vanish()
    })
    assert.isBelow(performance.now() - before, 10_000, "no offer takes long to read")
  })

  it("offers in several lines of the header are read in their order", async () => {
    const wire = await market.wire()
    wire.request("GET /v1/socket HTTP/1.1", {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-extensions": "permessage-deflate; server_max_window_bits=9",
      "Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=15"
    })
    await until("an answer", () => wire.text.includes("\r\n\r\n"))
    assert.include(wire.text, `\r\nSec-WebSocket-Extensions: ${whole}\r\n`)
  })
})

/** A client that is `ws` itself. */
class WsClient extends Client {
  readonly ws: NodeWS.WebSocket

  constructor(url: string) {
    super()
    this.ws = new NodeWS.WebSocket(url.replace(/^http/, "ws"))
    this.ws.on("message", (data) => this.take((data as Buffer).toString()))
  }
}

/** Of text that hardly compresses, so that a long message stays long. */
const wide = (count: number) =>
  numbers(count).map((i) => ({ id: `w${i}`, text: randomBytes(150_000).toString("hex") }))

/** Bytes of everything behind the snapshot. */
const sum = ({ shapes }: RawSocket) => shapes.slice(1).reduce((all, { bytes }) => all + bytes, 0)

describe("what clients read", () => {
  it("Node's WebSocket, ws and one that does not ask hold the same rows, side by side", () =>
    alone(rows, {}, async (own) => {
      const long = wide(8)
      await own.commit("wide", long)
      const search = "collections=pools,wide"
      const undici = await own.socket(search)
      const ws = new WsClient(own.at(`/v1/socket?${search}`))
      const raw = await offering("permessage-deflate; client_max_window_bits", search, own)
      const plain = await offering(undefined, search, own)
      const clients = { undici, ws, raw, plain }
      await until("snapshots", () => Object.values(clients).every(({ messages }) => messages.length > 0))
      await inTurn([1, 40, 60, 2, 50], async (count) => {
        await commit(count, own)
        const { cursor } = await own.snapshot(`?${search}`)
        await Promise.all(Object.values(clients).map((client) => client.reaches(cursor)))
      })
      assert.include(undici.ws.extensions, "permessage-deflate")
      assert.strictEqual(ws.ws.extensions, "permessage-deflate")
      assert.strictEqual(plain.extensions, "")
      for (const [name, client] of Object.entries(clients)) {
        assert.deepStrictEqual(client.types, ["snapshot", ...numbers(5).map(() => "change")], name)
        assert.deepStrictEqual(heldRows(client, "wide"), textOf(byId(long)), name)
        assert.deepStrictEqual(heldRows(client, "pools"), heldRows(plain, "pools"), name)
      }
      assert.deepStrictEqual([...raw.broken, ...plain.broken], [])
      assert.deepStrictEqual(
        raw.shapes.map(({ isDeflated }) => isDeflated),
        [true, false, true, true, false, true]
      )
      assert.isTrue(plain.shapes.every(({ isDeflated }) => !isDeflated))
      assert.isBelow(sum(raw) * 2, sum(plain), "half of the bytes at most")
      undici.close()
      ws.ws.close()
      raw.vanish()
      plain.vanish()
      await own.isLeft()
    }))

  it("short messages, answers and goodbyes come as they are", async () => {
    const socket = await offering("permessage-deflate", "collections=pools&keys=p0&since=now")
    socket.say({ type: "ping" })
    socket.say({ type: "subscribe", ref: "s", collections: ["poolz"] })
    socket.send(deflated(JSON.stringify({ type: "unsubscribe", ref: "u" })), { rsv1: true })
    await socket.answer("u")
    socket.send("no JSON")
    await socket.closed()
    assert.deepStrictEqual(socket.types, ["ping", "pong", "error", "ack", "goodbye"])
    assert.isTrue(socket.shapes.every(({ isDeflated }) => !isDeflated))
    assert.deepStrictEqual(socket.broken, [])
  })

  it(
    "a long message comes in fragments, and the answers to pings between them",
    () =>
      alone(rows, {}, async (own) => {
        const long = wide(60)
        await own.commit("wide", long)
        const first = await own.rawSocket("collections=wide", {
          headers: { "sec-websocket-extensions": "permessage-deflate" },
          paused: true
        })
        // Compressing it takes a while.
        await sleep(2_500)
        for (const i of numbers(5)) first.send(`p${i}`, { opcode: opcodes.ping })
        await sleep(100)
        first.unpause()
        await until("everything", () => first.messages.length === 1 && first.pongs.length === 5, 10_000)
        const [shape] = first.shapes
        assert.isTrue(shape!.isDeflated)
        assert.isAbove(shape!.fragments, 100)
        assert.isAbove(shape!.between, 0)
        assert.deepStrictEqual(first.broken, [])
        assert.deepStrictEqual(heldRows(first, "wide"), textOf(byId(long)))
        first.vanish()
        await own.isLeft()
      }),
    30_000
  )
})

/** The sizes of what is compressed while this runs. */
const deflates = async (run: () => Promise<void>): Promise<ReadonlyArray<number>> => {
  const zlib = createRequire(import.meta.url)("node:zlib") as {
    -readonly [name in "deflateRaw" | "deflateRawSync"]: (...given: ReadonlyArray<unknown>) => unknown
  }
  const { deflateRaw, deflateRawSync: sync } = zlib
  const sizes: Array<number> = []
  const counted =
    (original: typeof deflateRaw): typeof deflateRaw =>
    (...given) => {
      sizes.push((given[0] as Buffer).length)
      return original(...given)
    }
  zlib.deflateRaw = counted(deflateRaw)
  zlib.deflateRawSync = counted(sync)
  syncBuiltinESMExports()
  await run().finally(() => {
    zlib.deflateRaw = deflateRaw
    zlib.deflateRawSync = sync
    syncBuiltinESMExports()
  })
  return sizes
}

describe("compressed once", () => {
  it(
    "is a change for 1,000 readers",
    () =>
      alone(rows, {}, async (own) => {
        const sockets = await Promise.all(
          numbers(1_000).map(() => offering("permessage-deflate", "collections=pools", own))
        )
        await until("all of them", async () => (await own.readers()) === 1_000)
        await until("first messages", () => sockets.every(({ messages }) => messages.length > 0))
        const sizes = await deflates(async () => {
          await commit(40, own)
          await until("a change for everybody", () => sockets.every(({ changes }) => changes === 1), 10_000)
        })
        assert.lengthOf(sizes, 1)
        assert.isTrue(sockets.every(({ broken, shapes }) => broken.length === 0 && shapes[1]!.isDeflated))
        for (const socket of sockets) socket.vanish()
        await own.isLeft(10_000)
      }),
    60_000
  )

  it("is a snapshot for gzip streams and sockets together, but for what stands around the rows", () =>
    alone(rows, {}, async (own) => {
      await own.commit("wide", wide(2))
      const search = "collections=wide"
      const open = (i: number) =>
        i % 2 === 0
          ? offering("permessage-deflate", search, own)
          : own.stream(search, { headers: { "accept-encoding": "gzip" } })
      const clients: Array<Client> = []
      const sizes = await deflates(async () => {
        clients.push(...(await Promise.all(numbers(50).map(open))))
        await until("snapshots", () => clients.every(({ messages }) => messages.length > 0))
      })
      assert.lengthOf(
        sizes.filter((size) => size > 100_000),
        1,
        "the rows once, however the message around them is sent"
      )
      const [first] = clients
      for (const client of clients) assert.deepStrictEqual(client.rows, first!.rows)
    }))
})
