/** Who leaves, and who is ended without reading: nothing of them stays, and neither is an error. */
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { readFileSync } from "node:fs"
import * as http2 from "node:http2"
import type { Socket } from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { defineConfig, polled, source } from "../../src/Config.ts"
import { Backend, startDaemon, until } from "../Daemon.ts"
import { alone, inTurn, type Market, numbers, pool } from "./Market.ts"

/** The server's ends of all connections, and of all streams of HTTP/2. */
const accepted = new Set<Socket>()
const onSocket = (message: unknown) => {
  const { socket } = message as { readonly socket: Socket }
  accepted.add(socket)
}
const streams: Array<http2.Http2Stream> = []
const onStream = (message: unknown) => {
  const { stream } = message as { readonly stream: http2.Http2Stream }
  streams.push(stream)
}
beforeAll(() => {
  subscribe("net.server.socket", onSocket)
  subscribe("http2.server.stream.created", onStream)
})
afterAll(() => {
  unsubscribe("net.server.socket", onSocket)
  unsubscribe("http2.server.stream.created", onStream)
})

const farEndOf = async ({ localPort }: Socket): Promise<Socket> => {
  const find = () => [...accepted].find(({ remotePort }) => remotePort === localPort)
  await until("the connection is accepted", () => find() !== undefined)
  return find()!
}

const letters = "abcdefghij"

describe.concurrent("a stream that is ended while its reader does not read", () => {
  it("leaves no socket behind, 2 s later", () =>
    alone([pool("a")], {}, async (own) => {
      const bump = (step: number) =>
        own.commit("wide", [{ id: "w", text: letters[step % 10]!.repeat(200_000) }])
      await bump(0)
      const wire = await own.wire()
      wire.request("GET /v1/stream?collections=wide HTTP/1.1")
      await until("a snapshot", () => wire.bytes.length > 200_000)
      const server = await farEndOf(wire.socket)
      wire.socket.pause()
      for (let step = 1; server.writableLength === 0; step++) await bump(step)
      // Frames this short wait in the socket, so it is asked to end, and cannot.
      await Effect.runPromise(own.daemon.hub.drain)
      assert.strictEqual(await own.readers(), 0)
      assert.isFalse(server.destroyed)
      await until("the server lets go of it", () => server.destroyed, 3_000)
      wire.socket.destroy()
    }))

  it("is gone 2 s later on HTTP/2 too, and the rest of the connection goes on", async () => {
    const fixtures = new URL("../fixtures/", import.meta.url).pathname
    const certificate = `${fixtures}localhost.cert.pem`
    const backend = await new Backend().start()
    backend.body = [{ id: "w", text: "x".repeat(200_000) }]
    const wide = polled({
      source: source({ url: backend.url, every: "1 hour" }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, text: Schema.String })
    })
    const daemon = await startDaemon(defineConfig({ collections: { wide } }), {
      TLS_KEY_FILE: `${fixtures}localhost.key.pem`,
      TLS_CERT_FILE: certificate
    })
    const session = http2.connect(`https://localhost:${daemon.port}`, { ca: readFileSync(certificate) })
    const statusOf = (path: string) =>
      new Promise<unknown>((done) => {
        const request = session.request({ ":path": path })
        request.once("response", (headers) => done(headers[":status"]))
        request.resume()
      })
    await until("ready", async () => (await statusOf("/readyz")) === 200)
    const stream = session.request({ ":path": "/v1/stream?collections=wide" })
    stream.on("error", () => {})
    await new Promise<void>((done) => stream.once("data", () => done(void stream.pause())))
    const server = streams.at(-1)!
    assert.isFalse(server.destroyed)
    await Effect.runPromise(daemon.hub.drain)
    await until("the server lets go of it", () => server.destroyed, 3_000)
    assert.strictEqual(await statusOf("/livez"), 200)
    session.destroy()
    await daemon.close()
    await backend.close()
  })
})

const left = async (own: Market, route: string): Promise<number> => {
  const text = await (await own.get("/metrics")).text()
  const counter = new RegExp(`^http_client_disconnects_total\\{.*route="${route}".*\\} (\\d+)$`, "m")
  return Number(counter.exec(text)?.[1] ?? 0)
}

describe("a client that leaves", () => {
  it("a stream or a socket is counted, once, and is no error", () =>
    alone([pool("a")], {}, async (own) => {
      const clients = [
        await own.stream(),
        await own.stream("", { headers: { "accept-encoding": "gzip" } }),
        await own.socket("collections=pools"),
        await own.rawSocket("collections=pools")
      ]
      await until("first messages", () => clients.every(({ messages }) => messages.length > 0))
      await own.leave()
      await until("two streams", async () => (await left(own, "/v1/stream")) === 2)
      await until("two sockets", async () => (await left(own, "/v1/socket")) === 2)
      assert.deepStrictEqual(
        own.daemon.logs.filter((line) => /^(Warn|Error|Fatal)/i.test(line)),
        []
      )
    }))

  it("after a goodbye is not counted: it was sent away", () =>
    alone([pool("a")], {}, async (own) => {
      const stream = await own.stream()
      const socket = await own.socket("collections=pools")
      await until("first messages", () => stream.messages.length > 0 && socket.messages.length > 0)
      await Effect.runPromise(own.daemon.hub.drain)
      await Promise.all([stream.ended, socket.closed])
      assert.strictEqual(await left(own, "/v1/stream"), 0)
      assert.strictEqual(await left(own, "/v1/socket"), 0)
    }))
})

describe("GET /v1/snapshot", () => {
  it("with Ratecast-Min-Revision never answers an older one that is being built", () =>
    alone([pool("a")], {}, async (own) => {
      const wide = numbers(40).map((i) => ({ id: `w${i}`, text: "x".repeat(150_000) }))
      await own.commit("wide", wide)
      await inTurn(numbers(4), async (step) => {
        await own.commit("wide", [{ id: "step", text: String(step) }, ...wide])
        const search = "?collections=wide,pools"
        const before = own.snapshot(search)
        const revision = await own.commit("pools", [pool("a", { rate: `${step + 2}.5` })])
        const answer = await own.get(`/v1/snapshot${search}`, { "ratecast-min-revision": String(revision) })
        const { collections, cursor } = (await answer.json()) as Awaited<typeof before>
        assert.isAtLeast(Number(cursor.split("-")[1]), revision)
        assert.strictEqual(collections["pools"]!.rows["a"]!["rate"], `${step + 2}.5`)
        await before
      })
    }))
})
