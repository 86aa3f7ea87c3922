import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"

import type { Commit, Row } from "../../src/Collection.ts"
import {
  Decimal,
  defineConfig,
  derived,
  fromScaled,
  polled,
  type Rows,
  source,
  toScaled
} from "../../src/Config.ts"
import { seeded } from "../Hub/World.ts"
import { type Asked, Client, connect, queryOf, startOfTime } from "../Kit.ts"
import { held, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, asset: Schema.String, reserve: Decimal })
const Coin = Schema.Struct({ id: Schema.String, usd: Decimal })
const Value = Schema.Struct({ asset: Schema.String, tvl: Decimal, pools: Schema.Finite })
const Total = Schema.Struct({ id: Schema.String, tvl: Decimal, of: Schema.Finite })

/** What each asset's pools are worth. */
const valueOf = (asset: string, pools: Rows<typeof Pool.Type>, coins: Rows<typeof Coin.Type>) => {
  const usd = coins.get(asset)?.usd
  const mine = [...pools].filter(([, pool]) => pool.asset === asset)
  if (usd === undefined || mine.length === 0) return undefined
  const reserve = mine.reduce((sum, [, pool]) => sum + toScaled(pool.reserve, 6), 0n)
  return { asset, tvl: fromScaled(reserve * toScaled(usd, 6), 12), pools: mine.length }
}

interface Spied {
  at?: (key: string) => void
  whole?: () => void
}
/** A diamond: two sources, two collections made of both, in two ways, and one made of those. Named last come first. */
const diamond = (every: string = "1 second", spied: Spied = {}) => {
  const pools = polled({
    key: "id",
    row: Pool,
    allowEmpty: true,
    minKeep: 0,
    source: source({ url: "http://up/pools", every: every as never, retries: 0 })
  })
  const coins = polled({
    key: "id",
    row: Coin,
    allowEmpty: true,
    minKeep: 0,
    source: source({ url: "http://up/coins", every: every as never, retries: 0 })
  })
  const whole = derived({
    from: { pools, coins },
    key: "asset",
    row: Value,
    rows: ({ coins, pools }) => {
      spied.whole?.()
      return [...coins].flatMap(([asset]) => {
        const row = valueOf(asset, pools, coins)
        return row === undefined ? [] : [{ key: asset, row }]
      })
    }
  })
  const byKey = derived({
    from: { pools, coins },
    key: "asset",
    row: Value,
    touches: ({ after, before, input, key }) =>
      input === "coins"
        ? [key]
        : ([before?.["asset"], after?.["asset"]].filter((asset) => asset !== undefined) as Array<string>),
    rowAt: (asset, { coins, pools }) => {
      spied.at?.(asset)
      return valueOf(asset, pools, coins)
    }
  })
  const total = derived({
    from: { byKey, whole },
    key: "id",
    row: Total,
    rows: ({ byKey, whole }) => [
      {
        key: "all",
        row: {
          id: "all",
          tvl: fromScaled(
            [...whole].reduce((sum, [, { tvl }]) => sum + toScaled(tvl, 12), 0n),
            12
          ),
          of: byKey.size
        }
      }
    ]
  })
  return defineConfig({ collections: { total, byKey, whole, coins, pools } })
}
const names = ["total", "byKey", "whole", "coins", "pools"]

/** Throws where a derived row is not what the inputs beside it make of it. */
const consistent = (of: (collection: string) => ReadonlyMap<string, unknown>, when: string): void => {
  const pools = of("pools") as ReadonlyMap<string, typeof Pool.Type>
  const coins = of("coins") as ReadonlyMap<string, typeof Coin.Type>
  const expected = Object.fromEntries(
    [...coins.keys()].toSorted().flatMap((asset) => {
      const row = valueOf(asset, pools, coins)
      return row === undefined ? [] : [[asset, row] as const]
    })
  )
  for (const name of ["whole", "byKey"]) {
    const rows = Object.fromEntries([...of(name)].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    assert.deepStrictEqual(rows, expected, `${name} ${when}`)
  }
  const all = Object.values(expected).reduce((sum, { tvl }) => sum + toScaled(tvl, 12), 0n)
  assert.deepStrictEqual(
    of("total").get("all"),
    { id: "all", tvl: fromScaled(all, 12), of: Object.keys(expected).length },
    `total ${when}`
  )
}

/** The rows after each commit, from the commits alone. */
const replay = (
  commits: ReadonlyArray<Commit>,
  check: (rows: ReadonlyMap<string, Map<string, Row>>, at: number) => void
) => {
  const tables = new Map(names.map((name) => [name, new Map<string, Row>()]))
  for (const { at, deltas } of commits) {
    for (const [name, { evict, put, remove, set }] of deltas) {
      const table = tables.get(name)!
      for (const key of [...remove, ...evict]) table.delete(key)
      for (const [key, row] of put) table.set(key, row)
      for (const [key, { row }] of set) table.set(key, row)
    }
    check(tables, at)
  }
}

const market = (seed: number) => {
  const random = seeded(seed)
  const int = (n: number) => Math.floor(random() * n)
  const assets = ["__proto__", "TON", "", "constructor", "ETH"]
  let pools = new Map<string, unknown>()
  let coins = new Map<string, unknown>()
  return ({ url }: Asked) => {
    if (random() < 0.1) return { status: 500 }
    if (url.endsWith("coins")) {
      for (let n = int(3); n > 0; n--) {
        const id = assets[int(5)]!
        if (random() < 0.2) coins.delete(id)
        else coins.set(id, { id, usd: `${int(1_000)}.${int(100)}` })
      }
      return { body: [...coins.values()] }
    }
    for (let n = int(3); n > 0; n--) {
      const id = `p${int(12)}`
      if (random() < 0.2) pools.delete(id)
      else pools.set(id, { id, asset: assets[int(5)], reserve: `${int(1e6)}.${int(1e6)}` })
    }
    return { body: [...pools.values()] }
  }
}

/** A client that checks what it holds after every message. */
class Checking extends Client {
  checked = 0
  override receive(text: string) {
    const message = super.receive(text)
    if (names.every((name) => this.states.get(name) !== "loading" && this.states.has(name))) {
      this.checked++
      consistent(
        (name) => new Map([...this.rows.get(name)!].map(([key, row]) => [key, Object.fromEntries(row)])),
        `in ${text.slice(0, 200)}`
      )
    }
    return message
  }
}

describe("one cause, one commit: nobody sees a derived row beside an input of another poll", () => {
  for (let seed = 1; seed <= 12; seed++) {
    it.effect(`through a diamond of collections, history ${seed}`, () =>
      onHub(
        diamond(),
        market(seed),
        Effect.fnUntraced(function* (rig) {
          const client = new Checking(yield* Clock.Clock)
          yield* connect(yield* queryOf(names), { client })
          yield* until(90_000)
          assert.isAbove(rig.commits.length, 60)
          assert.isAbove(client.checked, 50)
          let live = 0
          replay(rig.commits, (tables, at) => {
            if (tables.get("total")!.size > 0) {
              live++
              consistent((name) => tables.get(name)!, `at ${at - startOfTime}, seed ${seed}`)
            }
          })
          assert.isAbove(live, 50)
          assert.strictEqual(client.refused + client.queued, 0)
        }),
        { seed }
      )
    )
  }
})

const price = (at: number) => (at - startOfTime < 5_000 ? 1 : 2)

describe("a derived collection", () => {
  it.effect("is recomputed for what changed in its inputs, and for nothing else", () => {
    const asked: Array<string> = []
    let runs = 0
    return onHub(
      diamond("1 second", { at: (key) => asked.push(key), whole: () => runs++ }),
      ({ at, url }) => ({
        body: url.endsWith("coins")
          ? ["A", "B", "C"].map((id) => ({ id, usd: `${id === "B" ? price(at) : 1}` }))
          : ["A", "B", "C"].map((asset) => ({ id: `p${asset}`, asset, reserve: "1" }))
      }),
      Effect.fnUntraced(function* () {
        yield* connect(yield* queryOf(names))
        yield* until(4_900)
        assert.deepStrictEqual(new Set(asked), new Set(["A", "B", "C"]))
        assert.strictEqual(asked.length, 3)
        assert.strictEqual(runs, 1)
        yield* until(10_000)
        assert.deepStrictEqual(asked.slice(3), ["B"])
        assert.strictEqual(runs, 2)
      })
    )
  })

  it.effect("has the worst state of its inputs, and waits for all of them", () =>
    onHub(
      diamond(),
      ({ at, url }) => {
        const ms = at - startOfTime
        if (url.endsWith("coins"))
          return ms < 5_000 || (ms > 15_000 && ms < 20_000)
            ? { status: 500 }
            : { body: [{ id: "A", usd: "2" }] }
        return { body: [{ id: "p", asset: "A", reserve: "3" }] }
      },
      Effect.fnUntraced(function* (rig) {
        const client = yield* connect(yield* queryOf(names))
        yield* until(4_500)
        assert.strictEqual(yield* state("pools"), "live")
        for (const name of ["whole", "byKey", "total"])
          assert.strictEqual(yield* state(name), "loading upstream_status")
        assert.strictEqual(client.rows.get("whole")!.size, 0)
        yield* until(14_900)
        for (const name of names) assert.strictEqual(yield* state(name), "live")
        assert.strictEqual((yield* held("total"))["all"]!["tvl"], "6")
        yield* until(17_000)
        for (const name of ["whole", "byKey", "total"])
          assert.strictEqual(yield* state(name), "stale upstream_status")
        assert.strictEqual((yield* held("total"))["all"]!["tvl"], "6")
        const failing = rig.commits.filter(({ deltas }) => deltas.get("coins")?.health?.state === "stale")
        assert.strictEqual(failing.length, 1)
        assert.deepStrictEqual([...failing[0]!.deltas.keys()].toSorted(), [
          "byKey",
          "coins",
          "total",
          "whole"
        ])
        yield* until(35_000)
        for (const name of names) assert.strictEqual(client.states.get(name), "live")
      })
    )
  )
})

describe("the checks can fail", () => {
  it("an input and a derived row that come in two commits are noticed", () => {
    const rows = new Map<string, ReadonlyMap<string, unknown>>([
      ["pools", new Map([["p", { id: "p", asset: "A", reserve: "2" }]])],
      ["coins", new Map([["A", { id: "A", usd: "2" }]])],
      ["whole", new Map([["A", { asset: "A", tvl: "4", pools: 1 }]])],
      ["byKey", new Map([["A", { asset: "A", tvl: "4", pools: 1 }]])],
      ["total", new Map([["all", { id: "all", tvl: "4", of: 1 }]])]
    ])
    consistent((name) => rows.get(name)!, "as it should be")
    rows.set("pools", new Map([["p", { id: "p", asset: "A", reserve: "3" }]]))
    assert.throws(() => consistent((name) => rows.get(name)!, "as it should not"))
  })
})
