/** An upgrade to WebSocket that is asked for where there is none: answered as if it had not been, and nothing is left of it. */
import * as net from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { upgradeHeaders } from "../../Clients.ts"
import { until } from "../../Daemon.ts"
import { inTurn, Market, pool, sleep } from "../Market.ts"

let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")])
})
afterAll(() => market.close())

describe("an upgrade asked for elsewhere than /v1/socket", () => {
  const paths = [
    "/v1/snapshot",
    "/v1/changes?wait=0s",
    "/v1/rows/pools/a",
    "/livez",
    "/v1/nothing",
    "/v1/stream"
  ]

  it("is answered as if it had not been", () =>
    inTurn(paths, async (path) => {
      const wire = await market.wire()
      wire.request(`GET ${path} HTTP/1.1`, upgradeHeaders())
      await until(`an answer at ${path}`, () => wire.answers.length > 0)
      assert.strictEqual(wire.answers[0]!.status, path === "/v1/nothing" ? 404 : 200)
      wire.socket.destroy()
    }).then(() => market.isLeft()))

  it("leaves no reader behind, however the client leaves, and no warning", async () => {
    const warnings: Array<string> = []
    const note = (warning: Error) => void warnings.push(String(warning))
    process.on("warning", note)
    const wires = await Promise.all(Array.from({ length: 20 }, () => market.wire()))
    for (const wire of wires) wire.request("GET /v1/stream HTTP/1.1", upgradeHeaders())
    await until("streams", async () => (await market.readers()) === wires.length)
    wires.forEach(({ socket }, i) => (i % 2 === 0 ? socket.destroy() : socket.end()))
    await market.isLeft()
    process.off("warning", note)
    assert.deepStrictEqual(warnings, [])
  })
})

describe("a WebSocket that is refused", () => {
  const cases: ReadonlyArray<
    readonly [what: string, search: string, headers: { readonly [name: string]: string }]
  > = [
    ["for a page of another origin", "", { origin: "https://evil.example" }],
    ["for its version", "", { "sec-websocket-version": "12" }],
    ["for its key", "", { "sec-websocket-key": "x" }],
    ["for a URL that is too long", `?${"x".repeat(9_000)}`, {}]
  ]

  it("does not hold its connection, though its client never ends it", { timeout: 30_000 }, async () => {
    const opened = await Promise.all(
      cases.map(async ([what, search, headers]) => {
        const socket = net.connect({ port: market.port, host: "127.0.0.1", allowHalfOpen: true })
        const lines = Object.entries({ host: "x", ...upgradeHeaders(headers) }).map(
          ([name, value]) => `${name}: ${value}\r\n`
        )
        socket.write(`GET /v1/socket${search} HTTP/1.1\r\n${lines.join("")}\r\n`)
        let text = ""
        socket.on("data", (bytes) => (text += String(bytes)))
        const failed = new Promise((done) => socket.on("error", done))
        await until("an answer", () => text.includes("\r\n\r\n"))
        assert.match(text, /^HTTP\/1.1 4/, what)
        return { what, socket, failed }
      })
    )
    // What is written to a connection that is gone is answered by a reset.
    const writing = setInterval(() => opened.forEach(({ socket }) => socket.write("x")), 500)
    await Promise.race([Promise.all(opened.map(({ failed }) => failed)), sleep(14_000)])
    clearInterval(writing)
    for (const { socket, what } of opened) assert.isTrue(socket.destroyed, what)
  })
})
