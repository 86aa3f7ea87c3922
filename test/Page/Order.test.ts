import { assert, describe, it } from "@effect/vitest"

import { type Entry, Order } from "../../page/Order.ts"
import { pathOf, Series } from "../../page/Series.ts"

const idsOf = (order: Order) => Array.from({ length: order.length }, (_, i) => order.at(i))

let seed = 11
const below = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n

describe("the order of a table", () => {
  it("is after any changes that of sorting all anew, and finds every row", () => {
    for (const isDown of [true, false]) {
      const order = new Order(isDown)
      const truth = new Map<string, number | string>()
      for (let step = 0; step < 300; step++) {
        const changes = Array.from({ length: below(step % 50 === 0 ? 700 : 8) }, () => {
          const value = [below(20), NaN, undefined, -below(20)][below(4)]
          return [`k${below(900)}`, value] as const
        })
        // A key comes once in one change.
        const once = [...new Map(changes)]
        order.change(once)
        for (const [id, value] of once) {
          if (value === undefined) truth.delete(id)
          else truth.set(id, value)
        }
        const anew = new Order(isDown)
        anew.replace(
          [...truth].map(([id, value]): Entry => ({ id, value })),
          isDown
        )
        assert.deepStrictEqual(idsOf(order), idsOf(anew))
      }
      for (const [i, id] of idsOf(order).entries()) assert.strictEqual(order.indexOf(id!), i)
      assert.strictEqual(order.indexOf("nobody"), -1)
    }
  })

  it("puts what is no number last when the largest is first", () => {
    const order = new Order(true)
    order.replace(
      [
        { id: "a", value: NaN },
        { id: "b", value: -1 },
        { id: "c", value: 2 }
      ],
      true
    )
    assert.deepStrictEqual(idsOf(order), ["c", "b", "a"])
  })
})

describe("the series of fields", () => {
  it("note what moved, each of them short, and not more than 4,000 of them", () => {
    const series = new Series()
    for (let i = 0; i < 100; i++) series.note("row", "usd", i >> 1, i)
    const values = series.of("row", "usd").map(({ value }) => value)
    assert.deepStrictEqual([values.length, values.at(-1)], [50, 49])
    for (let i = 0; i < 4_100; i++) series.note(`row ${i}`, "usd", i, 0)
    assert.lengthOf(series.of("row", "usd"), 0)
    assert.lengthOf(series.of("row 4099", "usd"), 1)
  })

  it("are drawn within their box, a flat one too", () => {
    const flat = [1, 1, 1].map((value, at) => ({ at, value }))
    assert.strictEqual(pathOf(flat, 10, 6), "M0.0 5.0L5.0 5.0L10.0 5.0")
    assert.strictEqual(pathOf(flat.slice(0, 1), 10, 6), "")
  })
})
