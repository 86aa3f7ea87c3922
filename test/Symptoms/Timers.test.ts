/** What people report of timers, elsewhere. Apart from tests with sockets, so that nobody else's timers are there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { Hub } from "../../src/Hub.ts"
import { Audience } from "../../src/Hub/Audience.ts"
import { advance, connect, queryOf } from "../Kit.ts"
import { ids, Shop } from "./Shop.ts"

describe("it does not happen that", () => {
  it.effect("a timer goes on for a client that has left", () => {
    const shop = new Shop("a")
    const methods = Audience.prototype as unknown as { ping: Function }
    const { ping } = methods
    let pings = 0
    methods.ping = function (...args: ReadonlyArray<unknown>) {
      pings++
      return ping.apply(this, args)
    }
    return shop
      .run(
        Effect.gen(function* () {
          const { readers } = yield* Hub
          const query = yield* queryOf(["pools"])
          const clients = yield* Effect.forEach(ids(500), (_, i) =>
            connect(query, { pace: { interval: 50 * (1 + (i % 20)) } })
          )
          yield* advance("20 seconds")
          assert.isAbove(pings, 0)
          for (const client of clients) client.drop()
          pings = 0
          yield* shop.change(1, ["a"])
          yield* advance("20 minutes")
          assert.strictEqual(pings, 0)
          assert.strictEqual(readers(), 0)
          for (const { ended, types } of clients) {
            assert.isUndefined(ended, "nor is it ended after its ten minutes")
            assert.deepStrictEqual(types, ["snapshot", "ping"])
          }
        })
      )
      .pipe(Effect.ensuring(Effect.sync(() => Object.assign(methods, { ping }))))
  })
})
