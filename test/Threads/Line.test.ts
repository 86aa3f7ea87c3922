/** What two threads ask each other, without the threads: what becomes of a question that is not answered. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"

import { Line, Unanswered } from "../../src/Threads/Line.ts"

interface Said {
  readonly _tag: string
  readonly id?: number
}
type Asks = { readonly name: { readonly about: number; readonly answer: string } }

const lineOf = (sent: Array<Said>) =>
  new Line<Said, Said, Asks, {}>({
    send: (message) => sent.push(message),
    hear: () => assert.fail("nothing is told"),
    fork: () => assert.fail("nothing is asked"),
    answers: {}
  })
const given = (answer: string): Exit.Exit<string, Unanswered> => Exit.succeed(answer)
const up = Exit.fail(new Unanswered())

describe("a question", () => {
  it.effect("is given up when its time is over, and an answer that comes then is nobody's", () =>
    Effect.gen(function* () {
      const sent: Array<Said> = []
      const line = lineOf(sent)
      const asked = yield* Effect.forEach([100, 200, undefined], (until, about) =>
        Effect.forkChild(line.ask("name", about, until), { startImmediately: true })
      )
      line.expire(99)
      assert.isTrue(asked.every((fiber) => fiber.pollUnsafe() === undefined))
      line.expire(100)
      assert.deepStrictEqual(yield* Fiber.await(asked[0]!), up)
      for (const { id } of sent) line.receive({ _tag: "Answer", id: id!, answer: `a${id}` } as never)
      assert.deepStrictEqual(yield* Fiber.await(asked[1]!), given("a1"))
      assert.deepStrictEqual(yield* Fiber.await(asked[2]!), given("a2"))
      line.expire(1e9)
    })
  )

  it.effect("that may be given up is not asked where 20,000 wait; any other is", () =>
    Effect.gen(function* () {
      const sent: Array<Said> = []
      const line = lineOf(sent)
      for (let i = 0; i < 20_000; i++)
        yield* Effect.forkChild(line.ask("name", i, 100), { startImmediately: true })
      assert.deepStrictEqual(yield* Effect.exit(line.ask("name", 0, 100)), up)
      const other = yield* Effect.forkChild(line.ask("name", 0), { startImmediately: true })
      assert.lengthOf(sent, 20_001)
      line.expire(100)
      const next = yield* Effect.forkChild(line.ask("name", 0, 200), { startImmediately: true })
      assert.lengthOf(sent, 20_002)
      line.hangUp()
      for (const fiber of [other, next]) assert.deepStrictEqual(yield* Fiber.await(fiber), up)
    })
  )
})
