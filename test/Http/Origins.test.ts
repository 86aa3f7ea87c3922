/** A page of an origin that is not let in: its browser hides the answer, so the log says what would let it in. */
import * as http from "node:http"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../src/Config.ts"
import { type Daemon, startDaemon } from "../Daemon.ts"
import { mint, secret } from "./Auth/Club.ts"

const row = Schema.Struct({ id: Schema.String, text: Schema.String })
const config = defineConfig({ collections: { chat: written({ key: "id", row }) } })
const app = "http://localhost:5173"
const upgrade = {
  connection: "upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
}

describe("a page of an origin that is not let in", () => {
  let daemon: Daemon
  beforeAll(async () => {
    daemon = await startDaemon(config, { ANONYMOUS_WRITE: "*", ORIGINS: "https://app.example.com" })
  })
  afterAll(() => daemon.close())

  const hints = () =>
    daemon.logs.filter((line) => line.includes("ORIGINS")).map((line) => line.replace("Warn ", ""))
  /** Not by `fetch`, which asks for no upgrade. */
  const ask = (path: string, { headers = {}, method = "GET" }: http.RequestOptions, origin: string) =>
    new Promise<{ readonly status: number; readonly text: string }>((done, failed) => {
      const request = http.request(daemon.url + path, {
        method,
        headers: { ...headers, origin },
        agent: false
      })
      request.on("error", failed)
      request.on("response", (response) => {
        let text = ""
        response.on("data", (chunk) => (text += chunk))
        response.on("end", () => done({ status: response.statusCode!, text }))
      })
      request.end()
    })

  it("is named in the log with what lets it in, once, whatever it asks for", async () => {
    for (let time = 0; time < 2; time++) {
      assert.strictEqual((await ask("/v1/snapshot", {}, app)).status, 200)
      assert.strictEqual((await ask("/v1/snapshot", { method: "OPTIONS" }, app)).status, 405)
    }
    assert.deepStrictEqual(hints(), [
      `a page of ${app} asks and its browser hides the answer from it; add ${app} to ORIGINS if it may have it`
    ])
    await ask("/v1/snapshot", {}, "null")
    assert.deepStrictEqual(hints().slice(1), [
      "a page without an origin, such as a file, asks and its browser hides the answer from it; ORIGINS names pages that are served over HTTP"
    ])
  })

  it("is told so where it would open a socket, write or refresh", async () => {
    for (const [path, init, what] of [
      ["/v1/socket", { headers: upgrade }, "open a WebSocket"],
      ["/v1/rows/chat/m1", { method: "PUT" }, "write"],
      ["/v1/refresh/chat", { method: "POST" }, "ask for a refresh"]
    ] as const) {
      const { status, text } = await ask(path, init, app)
      assert.strictEqual(status, 403)
      assert.strictEqual(
        (JSON.parse(text) as { readonly detail: string }).detail,
        `pages of ${app} may not ${what} here; ORIGINS says which may`
      )
    }
  })

  it("is named as long as there are not too many, and shortened", async () => {
    for (let n = 0; n < 150; n++) await ask("/livez", {}, `http://${"x".repeat(n === 0 ? 3_000 : 1)}${n}`)
    assert.lengthOf(hints(), 100)
    assert.isBelow(Math.max(...hints().map(({ length }) => length)), 600)
  })
})

describe("a page of an origin that is let in", () => {
  it("is not named, and with a cookie only where * is all that lets it in", async () => {
    const daemon = await startDaemon(config, { JWT_SECRET: secret, ORIGINS: "*" })
    try {
      const headers = { origin: app }
      assert.strictEqual((await fetch(`${daemon.url}/v1/snapshot`, { headers })).status, 200)
      assert.deepStrictEqual(daemon.logs, [])
      const cookie = `ratecast_token=${await mint({ sub: "7", read: ["chat"] })}`
      const refused = await fetch(`${daemon.url}/v1/snapshot`, { headers: { ...headers, cookie } })
      assert.strictEqual(refused.status, 403)
      assert.include(
        await refused.text(),
        `pages of ${app} may not use the cookie here; ORIGINS says which may`
      )
      assert.deepStrictEqual(daemon.logs, [
        `Warn a page of ${app} asks and its browser hides the answer from it; add ${app} to ORIGINS if it may have it (* is not meant for cookies)`
      ])
    } finally {
      await daemon.close()
    }
  })
})
