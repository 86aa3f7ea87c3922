/** What a client sends with permessage-deflate (RFC 7692), and what it may not: bombs above all. */
import { deflateRawSync } from "node:zlib"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { until } from "../Daemon.ts"
import { deflated, frame, type FrameOptions, opcodes, type RawSocket } from "../Frames.ts"
import { Market, numbers, pool } from "./Market.ts"

let market: Market
const rows = numbers(60).map((i) => pool(`p${i}`))

beforeAll(async () => {
  market = await Market.open(rows)
})
afterEach(() => market.leave())
afterAll(() => market.close())

const opened = async (): Promise<RawSocket> => {
  const socket = await market.rawSocket("collections=pools", {
    headers: { "sec-websocket-extensions": "permessage-deflate" }
  })
  await socket.first()
  return socket
}

const ping = JSON.stringify({ type: "ping" })
const padded = (bytes: number) => JSON.stringify({ type: "ping", pad: "x".repeat(bytes - 24) })
/** A thousand times the size it is sent in, just below what may be sent. */
const bomb = deflated(Buffer.alloc(63 * 1024 * 1024, "x"))

type Sent = readonly [payload: string | Buffer, options?: FrameOptions]
const packed = (payload: string | Buffer): Sent => [deflated(payload), { rsv1: true }]

describe("what a client sends compressed", () => {
  it("is heard: whole, in fragments with a ping between, empty ones too, and 64 KiB of it", async () => {
    const socket = await opened()
    const bytes = deflated(ping)
    const sent: ReadonlyArray<Sent> = [
      packed(ping),
      packed(padded(65_536)),
      [bytes.subarray(0, 5), { rsv1: true, final: false }],
      ["between", { opcode: opcodes.ping }],
      ["", { opcode: opcodes.continuation, final: false }],
      [bytes.subarray(5, 9), { opcode: opcodes.continuation, final: false }],
      [bytes.subarray(9), { opcode: opcodes.continuation }],
      // A last block, which zlib ends with (RFC 7692, 7.2.3.4).
      [Buffer.concat([deflateRawSync(ping), Buffer.alloc(1)]), { rsv1: true }],
      // Stored, not compressed (7.2.3.3).
      [deflateRawSync(ping, { level: 0 }), { rsv1: true }],
      [ping]
    ]
    socket.wire.socket.write(Buffer.concat(sent.map(([payload, options]) => frame(payload, options))))
    await until("six pongs", () => socket.messages.length === 7 || socket.closing !== undefined)
    assert.deepStrictEqual(socket.types, ["snapshot", ...numbers(6).map(() => "pong")])
    assert.deepStrictEqual(socket.pongs, ["between"])
    for (const byte of frame(...packed(ping))) socket.wire.socket.write(Buffer.from([byte]))
    await until("another", () => socket.messages.length === 8)
    assert.isUndefined(socket.closing)
  })

  it("a burst of them is answered in order", async () => {
    const socket = await opened()
    const refs = numbers(500).map(String)
    const frames = refs.map((ref, i) => {
      const text = JSON.stringify({ type: "unsubscribe", ref })
      return i % 3 === 0 ? frame(text) : frame(...packed(text))
    })
    socket.wire.socket.write(Buffer.concat(frames))
    await until("answers", () => socket.messages.length === 501 || socket.closing !== undefined)
    assert.deepStrictEqual(
      socket.messages.slice(1).map(({ ref }) => ref),
      refs
    )
  })

  const second = deflateRawSync(padded(200), {
    dictionary: Buffer.from(padded(200)),
    finishFlush: 2
  }).subarray(0, -4)
  const bad: ReadonlyArray<readonly [what: string, code: number, sent: ReadonlyArray<Sent>]> = [
    ["64 KiB and one byte once it is inflated", 4413, [packed(padded(65_537))]],
    ["a bomb of 63 MiB", 4413, [[bomb, { rsv1: true }]]],
    [
      "a bomb in fragments",
      4413,
      [
        [bomb.subarray(0, 30_000), { rsv1: true, final: false }],
        [bomb.subarray(30_000), { opcode: opcodes.continuation }]
      ]
    ],
    ["64 KiB and one byte before it is inflated", 4413, [[Buffer.alloc(65_537), { rsv1: true }]]],
    ["what is no deflate", 4400, [[Buffer.alloc(40, 0xff), { rsv1: true }]]],
    ["what looks back to a message before", 4400, [packed(padded(200)), [second, { rsv1: true }]]],
    ["what inflates to nothing", 4400, [["", { rsv1: true }]]],
    ["what inflates to no JSON", 4400, [packed("hello")]],
    ["what inflates to invalid UTF-8", 4400, [packed(Buffer.from([0x22, 0xff, 0x22]))]],
    [
      "a continuation that says it is compressed",
      4400,
      [
        [deflated(ping).subarray(0, 4), { rsv1: true, final: false }],
        [deflated(ping).subarray(4), { rsv1: true, opcode: opcodes.continuation }]
      ]
    ],
    ["a ping that says it is compressed", 4400, [["x", { rsv1: true, opcode: opcodes.ping }]]]
  ]
  for (const [what, code, sent] of bad) {
    it(`${what}: ${code}`, async () => {
      const socket = await opened()
      for (const [payload, options] of sent) socket.send(payload, options)
      const name = code === 4413 ? "too_large" : "bad_message"
      assert.deepStrictEqual(await socket.closed(1_000), { code, reason: name })
      await until("the connection ends", () => socket.wire.isClosed)
      assert.strictEqual(socket.goodbye!.code, name)
      assert.deepStrictEqual(socket.broken, [])
    })
  }

  it("a hundred bombs at once cost nobody else anything", async () => {
    const other = await opened()
    const sockets = await Promise.all(numbers(100).map(() => opened()))
    const packet = frame(bomb, { rsv1: true })
    const before = process.memoryUsage().rss
    const [user, began] = [process.cpuUsage(), performance.now()]
    for (const socket of sockets) socket.wire.socket.write(packet)
    const peak = { rss: before }
    const watching = setInterval(() => (peak.rss = Math.max(peak.rss, process.memoryUsage().rss)), 2)
    await market.commit("pools", rows.slice(1))
    await until("a change elsewhere", () => other.changes === 1)
    const took = performance.now() - began
    await Promise.all(sockets.map((socket) => socket.closed(5_000)))
    clearInterval(watching)
    assert.isTrue(sockets.every(({ closing }) => closing?.code === 4413))
    assert.isBelow(took, 3_000, "ms until a change is there")
    // Their bytes are in this process twice; inflated they would be 6 GB.
    assert.isBelow((peak.rss - before) / 2 ** 20, 60, "MiB")
    assert.isBelow(process.cpuUsage(user).user / 1_000, 3_000, "ms of CPU")
    assert.isUndefined(other.closing)
  })
})
