/** The client against a real daemon, over real sockets, on every road. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SignJWT } from "jose"

import { type CastError, connect, type Options, type RoadName } from "../../client/Cast.ts"
import { type Config, Decimal, defineConfig, polled, source, written } from "../../src/Config.ts"
import { layerSqlite } from "../../src/Hub.ts"
import { Backend, type Daemon, freePort, startDaemon, until } from "../Daemon.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-client-"))
const backend = new Backend()
const secret = "s".repeat(32)
const roads: ReadonlyArray<RoadName> = ["socket", "stream", "changes"]

const makeConfig = () =>
  defineConfig({
    collections: {
      rates: polled({
        source: source({ url: backend.url, every: "200 millis", refreshEvery: "0 millis" }),
        key: "symbol",
        row: Schema.Struct({ symbol: Schema.String, usd: Decimal })
      }),
      chat: written({
        key: "id",
        row: Schema.Struct({
          id: Schema.String,
          text: Schema.String.check(Schema.isMaxLength(20)),
          by: Schema.optional(Schema.String)
        }),
        retain: { rows: 5 }
      }),
      "support:{uid}": written({ key: "id", row: Schema.Struct({ id: Schema.String, text: Schema.String }) })
    }
  })
type Api = ReturnType<typeof makeConfig>

let port: number
let daemon: Daemon
const start = (env: { readonly [name: string]: string } = {}) =>
  startDaemon(
    makeConfig() as Config,
    { PORT: String(port), ANONYMOUS_WRITE: "*", JWT_SECRET: secret, ...env },
    undefined,
    layerSqlite(join(folder, "journal.sqlite"))
  )

const price = (usd: string) => [
  { symbol: "TON", usd },
  { symbol: "ETH", usd: "1.10" }
]

beforeAll(async () => {
  backend.body = price("1.00")
  await backend.start()
  port = await freePort()
  daemon = await start()
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
  rmSync(folder, { recursive: true })
})

const casting = <Name extends "rates" | "chat" | `support:${string}`>(
  options: Partial<Options<Name>> & Pick<Options<Name>, "collections">
) => connect<Api, Name>(daemon.url, options)

const refused = async (write: Promise<unknown>) =>
  write.then(
    () => undefined,
    ({ code, message, status }: CastError) => ({ code, message, status })
  )

describe.each(roads)("a client by %s", (road) => {
  it("has the server's rows, and what becomes of them", async () => {
    const cast = casting({ collections: ["rates"], roads: [road], interval: "50ms" })
    const seen: Array<string> = []
    const stop = cast.rates.subscribe("TON", () => seen.push(cast.rates.get("TON")!.usd))
    await cast.ready()
    assert.strictEqual(cast.rates.get("ETH")!.usd, "1.10")
    const usd = `2.${road.length}0`
    backend.body = price(usd)
    await until("the new price", () => seen.at(-1) === usd)
    assert.strictEqual(cast.status.state, "live")
    assert.strictEqual(cast.status.road, road)
    stop()
    cast.close()
  })

  it("sees a refresh when it is done", async () => {
    const cast = casting({ collections: ["rates"], roads: [road] })
    cast.subscribe(() => {})
    await cast.ready()
    const usd = `7.${road.length}0`
    backend.body = price(usd)
    const { refreshed } = await cast.rates.refresh()
    assert.isTrue(refreshed)
    assert.strictEqual(cast.rates.get("TON")!.usd, usd)
    cast.close()
  })

  it("does not wait for what it is not told of: others write elsewhere, it writes where it does not read", async () => {
    const cast = casting({ collections: ["rates"], roads: [road], interval: "50ms" })
    cast.subscribe(() => {})
    await cast.ready()
    const began = performance.now()
    await cast.collection("chat").append({ text: road })
    await cast.rates.refresh()
    await cast.rates.refresh()
    assert.isBelow(performance.now() - began, 1_000)
    cast.close()
  })

  it("writes, sees what it has written, and pages what has left the window", async () => {
    const cast = casting({ collections: ["chat"], roads: [road] })
    cast.subscribe(() => {})
    await cast.ready()
    const keys: Array<string> = []
    for (let i = 0; i < 8; i++) keys.push((await cast.chat.append({ text: `${road} ${i}` })).key)
    assert.deepStrictEqual([...cast.chat.keys()], keys.slice(3))
    assert.isTrue(cast.chat.status.more)
    const key = keys.at(-1)!
    await cast.chat.patch(key, { text: "edited" })
    assert.strictEqual(cast.chat.get(key)!.text, "edited")
    await cast.chat.put(key, { text: "put", by: "me" })
    await cast.chat.patch(key, {}, { unset: ["by"] })
    assert.deepStrictEqual(cast.chat.get(key), { id: key, text: "put" })
    await cast.chat.delete(key)
    assert.strictEqual(cast.chat.get(key), undefined)
    const page = await cast.chat.history({ limit: 3 })
    assert.deepStrictEqual(
      page.rows.map(({ key }) => key),
      keys.slice(4, 7).toReversed()
    )
    const older = await cast.chat.history({ limit: 4, before: page.before! })
    assert.deepStrictEqual(
      older.rows.map(({ row }) => row.text),
      [3, 2, 1, 0].map((i) => `${road} ${i}`)
    )
    cast.close()
  })

  it("writes at any key, also where an address would take it for a way", async () => {
    const cast = casting({ collections: ["chat"], roads: [road] })
    cast.subscribe(() => {})
    await cast.ready()
    for (const key of ["..", ".", "a/../b", "%2e", "a?b#c", "a+b c"]) {
      await cast.chat.put(key, { text: key })
      await cast.chat.patch(key, { by: "me" })
      assert.deepStrictEqual(cast.chat.get(key), { id: key, text: key, by: "me" })
      await cast.chat.delete(key)
      assert.strictEqual(cast.chat.get(key), undefined)
    }
    cast.close()
  })

  it("is told what is wrong with what it writes", async () => {
    const cast = casting({ collections: ["chat"], roads: [road] })
    const long = await refused(cast.chat.append({ text: "x".repeat(21) }))
    assert.deepInclude(long, { code: "invalid_row", status: 400 })
    assert.include(long!.message, "text")
    assert.deepInclude(await refused(cast.chat.patch("none", { text: "" })), {
      code: "unknown_row",
      status: 404
    })
    const { key } = await cast.chat.append({ text: "a" })
    assert.deepInclude(await refused(cast.chat.put(key, { text: "b" }, { isNew: true })), { status: 412 })
    assert.deepInclude(await refused(cast.chat.put(key, { text: "b" }, { ifMatch: '"no"' })), { status: 412 })
    const once = { idempotencyKey: `once ${road}` }
    const first = await cast.chat.append({ text: "once" }, once)
    const again = await cast.chat.append({ text: "once" }, once)
    assert.strictEqual(again.key, first.key)
    cast.close()
  })

  it("goes on where it was after the server's restart, and nobody sees a snapshot", async () => {
    const messages: Array<string> = []
    const cast = casting({
      collections: ["rates", "chat"],
      roads: [road],
      trace: (text) => messages.push((JSON.parse(text) as { type: string }).type)
    })
    cast.subscribe(() => {})
    await cast.ready()
    const rows = cast.chat.rows
    await daemon.close()
    daemon = await start()
    const { key } = await casting({ collections: ["chat"] }).chat.append({ text: "back" })
    await until("what was written after the restart", () => cast.chat.get(key) !== undefined, 10_000)
    assert.strictEqual(messages.filter((type) => type === "snapshot").length, 1)
    assert.strictEqual(cast.chat.rows[0], rows[1])
    cast.close()
  })

  it("says who may not, and goes on after a login", async () => {
    await daemon.close()
    daemon = await start({ ANONYMOUS_READ: "rates" })
    let login: string | undefined
    const cast = casting({ collections: ["chat"], roads: [road], token: () => login ?? "" })
    cast.subscribe(() => {})
    const failed = await cast.ready().catch((error: CastError) => error)
    assert.strictEqual(failed!.status, 401)
    assert.strictEqual(cast.status.state, "failed")
    login = await new SignJWT({ ratecast: { read: ["chat"] } })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode(secret))
    cast.reconnect()
    await cast.ready()
    cast.close()
    await daemon.close()
    daemon = await start()
  })
})

it(
  "a client outlives its token on every road, again and again, and misses nothing",
  { timeout: 40_000 },
  async () => {
    let minted = 0
    const token = () => {
      minted++
      return new SignJWT({ ratecast: { read: ["chat"] } })
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime(Math.floor(Date.now() / 1000) + 7)
        .sign(new TextEncoder().encode(secret))
    }
    const states = new Set<string>()
    const clients = roads.map((road) => {
      const cast = casting({ collections: ["chat"], roads: [road], token })
      const seen: Array<string> = []
      cast.chat.subscribe((keys) => {
        for (const key of keys)
          if (cast.chat.get(key)?.text.startsWith("n")) seen.push(cast.chat.get(key)!.text)
      })
      return { cast, seen }
    })
    for (const { cast } of clients) await cast.ready()
    for (const { cast } of clients) cast.subscribe(() => states.add(cast.status.state))
    const writer = casting({ collections: ["chat"] })
    const sent: Array<string> = []
    for (let i = 0; i < 24; i++) {
      sent.push(`n${i}`)
      await writer.chat.append({ text: `n${i}` })
      await new Promise((done) => setTimeout(done, 500))
    }
    assert.isAtLeast(minted, 6)
    assert.deepStrictEqual([...states], ["live"])
    for (const { cast, seen } of clients) {
      await until("the last one", () => seen.length === sent.length)
      assert.deepStrictEqual(seen, sent)
      cast.close()
    }
  }
)
