/**
 * What is declared in a simulated world: an upstream with every weather, one whose rows move between types, a family, and
 * one that is written, whose members are paged out soon.
 */
import { Effect, Schema } from "effect"

import { Decimal, defineConfig, derived, polled, source, written } from "../../src/Config.ts"
import type { Write } from "../../src/RateEngine.ts"
import type { Dice } from "../Hub/World.ts"
import type { Answer, Asked } from "../Kit.ts"
import { Total, totalOf } from "../Total.ts"
import { maxBytes, retries, timeout, Weather } from "../Upstream/Weather.ts"

const every = 10_000

const pools = polled({
  key: "id",
  row: Schema.Struct({ id: Schema.String, rate: Decimal, n: Schema.Finite }),
  source: source({ url: "http://up/pools", every, timeout, retries, maxBytes })
})
const total = derived({ from: { pools }, key: "id", row: Total, rows: ({ pools }) => totalOf(pools) })
const typed = polled({
  key: "id",
  row: Schema.Struct({
    id: Schema.String,
    type: Schema.NullOr(Schema.String),
    note: Schema.optionalKey(Schema.Json)
  }),
  fixed: ["type"],
  minKeep: 0,
  allowEmpty: true,
  source: source({ url: "http://up/typed", every: 3_000, throttle: { every: "5 seconds" } })
})
const order = polled({
  key: "id",
  row: Schema.Struct({ id: Schema.String, type: Schema.String, n: Schema.Finite }),
  fixed: ["type"],
  minKeep: 0,
  allowEmpty: true,
  source: source({ url: "http://up/orders/{id}", every: 4_000, forgetAfter: "30 seconds", maxMembers: 3 })
})

const note = written({
  key: "id",
  row: Schema.Struct({
    id: Schema.String,
    type: Schema.String,
    n: Schema.Finite,
    text: Schema.optionalKey(Schema.String)
  }),
  fixed: ["type"],
  retain: { rows: 4 },
  pageOutAfter: "2 seconds"
})

export const config = defineConfig({
  collections: { pools, total, typed, "order:{id}": order, "note:{id}": note }
})

const types = ["stable", "volatile", null]

export class Backend {
  readonly weather: Weather
  /** Whether everything but the weather answers now and then with a failure. */
  isFlaky = true
  private readonly dice: Dice
  private typed = new Map<string, object>()
  private count = 0

  constructor(dice: Dice, seed: number) {
    this.dice = dice
    this.weather = new Weather(seed)
  }

  /** What somebody writes: some of it more than a member remembers of what is gone. */
  writes(): ReadonlyArray<Write> {
    const collection = `note:${this.dice.int(4)}`
    return Array.from({ length: this.dice.pick([1, 1, 1, 12]) }, () => this.write(collection))
  }

  private write(collection: string): Write {
    const { dice } = this
    const key = dice.pick(["1a", "b", "c", "d", "e", "f"])
    const row = { type: dice.pick(["stable", "volatile"]), n: this.count++, text: "x" }
    return dice.pick<Write>([
      { op: "put", collection, key, row },
      { op: "put", collection, key, row },
      { op: "append", collection, row },
      { op: "patch", collection, key, set: { n: this.count }, unset: ["text"] },
      { op: "patch", collection, key, set: { type: row.type }, unset: [] },
      { op: "delete", collection, key }
    ])
  }

  readonly answer = (asked: Asked): Answer => {
    if (asked.url.endsWith("/pools")) return this.weather.answer(asked)
    const { dice } = this
    const takes = Effect.sleep(dice.int(300))
    if (this.isFlaky && dice.chance(0.1)) {
      return Effect.andThen(takes, dice.chance(0.5) ? Effect.fail("reset") : Effect.succeed({ status: 503 }))
    }
    const body = asked.url.endsWith("/typed") ? this.move() : this.orders(asked.url)
    return Effect.as(takes, { body })
  }

  private move(): ReadonlyArray<object> {
    const { dice } = this
    for (let n = dice.int(4); n > 0; n--) {
      const id = `t${dice.int(12)}`
      if (dice.chance(0.3)) this.typed.delete(id)
      else this.typed.set(id, this.row(id))
    }
    return [...this.typed.values()]
  }

  private row(id: string): object {
    const { dice } = this
    const note = dice.pick([undefined, null, [1], { a: 1 }, "x"])
    return { id, type: dice.pick(types), ...(note === undefined ? {} : { note }) }
  }

  private orders(url: string): ReadonlyArray<object> {
    const { dice } = this
    return ["a", "b", "c"]
      .filter(() => dice.chance(0.7))
      .map((id) => ({
        id: `${url.slice(-1)}${id}`,
        type: dice.pick(["stable", "volatile"]),
        n: this.count++
      }))
  }
}
