/** Every test is looked at for what is left of its hub; here something is. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"

import { Deadlines } from "../src/Hub/Deadlines.ts"
import { Delivery } from "../src/Hub/Delivery.ts"
import { type Answer, connect, queryOf } from "./Kit.ts"
import { onePolled, onHub } from "./Rig.ts"

const config = onePolled({ row: Schema.Struct({ id: Schema.String }) })
const rows: Answer = { body: [{ id: "a" }] }

/** A test like any other, in which somebody reads to the end. */
const reading = (answer: Answer = rows) =>
  onHub(
    config,
    () => answer,
    () => Effect.flatMap(queryOf(["pools"]), (query) => connect(query))
  )

const failureOf = (exit: Exit.Exit<unknown>): string =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "none"

/** Plants a mistake for as long as something runs. */
const planted = <A extends object, B>(
  prototype: A,
  mistake: Partial<A>,
  run: Effect.Effect<B>
): Effect.Effect<Exit.Exit<B>> => {
  const right = Object.fromEntries(Object.keys(mistake).map((name) => [name, prototype[name as keyof A]]))
  Object.assign(prototype, mistake)
  return Effect.ensuring(
    Effect.exit(run),
    Effect.sync(() => Object.assign(prototype, right))
  )
}

describe("a test fails where its hub", () => {
  it.effect("leaves nothing behind: it does not", () =>
    Effect.gen(function* () {
      assert.strictEqual(failureOf(yield* Effect.exit(reading())), "none")
    })
  )

  it.effect("leaves a fiber behind", () =>
    Effect.gen(function* () {
      const leaking = Effect.as(Effect.forkDetach(Effect.never), { body: [{ id: "a" }] })
      assert.include(failureOf(yield* Effect.exit(reading(leaking))), "1 fibers are left of a closed hub")
    })
  )

  it.effect("leaves a reader behind", () =>
    Effect.gen(function* () {
      const exit = yield* planted(Delivery.prototype, { leave: () => {} }, reading())
      assert.include(failureOf(exit), "1 readers are left though everybody has left")
    })
  )

  it.effect("leaves a timer of a reader behind", () =>
    Effect.gen(function* () {
      const exit = yield* planted(Deadlines.prototype, { cancel: () => {} }, reading())
      assert.match(failureOf(exit), /\d timers are left though everybody has left/)
    })
  )
})
