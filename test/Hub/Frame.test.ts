import { constants, gunzipSync, inflateRawSync } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { Body } from "../../src/Hub/Body.ts"
import { Frame } from "../../src/Hub/Frame.ts"
import { Gzip } from "../../src/Http/Gzip.ts"

const text = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `row ${i} é 🙂`))

describe("a long body", () => {
  it("is compressed once however many ask at the same time", async () => {
    const body = new Body(Buffer.from(text))
    const frames = [1, 2, 3].map((n) => new Frame("snapshot", `e-${n}-0`, [`{"n":${n},"rows":`, body, "}"]))
    const asked = Array.from({ length: 10 }, (_, i) => frames[i % 3]!.prepare)
    const deflated = await Promise.all(
      asked.map((prepare) => Effect.runPromise(Effect.map(prepare, () => body.deflated)))
    )
    assert.strictEqual(new Set(deflated).size, 1)
    assert.strictEqual(inflateRawSync(deflated[0]!, { finishFlush: constants.Z_SYNC_FLUSH }).toString(), text)
    assert.isTrue(frames.every((frame) => frame.isReady("gzipText")))
    await Effect.runPromise(body.deflate)
    assert.strictEqual(body.deflated, deflated[0])
  })

  it("makes of every message it is part of a gzip stream that a strict decoder reads", async () => {
    const body = new Body(Buffer.from(text))
    for (const n of [1, 2]) {
      const frame = new Frame("snapshot", `e-${n}-0`, [`{"n":${n},"rows":`, body, "}"])
      await Effect.runPromise(frame.prepare)
      const gzip = new Gzip()
      const head = gzip.begin("")
      const encoded = frame.in("gzipText")
      gzip.add(encoded)
      assert.include(encoded.buffers, body.deflated)
      const whole = Buffer.concat([head, ...encoded.buffers, gzip.end()])
      assert.strictEqual(gunzipSync(whole).toString(), `{"n":${n},"rows":${text}}`)
    }
  })
})

describe("a short message for one reader alone", () => {
  const message = '{"é":"🙂"}'

  it("is stored in its gzip stream, which a strict decoder reads, and costs no compressor", () => {
    for (const framing of ["gzipText", "gzipEvents"] as const) {
      const gzip = new Gzip()
      const head = gzip.begin("retry: 1\n\n")
      const blocks = [message, message].map((text) => {
        const encoded = new Frame("change", "e-1-0", [text], true).in(framing)
        gzip.add(encoded)
        assert.isTrue(Buffer.concat(encoded.buffers).includes(text))
        return encoded.buffers
      })
      const whole = gunzipSync(Buffer.concat([head, ...blocks.flat(), gzip.end()])).toString()
      const event = framing === "gzipText" ? message : `event: change\nid: e-1-0\ndata: ${message}\n\n`
      assert.strictEqual(whole, `retry: 1\n\n${event}${event}`)
    }
  })

  it("is compressed where others have it too, and where it is long", () => {
    const [short, long] = [500, 2_000].map((length) => JSON.stringify("x".repeat(length))) as [string, string]
    assert.isBelow(new Frame("change", "e-1-0", [short]).in("gzipText").bytes, 100)
    assert.isBelow(new Frame("change", "e-1-0", [long], true).in("gzipText").bytes, 100)
    assert.isAbove(new Frame("change", "e-1-0", [short], true).in("gzipText").bytes, 500)
  })
})

describe("a message of one text", () => {
  const lengths = [1, 125, 126, 16 * 1024, 16 * 1024 + 1, 70_000]

  it("is one whole WebSocket message, or chunk, whatever its length", () => {
    for (const length of lengths) {
      const message = JSON.stringify("é".repeat(length))
      const socket = new Frame("change", "e-1-0", [message]).in("socket")
      assert.strictEqual(socketMessage(Buffer.concat(socket.buffers)), message)
      const { buffers, bytes } = new Frame("change", "e-1-0", [message]).in("chunks")
      const chunk = Buffer.concat(buffers)
      const event = Buffer.from(`event: change\nid: e-1-0\ndata: ${message}\n\n`)
      assert.strictEqual(bytes, chunk.length)
      assert.isTrue(
        chunk.equals(Buffer.concat([Buffer.from(`${event.length.toString(16)}\r\n`), event, crlf]))
      )
    }
  })
})

describe("a long message", () => {
  it("goes in pieces in every framing of a stream or socket, so that a slow reader is seen to take some", async () => {
    const body = new Body(Buffer.from(JSON.stringify(Array.from({ length: 60_000 }, Math.random))))
    const frame = new Frame("snapshot", "e-1-0", ["[", body, "]"])
    await Effect.runPromise(frame.prepare)
    for (const framing of [
      "chunks",
      "events",
      "gzipChunks",
      "gzipEvents",
      "socket",
      "deflateSocket"
    ] as const)
      assert.isAtMost(Math.max(...frame.in(framing).buffers.map(({ length }) => length)), 65_600, framing)
  })
})

const crlf = Buffer.from("\r\n")

/** The text of unmasked frames (RFC 6455, 5.2), the first of them a text and the last of them final. */
const socketMessage = (frames: Buffer): string => {
  const parts: Array<Buffer> = []
  for (let at = 0, final = false; !final;) {
    final = frames[at]! >= 0x80
    assert.strictEqual(frames[at]! & 0x7f, parts.length === 0 ? 1 : 0)
    const short = frames[at + 1]!
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    const length =
      head === 2 ? short : head === 4 ? frames.readUInt16BE(at + 2) : Number(frames.readBigUInt64BE(at + 2))
    parts.push(frames.subarray(at + head, at + head + length))
    at += head + length
    if (final) assert.strictEqual(at, frames.length)
  }
  return Buffer.concat(parts).toString()
}
