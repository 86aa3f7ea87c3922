/** A member that is paged out and cannot be read: whoever asks for it is told so, on every road, and nobody else is. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"

import { defineConfig, written } from "../../src/Config.ts"
import { Disk, Journal, JournalFailed, layerMemory } from "../../src/Hub.ts"
import { EventClient, SocketClient } from "../Clients.ts"
import { type Daemon, startDaemon, until } from "../Daemon.ts"
import type { Message } from "../Held.ts"

const row = Schema.Struct({ id: Schema.String, text: Schema.String })
const config = defineConfig({
  collections: {
    "support:{uid}": written({ key: "id", row, pageOutAfter: "1 second" }),
    chat: written({ key: "id", row, retain: { rows: 1 } })
  }
})

let damaged: string | undefined
const failure = Effect.fail(new JournalFailed({ file: "f", trouble: "corrupt", detail: "one text" }))
const journal = Layer.effect(
  Journal,
  Effect.map(Journal, (journal) =>
    Journal.of({
      ...journal,
      member: (name) => (name === damaged ? failure : journal.member(name)),
      past: (asked) => (asked.collection === damaged ? failure : journal.past(asked))
    })
  )
).pipe(Layer.provide(layerMemory(new Disk())))

let daemon: Daemon
/** A cursor from before the last write to the damaged member. */
let before: string
const ask = (method: string, path: string, body?: object) =>
  fetch(`${daemon.url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } })
  })
const put = async (collection: string, text: string) => {
  const { status } = await ask("PUT", `/v1/rows/${collection}/a`, { text })
  assert.include([200, 201], status)
}
const allAway = (members: number) => until("all are away", () => daemon.hub.pagedOut() === members)

beforeAll(async () => {
  daemon = await startDaemon(config, { ANONYMOUS_WRITE: "*" }, undefined, journal)
  await put("support:1", "good morning")
  const snapshot = (await (await ask("GET", "/v1/snapshot?collections=support:1")).json()) as Message
  before = snapshot.cursor!
  await put("support:1", "hello")
  await put("support:2", "hi")
  for (const key of ["a", "b", "c"]) await ask("PUT", `/v1/rows/chat/${key}`, { text: "x" })
  await allAway(2)
  damaged = "support:1"
})
afterEach(() => {
  damaged = "support:1"
})
afterAll(() => daemon.close())

const ended = async (client: EventClient) => {
  await until("a goodbye", () => client.goodbye !== undefined)
  const { code, retryAfterMs } = client.goodbye as Message & { code: string; retryAfterMs: number }
  assert.strictEqual(code, "rotation")
  assert.isAbove(retryAfterMs, 0)
  await until("no reader is left", () => daemon.hub.readers() === 0)
}
const problemOf = (message: object | undefined) => (message as { problem?: { code: string } }).problem?.code

describe("where a member cannot be brought back", () => {
  it("a stream gets a goodbye that it comes back from, and the log says why", async () => {
    const client = await EventClient.open(`${daemon.url}/v1/stream?collections=support:1`)
    await ended(client)
    assert.isTrue(daemon.logs.some((line) => line.startsWith("Error support:1 ") && line.includes("damaged")))
  })

  it("so does one that asks for the whole family, and one that resumes where it missed something", async () => {
    await ended(await EventClient.open(`${daemon.url}/v1/stream?collections=support:*`))
    await ended(await EventClient.open(`${daemon.url}/v1/stream?collections=support:1&since=${before}`))
  })

  it("so do readers of the whole family who were held back until it was away", async () => {
    damaged = undefined
    const client = await EventClient.open(`${daemon.url}/v1/stream?collections=support:*&interval=3s`)
    await client.first()
    await put("support:1", "seen at once")
    await until("the first change", () => client.types.includes("change"))
    await put("support:1", "held back")
    damaged = "support:1"
    await allAway(2)
    await ended(client)
    await allAway(2)
  })

  it("requests are answered 503 with the time to come back", async () => {
    for (const path of [
      "/v1/rows/support:1/a",
      "/v1/snapshot?collections=support:1",
      "/v1/snapshot?collections=support:*",
      "/v1/changes?collections=support:1&wait=5s",
      "/v1/history/support:1"
    ]) {
      const response = await ask("GET", path)
      assert.strictEqual(response.status, 503, path)
      assert.strictEqual(problemOf({ problem: await response.json() }), "unavailable")
      assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d*$/)
    }
    const written = await ask("PUT", "/v1/rows/support:1/b", { text: "x" })
    assert.strictEqual(written.status, 503)
    assert.isNotNull(written.headers.get("retry-after"))
  })

  it("so are those who ask for history that cannot be read", async () => {
    damaged = "chat"
    const response = await ask("GET", "/v1/history/chat")
    assert.strictEqual(response.status, 503)
    // Whether it was there before cannot be told.
    assert.strictEqual((await ask("PUT", "/v1/rows/chat/z", { text: "new?" })).status, 503)
  })

  it("a socket that writes to it, or subscribes, is told unavailable, and goes on with what it had", async () => {
    const socket = await SocketClient.open(`${daemon.url}/v1/socket?collections=support:2`)
    await socket.first()
    const answerTo = (ref: string, message: object) => {
      socket.say({ ...message, ref })
      return socket.answer(ref)
    }
    const write = { op: "put", collection: "support:1", key: "b", row: { text: "x" } }
    assert.strictEqual(problemOf(await answerTo("write", { type: "write", ...write })), "unavailable")
    for (const name of ["support:1", "support:*"])
      assert.strictEqual(
        problemOf(await answerTo(name, { type: "subscribe", collections: [name] })),
        "unavailable"
      )
    await put("support:2", "still told")
    await until("the change", () => socket.types.includes("change"))
    socket.close()
    await until("no reader is left", () => daemon.hub.readers() === 0)
  })

  it("others have theirs, and it is there again when it can be read", async () => {
    assert.strictEqual((await ask("GET", "/v1/rows/support:2/a")).status, 200)
    damaged = undefined
    assert.strictEqual((await ask("GET", "/v1/rows/support:1/a")).status, 200)
  })
})
