/** Refusals that say what would help: a setting, another name, or nothing at all. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, derived, polled, source, written } from "../../src/Config.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { bearer, mint, secret } from "./Auth/Club.ts"

const row = Schema.Struct({ id: Schema.String, text: Schema.String })
const backend = new Backend()
let daemon: Daemon
beforeAll(async () => {
  await backend.start()
  const options = { key: "id", row } as const
  const prices = polled({ ...options, source: source({ url: backend.url, every: "1 hour" }) })
  const config = defineConfig({
    collections: {
      prices,
      cheap: derived({ ...options, from: { prices }, rows: () => [] }),
      hidden: polled({ ...options, source: source({ url: `${backend.url}/hidden`, every: "1 hour" }) }),
      chat: written(options),
      "order:{id}": polled({ ...options, source: source({ url: `${backend.url}/{id}` }) })
    }
  })
  daemon = await startDaemon(config, {
    ANONYMOUS_READ: "prices,cheap,chat,order:*",
    ANONYMOUS_WRITE: "chat",
    ANONYMOUS_REFRESH: "",
    JWT_SECRET: secret,
    WRITES_PER_SECOND: "1",
    WRITE_BURST: "3"
  })
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

const ask = async (method: string, path: string, token?: string, body = "{}"): Promise<string> => {
  const headers = { "content-type": "application/json", ...(token === undefined ? {} : bearer(token)) }
  const answer = await fetch(daemon.url + path, { method, headers, ...(method === "GET" ? {} : { body }) })
  const { code, detail } = (await answer.json()) as { readonly code: string; readonly detail: string }
  return `${answer.status} ${code}: ${detail}`
}

describe("a refusal", () => {
  it("to write to what nobody writes says so to whoever may read it, since no token helps", async () => {
    const token = await mint({ sub: "7", read: ["prices"], write: ["chat"] })
    assert.strictEqual(
      await ask("PUT", "/v1/rows/prices/a"),
      '405 not_writable: nobody writes to "prices": its rows come from an upstream'
    )
    assert.strictEqual(
      await ask("PUT", "/v1/rows/prices/a", token),
      '405 not_writable: nobody writes to "prices": its rows come from an upstream'
    )
    assert.strictEqual(
      await ask("POST", "/v1/rows/cheap"),
      '405 not_writable: nobody writes to "cheap": its rows come from other collections'
    )
  })

  it("is in the same words for what one may not read and for what there is not", async () => {
    for (const name of ["hidden", "nothing"])
      assert.strictEqual(
        await ask("PUT", `/v1/rows/${name}/a`),
        `401 unauthenticated: "${name}" cannot be written to without a token; ANONYMOUS_WRITE says what can`
      )
  })

  it("of a family's own name says what a member and all of them are called; no member is polled by it", async () => {
    const asked = backend.asked
    for (const id of ["{id}", "{orderId}", `\${id}`, "{}"])
      assert.strictEqual(
        await ask("GET", `/v1/snapshot?collections=${encodeURIComponent(`order:${id}`)}`),
        `404 unknown_collection: there is no collection "order:${id}"; order:17 is one member of the family, and order:* all of them`
      )
    assert.strictEqual(backend.asked, asked)
    // A text like any other.
    assert.match(await ask("GET", "/v1/rows/order:%7B%22a%22:1%7D/x"), /unknown_row/)
  })

  it("is not met by a member with a comma in a message, whose lists are of texts, though in a URL they split", async () => {
    const name = "order:a,b"
    const inUrl = `/v1/snapshot?collections=${encodeURIComponent(name)}&collections=prices`
    assert.match(await ask("GET", inUrl), /401 unauthenticated: "b" cannot be read/)
    const socket = new WebSocket(`${daemon.url.replace("http", "ws")}/v1/socket`)
    try {
      const told: Array<string> = []
      socket.addEventListener("message", ({ data }) => told.push(String(data)))
      await new Promise((done) => socket.addEventListener("open", done))
      socket.send(JSON.stringify({ type: "subscribe", collections: [name] }))
      await until("a snapshot", () => told.some((text) => text.includes('"snapshot"') && text.includes(name)))
    } finally {
      socket.close()
    }
  })

  it("to read or refresh without a token names the setting of what can be", async () => {
    assert.strictEqual(
      await ask("POST", "/v1/refresh/prices"),
      '401 unauthenticated: "prices" cannot be refreshed without a token; ANONYMOUS_REFRESH says what can'
    )
    assert.strictEqual(
      await ask("GET", "/v1/snapshot?collections=hidden"),
      '401 unauthenticated: "hidden" cannot be read without a token; ANONYMOUS_READ says what can'
    )
    const token = await mint({ sub: "7", read: ["prices"] })
    assert.strictEqual(
      await ask("POST", "/v1/refresh/prices", token),
      '403 forbidden: "prices" cannot be refreshed with this token'
    )
  })

  it("to change a row that there is not names it and where it is not; then that there are too many", async () => {
    const missing = '404 unknown_row: "chat" has no row "m1"'
    assert.strictEqual(await ask("PATCH", "/v1/rows/chat/m1", undefined, '{"set":{"text":"x"}}'), missing)
    assert.strictEqual(await ask("DELETE", "/v1/rows/chat/m1"), missing)
    await ask("DELETE", "/v1/rows/chat/m1")
    assert.strictEqual(
      await ask("DELETE", "/v1/rows/chat/m1"),
      "429 too_many: of one subject and of one address 1 write a second is taken (WRITES_PER_SECOND), and 3 at once (WRITE_BURST)"
    )
  })
})
