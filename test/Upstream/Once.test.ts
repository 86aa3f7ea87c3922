/** What is read once: the poller of a written collection that is loaded. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"

import { makePoller } from "../../src/Upstream/Poller.ts"
import type { Reading } from "../../src/Upstream/Reading.ts"

const loaded = Effect.fnUntraced(function* () {
  const readings: Array<Reading> = []
  const poller = yield* makePoller({
    name: "chat",
    source: { name: "chat", once: true, family: false, collections: ["chat"], options: { url: "http://up" } },
    poll: Effect.succeed({ _tag: "Unchanged" }),
    demand: () => ({ readers: 1, touchedAt: 0 }),
    publish: (reading) => Effect.sync(() => void readings.push(reading))
  })
  const running = yield* Effect.forkChild(poller.run)
  yield* TestClock.adjust("10 seconds")
  assert.lengthOf(readings, 1)
  return { poller, readings, running }
})

describe("a refresh of what has been read and is not yet committed", () => {
  it.effect("is answered by that commit", () =>
    Effect.gen(function* () {
      const { poller, readings, running } = yield* loaded()
      const asking = yield* Effect.forkChild(poller.refresh(10_000))
      yield* TestClock.adjust("1 seconds")
      yield* Deferred.succeed(readings[0]!.settled, true)
      const { ok, refreshed } = yield* Fiber.join(asking)
      assert.deepStrictEqual({ ok, refreshed }, { ok: true, refreshed: true })
      yield* Fiber.join(running)
      assert.lengthOf(readings, 1)
    })
  )

  it.effect("has it read again where that does not count", () =>
    Effect.gen(function* () {
      const { poller, readings } = yield* loaded()
      const asking = yield* Effect.forkChild(poller.refresh(10_000))
      yield* Deferred.succeed(readings[0]!.settled, false)
      yield* TestClock.adjust("1 seconds")
      assert.lengthOf(readings, 2)
      yield* Deferred.succeed(readings[1]!.settled, true)
      assert.isTrue((yield* Fiber.join(asking)).ok)
    })
  )
})
