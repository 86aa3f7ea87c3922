import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { Hub } from "../../src/Hub.ts"
import { Connections } from "../../src/Http/Connections.ts"
import { until } from "../Daemon.ts"
import { advance, hubOf, Script } from "../Kit.ts"
import { onePolled } from "../Rig.ts"
import { ask, Market, pool } from "./Market.ts"

const row = Schema.Struct({ id: Schema.String })
let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")])
})
afterAll(() => market.close())

const ping = (id: unknown) => ask(market.at(`/v1/connections/${String(id)}/ping`), { method: "POST" })

describe("a client that pings", () => {
  it("is told its connection by a ping right after the first message, plain and gzip", async () => {
    let rate = 0
    for (const headers of [{}, { "accept-encoding": "gzip" }]) {
      const stream = await market.stream("collections=pools&ping=client", { headers })
      await until("a ping", () => stream.messages.length === 2)
      assert.deepStrictEqual(stream.types, ["snapshot", "ping"])
      const told = stream.messages[1]!
      assert.strictEqual(told.cursor, stream.messages[0]!.cursor)
      assert.strictEqual((await ping(told["connection"])).status, 204)
      await market.commit("pools", [pool("a", { rate: `7.${++rate}` })])
      await until("a change", () => stream.changes === 1)
      assert.strictEqual(stream.refused, 0)
    }
  })

  it("is told so when the connection is gone: 404", async () => {
    const stream = await market.stream("collections=pools&ping=client")
    await until("a ping", () => stream.messages.length === 2)
    const id = stream.messages[1]!["connection"]
    stream.close()
    await until("a 404", async () => (await ping(id)).status === 404)
    assert.strictEqual((await ping("nobody")).status, 404)
  })

  it("is an option that is spelt out; others get no id", async () => {
    assert.strictEqual((await market.get("/v1/stream?collections=pools&ping=yes")).status, 400)
    const stream = await market.stream("collections=pools")
    await until("a snapshot", () => stream.messages.length === 1)
    assert.strictEqual((await market.get("/v1/snapshot?collections=pools&ping=client")).status, 200)
  })

  it.effect("is ended when it has missed two, and not before", () =>
    Effect.gen(function* () {
      const connections = new Connections(yield* Hub, "")
      const ended: Array<string> = []
      const faithful = connections.open(() => ended.push("faithful"))
      connections.open(() => ended.push("silent"))
      yield* advance("30 seconds")
      assert.isTrue(connections.ping(faithful.id))
      assert.deepStrictEqual(ended, [])
      yield* advance("10 seconds")
      assert.deepStrictEqual(ended, ["silent"])
      for (let n = 0; n < 20; n++) {
        yield* advance("15 seconds")
        connections.ping(faithful.id)
      }
      faithful.close()
      assert.isFalse(connections.ping(faithful.id))
      yield* advance("5 minutes")
      assert.deepStrictEqual(ended, ["silent"])
    }).pipe(Effect.provide(hubOf(onePolled({ row }), new Script(() => ({ body: [] })))))
  )
})
