import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"

import type { Sink } from "../../src/Hub/Audience.ts"
import { Client, keysTo, Loop, puts, queryOf } from "./Loop.ts"

const all = queryOf("pools")

describe("five hundred newcomers that wait for one snapshot", () => {
  it.effect("are served in their order, and leave the event loop to others in between", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keysTo(100), 1))
      let turn = 0
      const servedIn: Array<number> = []
      const order: Array<number> = []
      const sinkOf = (n: number): Sink => ({
        framing: "text",
        write: () => {
          servedIn.push(turn)
          order.push(n)
          return true
        },
        end: () => {}
      })
      // Whoever looks at the clock finds it a millisecond later.
      loop.step = 1
      const opening = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 500 }, (_, n) => loop.enter(all, sinkOf(n))),
          (reader) => loop.open(reader, { since: undefined, notBefore: 0 }),
          { concurrency: "unbounded" }
        )
      )
      while (opening.pollUnsafe() === undefined && turn < 10_000) {
        turn++
        yield* Effect.yieldNow
      }
      yield* Fiber.join(opening)
      const inOneTurn = Math.max(
        ...new Map(Map.groupBy(servedIn, (n) => n)).values().map(({ length }) => length)
      )
      assert.isAtMost(inOneTurn, 10)
      assert.deepStrictEqual(
        order,
        Array.from({ length: 500 }, (_, n) => n)
      )
      loop.step = 0
    })
  )

  it.effect("do not keep one waiting who has left", () =>
    Effect.gen(function* () {
      const loop = new Loop()
      loop.commit("pools", puts(keysTo(100), 1))
      loop.step = 5
      const clients = Array.from({ length: 20 }, () => new Client())
      const readers = clients.map((client) => loop.enter(all, client))
      const fibers = yield* Effect.forEach(readers, (reader) =>
        Effect.forkChild(loop.open(reader, { since: undefined, notBefore: 0 }))
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fibers[10]!)
      for (const [n, fiber] of fibers.entries()) if (n !== 10) yield* Fiber.join(fiber)
      loop.step = 0
      assert.deepStrictEqual(
        clients.map(({ messages }) => messages.length),
        clients.map((_, n) => (n === 10 ? 0 : 1))
      )
    })
  )
})
