/** A large answer over a slow line: who takes it slowly is waited for, who takes nothing is not. */
import * as net from "node:net"
import * as tls from "node:tls"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { type Config, defineConfig, polled, source } from "../../../src/Config.ts"
import { Backend, type Daemon, startDaemon, until } from "../../Daemon.ts"
import { layerFastClock } from "../../FastClock.ts"
import { sleep } from "../Market.ts"

const fixtures = new URL("../../fixtures/", import.meta.url).pathname
const underTls = {
  TLS_KEY_FILE: `${fixtures}localhost.key.pem`,
  TLS_CERT_FILE: `${fixtures}localhost.cert.pem`
}
const roads: ReadonlyArray<readonly [name: string, env: { readonly [name: string]: string }]> = [
  ["plain TCP", {}],
  ["TLS", underTls]
]

describe.each(roads)("a snapshot of 24 MB over %s", (_, env) => {
  const backend = new Backend()
  let daemon: Daemon
  beforeAll(async () => {
    await backend.start()
    backend.body = Array.from({ length: 80 }, (_, i) => ({ id: `w${i}`, text: "x".repeat(300_000) }))
    const row = Schema.Struct({ id: Schema.String, text: Schema.String })
    const wide = polled({
      source: source({ url: backend.url, every: "10 hours", timeout: "10 minutes" }),
      key: "id",
      row
    })
    const config = defineConfig({ collections: { wide } }) as Config
    // Half a minute in a second.
    daemon = await startDaemon(config, env, undefined, undefined, layerFastClock(30))
    await until("rows", () => daemon.hub.look("wide").rows === 80, 10_000)
  })
  afterAll(async () => {
    await daemon.close()
    await backend.close()
  })

  const open = (): net.Socket => {
    const { port } = daemon
    const socket =
      env === underTls
        ? tls.connect({ port, rejectUnauthorized: false })
        : net.connect({ port, host: "127.0.0.1" })
    socket.on("error", () => {})
    socket.write("GET /v1/snapshot HTTP/1.1\r\nhost: x\r\n\r\n")
    return socket
  }

  it("comes whole where it takes two minutes, and its connection is good for another request", async () => {
    const socket = open()
    let taken = 0
    socket.on("readable", () => {})
    const began = performance.now()
    while (taken < 24_000_000 && !socket.destroyed) {
      await sleep(10)
      taken += (socket.read(Math.min(socket.readableLength, 64_000)) as Buffer | null)?.length ?? 0
    }
    assert.isAtLeast(taken, 24_000_000)
    assert.isAbove((performance.now() - began) * 30, 90_000)
    socket.removeAllListeners("readable")
    socket.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
    let text = ""
    socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1").slice(-100)))
    await until("another answer", () => text.includes('{"status":"ok"}'))
    socket.destroy()
  }, 30_000)

  it("is not waited for where nothing of it is taken", async () => {
    const socket = open()
    await sleep(100)
    socket.pause()
    // Whether anybody is there is seen by writing.
    const probing = setInterval(() => socket.write("\r\n"), 50)
    await until("its end", () => socket.destroyed, 10_000)
    clearInterval(probing)
  })
})
