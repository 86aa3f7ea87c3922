import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { defineConfig, derived, polled, type Rows, source, type Tolerance } from "../../src/Config.ts"
import { type Asked, connect, queryOf, startOfTime } from "../Kit.ts"
import { held, onHub, state, until } from "../Rig.ts"

/** One polled collection of numbers, and one that is made of it. */
const made = (
  options: object,
  answer: (seconds: number) => number | undefined,
  tolerance: Tolerance = { absolute: 10 }
) => {
  const pools = polled({
    key: "id",
    row: Schema.Struct({ id: Schema.String, n: Schema.Finite }),
    source: source({ url: "http://up/pools", every: "1 second" }),
    tolerance: { n: tolerance }
  })
  const rates = derived({
    from: { pools },
    key: "id",
    row: Schema.Struct({ id: Schema.String, n: Schema.Number }),
    ...options
  } as never)
  return [
    defineConfig({ collections: { pools, rates } }),
    ({ at }: Asked) => {
      const n = answer(Math.floor((at - startOfTime) / 1_000))
      return {
        body:
          n === undefined
            ? "["
            : [
                { id: "a", n },
                { id: "b", n: 1 }
              ]
      }
    }
  ] as const
}
type Inputs = { readonly pools: Rows<{ readonly id: string; readonly n: number }> }
const mapped = (row: (n: number, key: string) => unknown) => ({
  rows: ({ pools }: Inputs) => [...pools].map(([key, { n }]) => ({ key, row: row(n, key) }))
})
const watched = Effect.gen(function* () {
  return yield* connect(yield* queryOf(["pools", "rates"]))
})

const fail = (n: number) => {
  if (n > 50 && n < 150) throw new Error("cannot")
}

describe("a derived row", () => {
  it.effect("is made of what was committed, not of what a tolerance holds back", () =>
    onHub(
      ...made(
        mapped((n) => ({ n })),
        (seconds) => seconds
      ),
      Effect.fnUntraced(function* (rig) {
        const client = yield* watched
        yield* until(45_000)
        assert.isAtMost(rig.commits.length, 6)
        assert.strictEqual(
          client.rows.get("rates")!.get("a")!.get("n"),
          client.rows.get("pools")!.get("a")!.get("n")
        )
        assert.strictEqual(client.rows.get("rates")!.get("a")!.get("id"), "a")
      })
    )
  )

  it.effect("moves with the value it is made of, also where that leaves only when its time is over", () =>
    onHub(
      ...made(
        mapped((n) => ({ n })),
        (seconds) => Math.min(seconds, 3),
        { every: "10 seconds" }
      ),
      Effect.fnUntraced(function* (rig) {
        const client = yield* watched
        yield* until(30_000)
        assert.strictEqual(client.rows.get("rates")!.get("a")!.get("n"), 3)
        assert.strictEqual(rig.commits.length, 2)
        for (const { deltas } of rig.commits) assert.deepStrictEqual([...deltas.keys()], ["pools", "rates"])
      })
    )
  )

  it.effect("that does not fit keeps its last good version, and is named in the log once", () =>
    onHub(
      ...made(
        mapped((n, key) => ({ n: key === "a" && n > 50 ? "much" : n })),
        (seconds) => 20 * seconds
      ),
      Effect.fnUntraced(function* (rig) {
        yield* watched
        yield* until(10_000)
        assert.strictEqual((yield* held("rates"))["a"]!["n"], 40)
        assert.strictEqual(yield* state("rates"), "live")
        assert.strictEqual(rig.logged("derived: row").length, 1)
        assert.isAbove(rig.count("derive_mistakes_total"), 3)
      })
    )
  )

  it.effect("that JSON cannot hold does not fit either", () =>
    onHub(
      ...made(
        mapped((n, key) => ({ n: key === "a" ? n / (n > 50 ? 0 : 1) : n })),
        (seconds) => 20 * seconds
      ),
      Effect.fnUntraced(function* () {
        const client = yield* watched
        yield* until(10_000)
        assert.strictEqual((yield* held("rates"))["a"]!["n"], 40)
        assert.strictEqual(client.rows.get("rates")!.get("a")!.get("n"), 40)
      })
    )
  )

  it.effect("may be of any type that its schema decodes to", () =>
    onHub(
      ...made(
        { ...mapped((n) => ({ n })), row: Schema.Struct({ id: Schema.String, n: Schema.FiniteFromString }) },
        () => 1
      ),
      Effect.fnUntraced(function* () {
        assert.deepStrictEqual((yield* held("rates"))["a"], { id: "a", n: 1 })
      })
    )
  )

  for (const how of ["rows", "touches", "rowAt"]) {
    it.effect(`where ${how} throws, the rows stay, stale, and are right again afterwards`, () => {
      const options =
        how === "rows"
          ? mapped((n) => (fail(n), { n }))
          : {
              touches: ({ after, key }: { key: string; after?: { n: number } }) => {
                if (how === "touches") fail(after?.n ?? 0)
                return [key]
              },
              rowAt: (key: string, { pools }: Inputs) => {
                const row = pools.get(key)
                if (how === "rowAt") fail(row?.n ?? 0)
                return row
              }
            }
      return onHub(
        ...made(options, (seconds) => 20 * seconds),
        Effect.fnUntraced(function* (rig) {
          const client = yield* watched
          yield* until(6_000)
          assert.strictEqual(yield* state("rates"), "stale upstream_shape")
          assert.strictEqual(yield* state("pools"), "live")
          assert.strictEqual((yield* held("rates"))["a"]!["n"], 40)
          assert.isAbove((yield* held("pools"))["a"]!["n"] as number, 50)
          yield* until(12_000)
          assert.strictEqual(yield* state("rates"), "live")
          assert.strictEqual(
            client.rows.get("rates")!.get("a")!.get("n"),
            client.rows.get("pools")!.get("a")!.get("n")
          )
          assert.strictEqual(rig.logged("derived: threw").length, 1)
        })
      )
    })
  }
})

describe("the checks can fail", () => {
  it.effect("a function that is not pure is not what its inputs make of it", () => {
    let runs = 0
    return onHub(
      ...made(
        mapped(() => ({ n: ++runs })),
        (seconds) => 20 * seconds
      ),
      Effect.fnUntraced(function* () {
        yield* watched
        yield* until(5_000)
        assert.notDeepEqual((yield* held("rates"))["a"], (yield* held("pools"))["a"])
      })
    )
  })
})
