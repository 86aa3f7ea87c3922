/** Writes that wait for the config's say while the token that was shown ends, by real sockets. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schema } from "effect"

import { type Config, defineConfig, written } from "../../../src/Config.ts"
import { SocketClient } from "../../Clients.ts"
import { type Daemon, startDaemon, until } from "../../Daemon.ts"
import { apiKey, bearer, mint, secret } from "./Club.ts"

let daemon: Daemon
/** What the hook waits for. */
let gate = Deferred.makeUnsafe<void>()
let asked = 0
const config = defineConfig({
  collections: {
    chat: written({
      key: "id",
      row: Schema.Struct({ id: Schema.String, text: Schema.String }),
      onWrite: ({ row }) =>
        Effect.suspend(() => {
          asked++
          return Effect.as(Deferred.await(gate), row!)
        })
    })
  }
} as never) as Config

beforeAll(async () => {
  daemon = await startDaemon(config, { JWT_SECRET: secret, API_KEY: apiKey, ANONYMOUS_READ: "" })
})
afterAll(() => daemon.close())

const post = (path: string, token: string, body: object) =>
  fetch(`${daemon.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...bearer(token) },
    body: JSON.stringify(body)
  })
/** Lets the hook answer once it is asked, after something else. */
const meanwhile = async (what: () => Promise<unknown>) => {
  await until("the hook is asked", () => asked > 0)
  await what()
  Deferred.doneUnsafe(gate, Effect.void)
}
const begin = () => {
  asked = 0
  gate = Deferred.makeUnsafe<void>()
  return daemon.hub.look("chat").rows
}
const writer = (seconds = 60, more: object = {}) => mint({ write: ["chat"], for: seconds, more })
const revoke = (jti: string) => post("/v1/revocations", apiKey, { jti })

describe("a write that waits", () => {
  it("is made where the token is as good as it was", async () => {
    const rows = begin()
    const writing = post("/v1/rows/chat", await writer(), { text: "a" })
    await meanwhile(() => Promise.resolve())
    assert.strictEqual((await writing).status, 201)
    assert.strictEqual(daemon.hub.look("chat").rows, rows + 1)
  })

  it("is not made when the token is revoked meanwhile", async () => {
    const rows = begin()
    const writing = post("/v1/rows/chat", await writer(60, { jti: "one" }), { text: "a" })
    await meanwhile(() => revoke("one"))
    const answer = await writing
    assert.strictEqual(`${answer.status} ${await answer.text()}`.slice(0, 4), "401 ")
    assert.strictEqual(daemon.hub.look("chat").rows, rows)
  })

  it("by the API key leaves its line in the log though the client has gone", async () => {
    const rows = begin()
    const leaving = new AbortController()
    const asking = fetch(`${daemon.url}/v1/rows/chat`, {
      method: "POST",
      headers: { "content-type": "application/json", ...bearer(apiKey) },
      body: '{"text":"a"}',
      signal: leaving.signal
    }).catch(() => "gone")
    const noted = () => daemon.lines.filter((line) => /the API key was used.* what=write/.test(line)).length
    const before = noted()
    await until("the hook is asked", () => asked > 0)
    leaving.abort()
    assert.strictEqual(await asking, "gone")
    await new Promise((done) => setTimeout(done, 100))
    assert.strictEqual(noted(), before)
    Deferred.doneUnsafe(gate, Effect.void)
    await until("the row", () => daemon.hub.look("chat").rows === rows + 1)
    assert.strictEqual(noted(), before + 1)
  })

  it("is made for whoever asks again with a token that is good, and the same Idempotency-Key", async () => {
    const rows = begin()
    const send = async (token: string) =>
      (
        await fetch(`${daemon.url}/v1/rows/chat`, {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": "again", ...bearer(token) },
          body: '{"text":"a"}'
        })
      ).status
    const first = send(await writer(60, { sub: "ann", jti: "first" }))
    await until("the hook is asked", () => asked > 0)
    const second = send(await writer(60, { sub: "ann", jti: "second" }))
    await meanwhile(() => revoke("first"))
    assert.deepStrictEqual([await first, await second], [401, 201])
    assert.strictEqual(daemon.hub.look("chat").rows, rows + 1)
  })

  it("is not made when the token expires meanwhile", async () => {
    const rows = begin()
    const writing = post("/v1/rows/chat", await writer(2), { text: "a" })
    await meanwhile(() => new Promise((done) => setTimeout(done, 2_000)))
    const answer = await writing
    assert.deepStrictEqual(
      [answer.status, ((await answer.json()) as { detail: string }).detail],
      [401, "the token has expired"]
    )
    assert.strictEqual(daemon.hub.look("chat").rows, rows)
  })

  for (const [what, more, becomes] of [
    ["goes by a token that is shown meanwhile", { write: ["chat"] }, "ack"],
    ["is refused where that one does not cover it", { read: ["chat"] }, "forbidden"]
  ] as const)
    it(`on a WebSocket, ${what}`, async () => {
      const rows = begin()
      const socket = await SocketClient.open(`${daemon.url}/v1/socket`, [
        "ratecast.v1",
        `ratecast.token.${await writer(60, { jti: what.replaceAll(" ", "-") })}`
      ])
      socket.say({ type: "write", ref: "w", op: "append", collection: "chat", row: { text: "a" } })
      await meanwhile(async () => {
        socket.say({ type: "token", ref: "t", token: await mint(more) })
        await socket.answer("t")
        await revoke(what.replaceAll(" ", "-"))
      })
      const { problem, type } = await socket.answer("w")
      assert.strictEqual((problem as { readonly code: string } | undefined)?.code ?? type, becomes)
      assert.strictEqual(daemon.hub.look("chat").rows, rows + (becomes === "ack" ? 1 : 0))
      socket.close()
    })
})
