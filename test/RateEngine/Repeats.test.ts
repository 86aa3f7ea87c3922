/** Requests that may come again: what is remembered of them is bounded in number, in time and in size. */
import { assert, describe, it } from "@effect/vitest"

import { type Answered, answeredFor, mostAnswered, mostAnsweredText } from "../../src/Answered.ts"
import { Repeats } from "../../src/RateEngine/Repeats.ts"

const answered = (id: number, at: number, bytes: number): Answered => ({
  id: String(id),
  body: "b",
  at,
  key: "k",
  revision: id,
  row: "x".repeat(bytes),
  isNew: true
})

describe("what is remembered of requests that may come again", () => {
  it("is the newest of those whose rows are not too much together", () => {
    const each = 1024 * 1024
    const repeats = new Repeats([])
    const count = mostAnsweredText / each
    for (let i = 0; i < 2 * count; i++) repeats.add(answered(i, 0, each))
    assert.isUndefined(repeats.find(String(count - 1), 0))
    for (let i = count; i < 2 * count; i++) assert.isDefined(repeats.find(String(i), 0))
    // The same once more takes no more room.
    for (let i = 0; i < count; i++) repeats.add(answered(2 * count - 1, 0, each))
    assert.isDefined(repeats.find(String(count + 1), 0))
  })

  it("is a day's, and not too many", () => {
    const repeats = new Repeats([])
    for (let i = 0; i <= mostAnswered; i++) repeats.add(answered(i, 0, 1))
    assert.isUndefined(repeats.find("0", 0))
    assert.isDefined(repeats.find("1", 0))
    assert.isUndefined(repeats.find("1", answeredFor))
    repeats.add(answered(-1, answeredFor, 1))
    assert.isUndefined(repeats.find("2", 0))
  })
})
