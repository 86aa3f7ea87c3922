/** Clients that take their time, to hold connections for nothing: each is ended by the clock, and nobody else notices. */
import * as net from "node:net"
import * as tls from "node:tls"

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../../src/Config.ts"
import { isTooSlow } from "../../../src/Http/Slowness.ts"
import { EventClient, SocketClient } from "../../Clients.ts"
import { startDaemon, until } from "../../Daemon.ts"
import { layerFastClock } from "../../FastClock.ts"
import { frame, opcodes } from "../../Frames.ts"
import { apiKey, bearer, Club, mint } from "../Auth/Club.ts"
import { sleep } from "../Market.ts"

const fixtures = new URL("../../fixtures/", import.meta.url).pathname
const underTls = {
  TLS_KEY_FILE: `${fixtures}localhost.key.pem`,
  TLS_CERT_FILE: `${fixtures}localhost.cert.pem`
}
const club = new Club({ ANONYMOUS_READ: "pools,chat" })

/** How long a connection lasts on which so much is written, and then a byte of `more` every second; ms. */
const lasts = (socket: net.Socket, first: string | Buffer, more: string): Promise<number> =>
  new Promise((done) => {
    const began = performance.now()
    let at = 0
    if (first.length > 0) socket.write(first)
    const dripping = setInterval(() => {
      if (more !== "") socket.write(more[at++ % more.length]!)
    }, 1_000)
    // The server has ended its half; whether it still hears is seen by writing.
    let probing: NodeJS.Timeout | undefined
    socket.on("end", () => (probing = setInterval(() => socket.write("x"), 20)))
    const end = () => {
      clearInterval(dripping)
      clearInterval(probing)
      done(performance.now() - began)
    }
    socket.on("error", () => {})
    socket.on("close", end)
    socket.resume()
    setTimeout(() => {
      if (!socket.destroyed) socket.destroy()
    }, 14_000)
  })

/** The longest that anything slow may hold a connection, ms: the limit of a body, and a second until it is looked at. */
const within = 12_000
/** The same for a head. */
const headWithin = 8_000

const connect = (port: number) => net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })

describe("a client that is slow is ended", () => {
  it(
    "with its head, its body, its message, or with saying anything at all",
    { timeout: 40_000 },
    async () => {
      const readers = [
        await EventClient.open(`${club.url}/v1/stream?collections=chat`),
        await SocketClient.open(`${club.url}/v1/socket?collections=chat`)
      ]
      await Promise.all(readers.map((reader) => reader.first()))
      const token = bearer(await mint({ sub: "7", write: ["*"] }))
      const post = (more: string) =>
        `PUT /v1/rows/chat/a HTTP/1.1\r\nhost: x\r\nauthorization: ${token.authorization}\r\ncontent-type: application/json\r\n${more}\r\n`
      const upgrade =
        "GET /v1/socket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
      const message = frame(" ".repeat(1_000))
      const cases: ReadonlyArray<readonly [what: string, first: string | Buffer, more: string]> = [
        ["says nothing", "", ""],
        ["half a line", "GET /v1/sna", ""],
        ["a header a second", "GET /v1/snapshot HTTP/1.1\r\n", "a:b\r\n"],
        ["a body that never comes", post("content-length: 100\r\n"), ""],
        ["a body byte by byte", post("content-length: 100\r\n"), " "],
        ["chunks without end", post("transfer-encoding: chunked\r\n"), "1\r\n \r\n"],
        [
          "a body of a GET byte by byte",
          "GET /v1/snapshot HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n",
          " "
        ],
        ["a message that never ends", Buffer.concat([Buffer.from(upgrade), message.subarray(0, 500)]), ""],
        ["a message byte by byte", Buffer.concat([Buffer.from(upgrade), message.subarray(0, 20)]), "x"],
        [
          "fragments without end",
          Buffer.concat([
            Buffer.from(upgrade),
            frame("{", { final: false }),
            frame("", { opcode: opcodes.ping })
          ]),
          ""
        ]
      ]
      const { port } = club.daemon
      const slow = Promise.all(
        cases.flatMap(([what, first, more]) =>
          Array.from({ length: 20 }, async () => [what, await lasts(connect(port), first, more)] as const)
        )
      )
      for (let i = 1; i <= 20; i++) {
        await sleep(300)
        await club.ask("PUT", "/v1/rows/chat/m1", bearer(apiKey), { to: "all", text: String(i) })
        await until("a change for everybody else", () => readers.every(({ changes }) => changes === i), 1_000)
      }
      const took = await slow
      const heads = new Set(["says nothing", "half a line", "a header a second"])
      for (const [what, ms] of took) assert.isBelow(ms, heads.has(what) ? headWithin : within, what)
    }
  )

  it("with a TLS handshake, or with its head behind one", { timeout: 40_000 }, async () => {
    const chat = written({ key: "id", row: Schema.Struct({ id: Schema.String }) })
    const daemon = await startDaemon(defineConfig({ collections: { chat } }), underTls)
    const { port } = daemon
    const secure = () =>
      new Promise<tls.TLSSocket>((done) => {
        const options = { port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] }
        const socket = tls.connect(options, () => done(socket))
      })
    const took = await Promise.all([
      lasts(connect(port), "", ""),
      lasts(connect(port), Buffer.from([0x16, 0x03, 0x01]), ""),
      lasts(await secure(), "", ""),
      lasts(await secure(), "GET /v1/snapshot HTTP/1.1\r\n", "a:b\r\n")
    ])
    await daemon.close()
    took.forEach((ms, i) => assert.isBelow(ms, within, String(i)))
  })
})

/** A connection with an answer on it of which so many bytes are taken and so many wait. */
const answering = (response: object, bytesWritten: number, writableLength: number) =>
  ({ _httpMessage: response, bytesWritten, writableLength }) as never

/** When the client of an answer is ended, where `taken` says how many bytes it has taken by then, ms. */
const endsAt = (taken: (now: number) => number): number | undefined => {
  const response = {}
  for (let now = 0; now <= 600_000; now += 5_000)
    if (isTooSlow(answering(response, 10_000_000, 10_000_000 - taken(now)), now)) return now
  return undefined
}

describe("a client that does not take its answer", () => {
  it("is ended within a minute, and one that takes 8 kbit/s is not", () => {
    assert.strictEqual(
      endsAt(() => 100_000),
      30_000
    )
    // What its kernel took for it, a while after the answer began.
    assert.strictEqual(
      endsAt((now) => (now < 10_000 ? 0 : 4_000_000)),
      60_000
    )
    assert.strictEqual(
      endsAt((now) => now / 10),
      30_000
    )
    assert.isUndefined(endsAt((now) => now))
  })

  it("is begun anew with the next answer, and where it has taken everything", () => {
    const [first, second] = [{}, {}]
    assert.isFalse(isTooSlow(answering(first, 100, 50), 0))
    assert.isFalse(isTooSlow(answering(first, 100, 0), 25_000))
    assert.isFalse(isTooSlow(answering(first, 200, 50), 29_000))
    assert.isFalse(isTooSlow(answering(first, 200, 50), 58_000))
    assert.isFalse(isTooSlow(answering(second, 200, 50), 65_000))
    assert.isFalse(isTooSlow(answering(null as never, 200, 50), 500_000))
    assert.isTrue(isTooSlow(answering(first, 200, 50), 65_000))
  })

  describe("by a clock that runs sixty times as fast", () => {
    const fast = new Club({}, layerFastClock(60))

    it("is ended, and one that takes it is not", async () => {
      const request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
      const [deaf, reading] = [connect(fast.daemon.port), connect(fast.daemon.port)]
      let taken = 0
      reading.on("data", (bytes) => (taken += bytes.length))
      for (const socket of [deaf, reading]) {
        socket.on("error", () => {})
        socket.write(request.repeat(2_000))
      }
      // Whether anybody is there is seen by writing.
      const probing = setInterval(() => deaf.write("\r\n"), 50)
      await until("its end", () => deaf.destroyed, 5_000)
      clearInterval(probing)
      assert.isFalse(reading.destroyed)
      const size = (await (await fetch(`${fast.url}/openapi.json`)).arrayBuffer()).byteLength
      await until("all that was asked for", () => taken > 2_000 * size, 10_000)
      reading.destroy()
    })
  })

  it("is seen on a real connection: what is not read waits on its socket", async () => {
    const { port } = club.daemon
    const socket = connect(port)
    // Many answers, one after the other, none of which is read.
    const request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
    socket.write(request.repeat(2_000))
    const serving = () => {
      const handles = (process as never as { _getActiveHandles: () => Array<net.Socket> })._getActiveHandles()
      return handles.find((each) => each.localPort === port && each.remotePort === socket.localPort)
    }
    await until("an answer that waits", () => (serving()?.writableLength ?? 0) > 0)
    await sleep(50)
    assert.isFalse(isTooSlow(serving()!, 0))
    assert.isTrue(isTooSlow(serving()!, 10_000_000))
    socket.destroy()
  })
})
