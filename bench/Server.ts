/**
 * The servers that the fan-out compares, each a process of its own: `bare`, a Node server that writes one shared buffer to
 * every socket, and `ratecast`, the daemon. Both send an event of so many bytes so many times a second once they are told.
 *
 * node bench/Server.ts bare|ratecast <port> <bytes> <events per second>
 */
import * as http from "node:http"
import type { Socket } from "node:net"

import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ConfigProvider, Effect, Layer, Logger, Schema } from "effect"

import { Catalog, makeCatalog } from "../src/Catalog.ts"
import { defineConfig, polled, source } from "../src/Config.ts"
import { layerDaemon } from "../src/Daemon.ts"
import { Hub, Journal } from "../src/Hub.ts"
import { Settings } from "../src/Settings.ts"

const [kind, port, bytes, rate] = process.argv.slice(2) as [string, string, string, string]
const tell = () => process.send?.("ready")
const every = 1000 / Number(rate)

const bare = () => {
  const sockets = new Set<Socket>()
  const server = http.createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    sockets.add(response.socket!)
    response.once("close", () => sockets.delete(response.socket!))
  })
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: 8192 }, tell)
  const data = `event: change\nid: 1\ndata: ${"x".repeat(Number(bytes))}\n\n`
  const frame = Buffer.from(`${data.length.toString(16)}\r\n${data}\r\n`)
  process.on("message", () =>
    setInterval(() => {
      for (const socket of sockets) socket.write(frame)
    }, every)
  )
}

const ratecast = () => {
  const text = source({ url: "http://127.0.0.1:1/", every: "1 hour" })
  const Row = Schema.Struct({ id: Schema.String, text: Schema.String })
  const catalog = makeCatalog(
    defineConfig({ collections: { texts: polled({ source: text, key: "id", row: Row }) } })
  )
  const program = Effect.gen(function* () {
    const hub = yield* Hub
    let n = 0
    const next = () => {
      const row = { id: "a", text: String(n++).padEnd(Number(bytes) - 150, "x") }
      const delta = {
        put: new Map(n === 1 ? [["a", row]] : []),
        set: new Map(n === 1 ? [] : [["a", { row, fields: ["text"] }]]),
        remove: [],
        evict: []
      }
      return Effect.runPromise(
        hub.board.commit({ at: Date.now(), deltas: new Map([["texts", delta]]), asOf: new Map() })
      )
    }
    yield* Effect.promise(next)
    process.on("message", () => setInterval(next, every))
    tell()
    return yield* Effect.never
  })
  Effect.runFork(
    program.pipe(
      Effect.provide(layerDaemon),
      Effect.provide(Journal.layerNone),
      Effect.provide(NodeHttpClient.layerUndici),
      Effect.provide(Layer.succeed(Catalog, catalog as Catalog["Service"])),
      Effect.provide(Settings.layer),
      Effect.provide(Logger.layer([])),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: port })))
    )
  )
}

if (kind === "bare") bare()
else ratecast()
