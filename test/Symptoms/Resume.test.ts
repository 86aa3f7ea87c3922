/** What people report of streams that resume, elsewhere; here none of it happens. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"

import { Hub } from "../../src/Hub.ts"
import { advance, settle } from "../Kit.ts"
import { back, come, ids, Shop } from "./Shop.ts"

describe("it does not happen that", () => {
  it.effect("a message published exactly while a client reconnects is lost", () => {
    const shop = new Shop("a")
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        // At every step that a reconnection takes, and some before and after.
        for (let step = 0; step < 40; step++) {
          client.drop()
          const coming = yield* Effect.forkChild(back(client))
          for (let i = 0; i < step; i++) yield* Effect.yieldNow
          yield* shop.change(step + 1, ["a"])
          yield* Fiber.join(coming)
          yield* settle
          assert.isTrue(shop.isHeldBy(client), `published after ${step} steps`)
        }
        assert.deepStrictEqual(client.reasons, ["initial"])
      })
    )
  })

  it.effect("a client is told that it is up to date on an event it never got", () => {
    const shop = new Shop("a")
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        const { write } = client
        // The event is written, and its connection dies with it.
        Object.assign(client, { write: () => true })
        yield* shop.change(1, ["a"])
        yield* advance("20 seconds")
        client.drop()
        Object.assign(client, { write })
        yield* back(client)
        assert.deepStrictEqual(client.types, ["change"])
        assert.isTrue(shop.isHeldBy(client))
      })
    )
  })

  it.effect("a client that was away is given everything it missed before the newest value", () => {
    const shop = new Shop("a", "b")
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        client.drop()
        for (let rate = 1; rate <= 500; rate++) yield* shop.change(rate, ["a"])
        yield* back(client)
        assert.lengthOf(client.messages, 1)
        const [message] = client.messages
        assert.deepStrictEqual(message!.collections!["pools"]!.set, { a: { rate: 500 } })
        assert.strictEqual(message!["commits"], 500)
      })
    )
  })

  it.effect("of more than ten thousand events no recent one is found any more, nor an old one", () => {
    const shop = new Shop("a", "b")
    return shop.run(
      Effect.gen(function* () {
        const old = yield* come()
        old.drop()
        for (let rate = 1; rate <= 12_000; rate++) yield* shop.change(rate, ["a"])
        const recent = yield* come()
        recent.drop()
        for (let rate = 1; rate <= 10; rate++) yield* shop.change(rate, ["b"])
        for (const client of [old, recent]) {
          yield* back(client)
          assert.deepStrictEqual(client.types, ["change"])
          assert.isTrue(shop.isHeldBy(client))
        }
      })
    )
  })

  for (const [away, how] of [
    [0, "at once, with its old connection still there"],
    [1, "too fast"],
    [11_000, "after more than ten seconds"],
    [3_600_000, "after an hour"]
  ] as const) {
    it.effect(`recovery fails for one that comes back ${how}`, () => {
      const shop = new Shop("a")
      return shop.run(
        Effect.gen(function* () {
          const client = yield* come()
          const old = client.reader!
          if (away > 0) client.drop()
          yield* shop.change(1, ["a"])
          yield* advance(away)
          yield* back(client)
          const { leave } = yield* Hub
          leave(old)
          yield* shop.change(2, ["a"])
          yield* advance("1 second")
          assert.deepStrictEqual(client.reasons, ["initial"])
          assert.isTrue(shop.isHeldBy(client))
        })
      )
    })
  }

  it.effect("recovery fails after a long quiet time, because others had much to say", () => {
    const shop = new Shop("a")
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        for (let second = 1; second <= 3_600; second++) {
          yield* shop.change(second, ["a"], "others")
          if (second % 15 > 0) continue
          yield* advance("15 seconds")
          // Its connection has lived its ten minutes.
          if (client.ended !== undefined) yield* back(client)
        }
        assert.isAbove(client.pings, 200)
        client.drop()
        yield* shop.change(1, ["a"])
        yield* back(client)
        assert.deepStrictEqual(client.types, ["change"])
        assert.deepStrictEqual(client.reasons, ["initial"])
        assert.isTrue(shop.isHeldBy(client))
      }),
      // It remembers a minute.
      { memory: { tips: 60, tombstones: 10, idleMembers: 10 } }
    )
  })

  for (const [what, since] of [
    ["an id that nobody gave", "no-such-id"],
    ["an id of another hub", "zzz-17-9f1c2a7b8d3e"],
    ["an id that is yet to come", undefined]
  ] as const)
    it.effect(`a client that asks with ${what} is never caught up, and not told`, () => {
      const shop = new Shop("a")
      return shop.run(
        Effect.gen(function* () {
          const { epoch } = yield* Hub
          yield* shop.change(1, ["a"])
          const client = yield* come(since ?? `${epoch}-999-9f1c2a7b8d3e`)
          assert.deepStrictEqual(client.reasons, ["epoch"])
          yield* shop.change(2, ["a"])
          yield* settle
          assert.isTrue(shop.isHeldBy(client))
        })
      )
    })

  it.effect("a client does not know what id to send at first, and misses what comes meanwhile", () => {
    const shop = new Shop("a")
    return shop.run(
      Effect.gen(function* () {
        const coming = yield* Effect.forkChild(come())
        yield* shop.change(1, ["a"])
        const client = yield* Fiber.join(coming)
        yield* settle
        assert.deepStrictEqual(client.reasons, ["initial"])
        assert.isTrue(shop.isHeldBy(client))
      })
    )
  })

  it.effect("recovery works once, and not again", () => {
    const shop = new Shop("a")
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        for (let time = 1; time <= 50; time++) {
          client.drop()
          yield* shop.change(time, ["a"])
          yield* advance("7 seconds")
          yield* back(client)
          assert.isTrue(shop.isHeldBy(client), `the ${time}th time`)
        }
        assert.deepStrictEqual(client.reasons, ["initial"])
      })
    )
  })

  it.effect("a page that is loaded again gets everything that ever happened once more", () => {
    const shop = new Shop(...ids(20))
    return shop.run(
      Effect.gen(function* () {
        const client = yield* come()
        for (let rate = 1; rate <= 1_000; rate++) yield* shop.change(rate, [`p${rate % 20}`])
        yield* settle
        client.drop()
        const withCursor = yield* back(client)
        assert.deepStrictEqual(withCursor.types, ["ping"], "one that kept its rows and their cursor")
        const without = yield* come()
        assert.isAtMost(without.messages.length, 2, "one that kept nothing: the rows as they are")
        assert.isTrue(shop.isHeldBy(without))
      })
    )
  })

  it.effect("after a restart of the server a flood of old events comes", () => {
    const shop = new Shop(...ids(20))
    return Effect.gen(function* () {
      const client = yield* shop.run(
        Effect.gen(function* () {
          const client = yield* come()
          for (let rate = 1; rate <= 1_000; rate++) yield* shop.change(rate, [`p${rate % 20}`])
          yield* settle
          return client
        })
      )
      yield* shop.run(
        Effect.gen(function* () {
          yield* back(client)
          yield* advance("1 minute")
          const told = client.messages.filter(({ type }) => type !== "ping")
          assert.isAtMost(told.length, 2, "stale, and live again")
          for (const { collections } of told) assert.containsAllKeys(collections!["pools"], ["state"])
          for (const { collections } of told)
            assert.doesNotHaveAnyKeys(collections!["pools"], ["rows", "put", "set"])
          assert.isTrue(shop.isHeldBy(client))
        })
      )
    })
  })
})
