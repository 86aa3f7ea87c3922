/** What HTTP/2 lets one connection do to a server: streams opened and reset at once, and more of them than may be. */
import * as http2 from "node:http2"
import * as tls from "node:tls"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../../src/Config.ts"
import { type Daemon, startDaemon, until } from "../../Daemon.ts"
import { megabytesHeld } from "../../Memory.ts"

const fixtures = new URL("../../fixtures/", import.meta.url).pathname
let daemon: Daemon
beforeAll(async () => {
  const chat = written({ key: "id", row: Schema.Struct({ id: Schema.String }) })
  daemon = await startDaemon(defineConfig({ collections: { chat } }), {
    TLS_KEY_FILE: `${fixtures}localhost.key.pem`,
    TLS_CERT_FILE: `${fixtures}localhost.cert.pem`
  })
})
afterAll(() => daemon.close())

const connect = (): http2.ClientHttp2Session => {
  const session = http2.connect(`https://localhost:${daemon.port}`, { rejectUnauthorized: false })
  session.on("error", () => {})
  return session
}

/** A stream with a snapshot on it. */
const reading = async (session: http2.ClientHttp2Session) => {
  const stream = session.request({ ":path": "/v1/stream" })
  let text = ""
  stream.on("data", (bytes: Buffer) => (text += String(bytes)))
  await until("a snapshot", () => text.includes("event: snapshot"))
  return stream
}

/** One frame (RFC 9113, 4.1). */
const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
/** GET https localhost /v1/stream, the last two in full (RFC 7541, 6.2.2). */
const asking = Buffer.concat([
  Buffer.from([0x82, 0x87, 0x01, 9]),
  Buffer.from("localhost"),
  Buffer.from([0x04, 10]),
  Buffer.from("/v1/stream")
])
const endOfHeaders = 0x05
const asks = (stream: number): Buffer => frame(1, endOfHeaders, stream, asking)
const resetAtOnce = (stream: number): Buffer =>
  Buffer.concat([asks(stream), frame(3, 0, stream, Buffer.from([0, 0, 0, 8]))])

/** A connection whose client keeps to no rule that it was told. */
const raw = async (): Promise<tls.TLSSocket> => {
  const { port } = daemon
  const socket = tls.connect({ port, rejectUnauthorized: false, ALPNProtocols: ["h2"] })
  await new Promise((done) => socket.once("secureConnect", done))
  socket.on("error", () => {})
  socket.resume()
  socket.write(
    Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, Buffer.alloc(0))])
  )
  return socket
}

describe("one connection of HTTP/2", () => {
  it("that resets ten thousand streams at once is closed, keeps nothing, and others notice nothing", async () => {
    const other = connect()
    const stream = await reading(other)
    const before = megabytesHeld()
    const attacker = await raw()
    // What is reset is a stream as any: a malformed one would be refused for that.
    attacker.write(asks(1))
    await until("the attacker to read", () => daemon.hub.readers() === 2)
    for (let reset = 0; reset < 10_000 && !attacker.destroyed; reset += 100) {
      attacker.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => resetAtOnce(2 * (reset + i) + 3))))
      await new Promise((done) => setImmediate(done))
    }
    await until("its end", () => attacker.destroyed, 5_000)
    assert.isFalse(stream.destroyed)
    await until("no reader but one", () => daemon.hub.readers() === 1)
    assert.isBelow(megabytesHeld() - before, 30, "MB")
    stream.close()
    other.close()
  })

  it("has a hundred streams at a time and no more", async () => {
    const session = connect()
    await new Promise((done) => session.once("remoteSettings", done))
    assert.strictEqual(session.remoteSettings.maxConcurrentStreams, 100)
    session.close()
  })
})
