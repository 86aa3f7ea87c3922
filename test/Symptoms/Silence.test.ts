/** What people report of subscribers that hear nothing any more, elsewhere; here none of it happens. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Logger, Schema } from "effect"

import { defineConfig, polled, source } from "../../src/Config.ts"
import { Hub, Journal, JournalFailed, layerFallback } from "../../src/Hub.ts"
import { advance, Client, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"
import { back, come, ids, Shop } from "./Shop.ts"

describe("it does not happen that", () => {
  it.effect("where what is kept fails, publishing works and subscribers stay silent for ever", () => {
    const shop = new Shop("a")
    let appended = 0
    const failing = Layer.succeed(Journal, {
      open: (fresh) => Effect.succeed({ ...fresh, pieces: [], entries: [] }),
      append: () =>
        ++appended > 10
          ? Effect.fail(new JournalFailed({ file: "f", trouble: "full", detail: "" }))
          : Effect.void,
      past: () => Effect.succeed(undefined),
      expire: () => Effect.succeed(false),
      keepMember: () => Effect.void,
      member: () => Effect.succeed(undefined),
      replace: () => Effect.void,
      lost: Effect.never,
      outlives: () => true,
      file: "f"
    })
    const quiet = Logger.layer([])
    return shop
      .run(
        Effect.gen(function* () {
          const client = yield* come()
          for (let rate = 1; rate <= 30; rate++) {
            yield* shop.change(rate, ["a"])
            yield* settle
            assert.isTrue(shop.isHeldBy(client), `after change ${rate}`)
          }
          assert.isAbove(appended, 10)
          assert.deepStrictEqual(client.reasons, ["initial"])
        }),
        { journal: layerFallback.pipe(Layer.provide(failing), Layer.provide(quiet)) }
      )
      .pipe(Effect.provide(quiet))
  })

  it.effect("an update of a shared poll is lost for good for one that joins while it is under way", () => {
    let rate = 0
    const script = new Script(() =>
      Effect.delay(
        Effect.sync(() => ({ body: [{ id: "a", rate: ++rate }] })),
        "700 millis"
      )
    )
    const pools = polled({
      source: source({ url: "http://up/pools", every: "1 second" }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, rate: Schema.Finite })
    })
    return Effect.gen(function* () {
      const clients = [yield* come()]
      yield* advance("2 seconds")
      for (let i = 0; i < 60; i++) {
        clients.push(yield* come(), yield* come())
        clients.at(-1)!.drop()
        yield* advance("50 millis")
        yield* back(clients.at(-1)!)
      }
      assert.isAtLeast(rate, 3)
      yield* advance("900 millis")
      const { board } = yield* Hub
      for (const client of clients) {
        assert.strictEqual(
          client.rows.get("pools")!.get("a")!.get("rate"),
          board.rows("pools").get("a")!["rate"]
        )
        assert.strictEqual(client.refused, 0)
      }
    }).pipe(Effect.provide(hubOf(defineConfig({ collections: { pools } }), script)))
  })

  it.effect("with a thousand channels long polls miss what is published until their time is over", () => {
    const shop = new Shop(...ids(1_000))
    return shop.run(
      Effect.gen(function* () {
        const clients = new Map<string, Client>()
        for (const id of ids(1_000)) {
          const query = yield* queryOf(["pools"], { keys: new Set([id]) })
          const { cursor } = yield* connect(query)
          const client = new Client(yield* Clock.Clock)
          client.cursor = cursor
          client.rows.set("pools", new Map([[id, new Map()]]))
          clients.set(id, yield* connect(query, { since: cursor, pace: { interval: 0, once: true }, client }))
        }
        assert.isTrue(
          [...clients.values()].every(({ messages }) => messages.length === 0),
          "all wait"
        )
        const published = yield* Clock.currentTimeMillis
        yield* shop.change(7, ids(1_000))
        yield* settle
        for (const [id, client] of clients) {
          assert.deepStrictEqual(client.arrivals, [published])
          assert.deepStrictEqual(client.messages[0]!.collections!["pools"]!.set, { [id]: { rate: 7 } })
        }
      })
    )
  })
})
