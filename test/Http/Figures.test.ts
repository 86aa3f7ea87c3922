/** What the metrics say of sources and of readers, as it is when they are asked for. */
import { Schema } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { defineConfig, polled, source } from "../../src/Config.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"

const backend = new Backend()
let daemon: Daemon

beforeAll(async () => {
  await backend.start()
  const body = JSON.stringify([{ id: "a", value: 1 }])
  backend.handler = (request, response) => {
    response.setHeader("etag", '"1"')
    if (request.headers["if-none-match"] === '"1"') return void response.writeHead(304).end()
    response.setHeader("content-type", "application/json")
    response.end(body)
  }
  const things = polled({
    source: source({ url: backend.url, every: "500 millis", retries: 0, idleEvery: "500 millis" }),
    rows: (body: ReadonlyArray<{ readonly id: string }>) => body.map((row) => ({ key: row.id, row })),
    key: "id",
    row: Schema.Struct({ id: Schema.String, value: Schema.Finite })
  })
  daemon = await startDaemon(defineConfig({ collections: { things } }))
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${daemon.url}/metrics`)).text()
  const line = text.split("\n").find((line) => line.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1))
}
const of = (name: string) => metric(`${name}{source="things"}`)

describe("metrics of a source", () => {
  it("say what came in, how often there was nothing new, and when the next poll is due", async () => {
    await until("some polls", async () => (await of("upstream_not_modified_total")) >= 2)
    assert.strictEqual(await of("upstream_received_bytes_total"), Buffer.byteLength('[{"id":"a","value":1}]'))
    const [last, next] = [
      await of("upstream_last_poll_timestamp_seconds"),
      await of("upstream_next_poll_timestamp_seconds")
    ]
    assert.isBelow(Math.abs(Date.now() / 1000 - last), 5)
    assert.isAbove(next, last - 0.001)
    assert.isBelow(next - last, 1.5)
    assert.isBelow(await of("upstream_last_poll_seconds"), 5)
    assert.strictEqual(await of("upstream_breaker_open"), 0)
  })

  it("say that its breaker is open, and that the next poll waits for that", async () => {
    backend.handler = (_, response) => void response.writeHead(500).end()
    await until("it is open", async () => (await of("upstream_breaker_open")) === 1, 15_000)
    assert.isAbove(await of("upstream_next_poll_timestamp_seconds"), Date.now() / 1000)
  }, 20_000)
})

describe("metrics of readers", () => {
  it("say by which roads they read, in how many cohorts, and are right at once when they leave", async () => {
    const abort = new AbortController()
    const open = (path: string) => fetch(`${daemon.url}/v1/${path}`, { signal: abort.signal })
    const streams = await Promise.all(["things", "things"].map((name) => open(`stream?collections=${name}`)))
    for (const stream of streams) await stream.body!.getReader().read()
    const socket = new WebSocket(`${daemon.url.replace("http", "ws")}/v1/socket?collections=things`)
    await new Promise((done) => socket.addEventListener("message", done, { once: true }))
    const poll = open("changes?collections=things&since=now&wait=20s").catch(() => {})
    const roads = async () =>
      Promise.all(["stream", "socket", "changes"].map((road) => metric(`hub_road_readers{road="${road}"}`)))
    await until("all of them", async () => (await roads()).join() === "2,1,1")
    // The long poll leaves with its first message, so it stands alone.
    assert.strictEqual(await metric("hub_cohorts"), 2)
    assert.strictEqual(await metric("hub_readers_behind"), 0)
    abort.abort()
    socket.close()
    await poll
    await until("nobody", async () => (await roads()).join() === "0,0,0")
    assert.strictEqual(await metric("hub_cohorts"), 0)
  })
})
