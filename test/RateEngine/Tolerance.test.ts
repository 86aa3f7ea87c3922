import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import type { Commit, Json, Row } from "../../src/Collection.ts"
import { Decimal, type Tolerance as Options } from "../../src/Config.ts"
import { diffRows } from "../../src/RateEngine/Diff.ts"
import { Tolerance } from "../../src/RateEngine/Tolerance.ts"
import { seeded } from "../Hub/World.ts"
import { connect, queryOf, startOfTime } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

const fields = ["id", "rate", "other"]

/** A decimal text as an integer of units of 1e-60. */
const exact = (text: string): bigint => {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(
    text
  )!
  const shift = 60 - fraction.length + Number(exponent)
  if (shift < 0) throw new Error(`too small: ${text}`)
  const value = BigInt(whole! + fraction) * 10n ** BigInt(shift)
  return sign === "-" ? -value : value
}
const size = (value: bigint) => (value < 0n ? -value : value)
/** Whether one value is within a tolerance of another; a double's last digits are forgiven. */
const isWithin = ({ absolute = 0, relative = 0 }: Options, from: string, to: string): boolean => {
  const drift = size(exact(to) - exact(from)) * 10n ** 12n
  const slack = 10n ** 12n + 10n
  const allowed = [
    exact(absolute.toFixed(20)),
    (size(exact(from)) * exact(relative.toFixed(20))) / 10n ** 60n
  ]
  return allowed.some((limit) => drift <= limit * slack)
}

/** What is committed of a series of readings, one a second. */
const committing = (
  options: Options,
  make: (options: { readonly [name: string]: Options }) => Tolerance = (o) => new Tolerance(o)
) => {
  const tolerance = make({ rate: options })
  let now = 0
  let rows = new Map<string, Row>()
  return (rate: Json, other: Json = 1): Json => {
    now += 1_000
    const next = new Map<string, Row>([["a", { id: "a", rate, other }]])
    tolerance.begin(now)
    const delta = diffRows(fields, rows, next, tolerance.holds)
    tolerance.end(delta, (key) => next.get(key))
    rows = new Map([...rows, ...delta.put, ...[...delta.set].map(([key, { row }]) => [key, row] as const)])
    return rows.get("a")!["rate"]!
  }
}

const walk = (seed: number) => {
  const random = seeded(seed)
  const kind = seed % 3
  const scale = 10 ** Math.floor(random() * 12 - 6)
  let value = scale * (1 + random())
  const drift = (random() - 0.5) * scale * 1e-3
  const text = (): string => (kind === 0 ? String(value) : value.toFixed(kind === 1 ? 18 : 9))
  return {
    options: {
      ...(random() < 0.6 ? { absolute: scale * 10 ** -Math.ceil(random() * 4) } : {}),
      ...(random() < 0.6 ? { relative: 10 ** -Math.ceil(random() * 4) } : {})
    },
    next: (): Json => {
      value += random() < 0.7 ? drift : (random() - 0.5) * scale * 10 ** -Math.floor(random() * 6)
      return kind === 0 ? value : text()
    }
  }
}

const seeds = Number(process.env["SEEDS"] ?? 300)
/** Throws where a value is held back though it drifted too far, or committed though it did not. */
const drifts = (
  seed: number,
  make?: (options: { readonly [name: string]: Options }) => Tolerance
): number => {
  const { next, options } = walk(seed)
  const commit = committing(options, make)
  let committed = commit(next())
  let moves = 0
  for (let step = 0; step < 200; step++) {
    const value = next()
    const before = committed
    committed = commit(value)
    if (committed === before && value !== before) {
      assert.isTrue(
        isWithin(options, String(before), String(value)),
        `seed ${seed}: ${before} hides ${value}`
      )
    } else if (committed !== before) {
      moves++
      assert.strictEqual(committed, value, `seed ${seed}`)
      assert.isFalse(
        isWithin(
          { absolute: (options.absolute ?? 0) * 0.999_999, relative: (options.relative ?? 0) * 0.999_999 },
          String(before),
          String(value)
        ) &&
          (options.absolute ?? options.relative) !== undefined &&
          String(before) !== String(value) &&
          size(exact(String(before)) - exact(String(value))) > 0n,
        `seed ${seed}: ${before} → ${value} is within the tolerance`
      )
    }
  }
  return moves
}

describe("a tolerance in value", () => {
  it("is measured from the value last committed, so slow drift cannot hide", () => {
    let moves = 0
    for (let seed = 1; seed <= seeds; seed++) moves += drifts(seed)
    assert.isAbove(moves, seeds)
  })

  it("a thousand small steps are told of in time", () => {
    const commit = committing({ absolute: 0.01 })
    let worst = 0
    for (let n = 0; n < 1_000; n++)
      worst = Math.max(worst, n / 1_000 - Number(commit((n / 1_000).toFixed(3))))
    assert.isAtMost(worst, 0.01 + 1e-12)
  })

  it.prop(
    "holds back nothing that is farther away than it says, for any two numbers",
    [Schema.Finite, Schema.Finite, Schema.Finite, Schema.Finite],
    ([from, to, absolute, relative]) => {
      const options = { absolute: Math.abs(absolute), relative: Math.abs(relative) % 1 }
      const commit = committing(options)
      commit(from)
      if (commit(to) !== to) {
        const drift = Math.abs(to - from)
        assert.isTrue(drift <= options.absolute || drift <= options.relative * Math.abs(from))
      }
    },
    { arbitrary: { runs: 500 } }
  )

  for (const [what, options, from, to, kept] of [
    ["absolute, just inside", { absolute: 0.5 }, "1", "1.5", true],
    ["absolute, just outside", { absolute: 0.5 }, "1", "1.50000001", false],
    ["relative, just inside", { relative: 0.1 }, "10", "11", true],
    ["relative, just outside", { relative: 0.1 }, "10", "11.01", false],
    ["relative, of a negative number", { relative: 0.1 }, "-10", "-10.5", true],
    ["relative, from zero", { relative: 0.5 }, "0", "0.000001", false],
    ["either will do", { absolute: 1, relative: 0.1 }, "100", "109", true],
    [
      "digits beyond a double's are seen",
      { absolute: 1 },
      "12345678901234567890",
      "12345678901234567892",
      false
    ],
    [
      "digits beyond a double's are within",
      { absolute: 2 },
      "12345678901234567890",
      "12345678901234567892",
      true
    ],
    ["the same number, otherwise written", { relative: 0.1 }, "1.10", "1.1", true],
    ["numbers written with an exponent", { relative: 0.1 }, "1.0e-7", "1.05e-7", true],
    ["numbers of which one has an exponent", { relative: 0.1 }, "0.0000001", "1.05e-7", true],
    ["very small numbers", { relative: 0.1 }, `0.${"0".repeat(34)}1`, `0.${"0".repeat(34)}9`, false],
    ["doubles", { relative: 0.1 }, 10, 10.5, true],
    ["null is no number", { absolute: 5 }, 1, null, false],
    ["nor is what comes after null", { absolute: 5 }, null, 1, false],
    ["text is no number", { absolute: 5, relative: 1 }, "a", "b", false],
    ["a number and a decimal text are of two kinds", { absolute: 5 }, 1, "1.5", false]
  ] as const) {
    it(`${what}: ${JSON.stringify(from)} → ${JSON.stringify(to)} is ${kept ? "held back" : "committed"}`, () => {
      const commit = committing(options)
      commit(from)
      assert.strictEqual(commit(to), kept ? from : to)
    })
  }

  it("another field of the row moves at once, and does not take the held one with it", () => {
    const commit = committing({ absolute: 1 })
    commit("1", 1)
    assert.strictEqual(commit("1.5", 2), "1")
    assert.strictEqual(commit("1.9", 3), "1")
    assert.strictEqual(commit("2.1", 4), "2.1")
  })
})

/** When the commits with a certain field were made, and what they said. */
const moves = (commits: ReadonlyArray<Commit>, key: string, name: string) =>
  commits.flatMap(({ at, deltas }) => {
    const delta = deltas.get("pools")
    const put = delta?.put.get(key)
    const set = delta?.set.get(key)
    if (put !== undefined) return [{ at: at - startOfTime, value: put[name] }]
    return set?.fields.includes(name) === true ? [{ at: at - startOfTime, value: set.row[name] }] : []
  })

describe("a tolerance in time", () => {
  const Pool = Schema.Struct({ id: Schema.String, apr: Schema.Finite, rate: Decimal })
  const every = 10_000
  const config = (more: Options = {}) =>
    onePolled({ row: Pool, tolerance: { apr: { every: "10 seconds", ...more } } }, { every: "1 second" })
  const reader = Effect.gen(function* () {
    return yield* connect(yield* queryOf(["pools"]))
  })
  it.effect("moves at most once in it, while the rest of the row moves at once", () =>
    onHub(
      config(),
      (_, n) => ({ body: [{ id: "a", apr: n, rate: `${n}` }] }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(60_000)
        const aprs = moves(rig.commits, "a", "apr")
        assert.isTrue(aprs.length >= 6 && aprs.length <= 7, `${aprs.length}`)
        aprs.slice(1).forEach(({ at }, i) => assert.isAtLeast(at - aprs[i]!.at, every))
        assert.strictEqual(moves(rig.commits, "a", "rate").length, rig.times.length)
      })
    )
  )

  it.effect("what is held back leaves by itself when its time is over, though nothing else comes", () =>
    onHub(
      config(),
      ({ at }) => ({
        body: [
          { id: "a", apr: at - startOfTime < 3_500 ? Math.floor((at - startOfTime) / 1_000) : 3, rate: "1" }
        ]
      }),
      Effect.fnUntraced(function* (rig) {
        const client = yield* reader
        yield* until(9_999)
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("apr"), 0)
        yield* until(10_000)
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("apr"), 3)
        yield* until(60_000)
        assert.deepStrictEqual(moves(rig.commits, "a", "apr"), [
          { at: 0, value: 0 },
          { at: 10_000, value: 3 }
        ])
      })
    )
  )

  it.effect("also while the upstream fails", () =>
    onHub(
      config(),
      ({ at }) =>
        at - startOfTime < 2_500
          ? { body: [{ id: "a", apr: Math.floor((at - startOfTime) / 1_000), rate: "1" }] }
          : { status: 500 },
      Effect.fnUntraced(function* () {
        yield* reader
        yield* until(12_000)
        assert.strictEqual(yield* state("pools"), "stale upstream_status")
        assert.isAbove((yield* held("pools"))["a"]!["apr"] as number, 0)
      })
    )
  )

  it.effect("a value that comes back is no change, and a row that goes is not brought back", () =>
    onHub(
      config(),
      ({ at }) => {
        const ms = at - startOfTime
        const rows = [
          { id: "a", apr: ms > 2_500 && ms < 4_500 ? 7 : 1, rate: "1" },
          { id: "b", apr: ms > 2_500 ? 7 : 1, rate: "1" }
        ]
        return { body: ms > 6_500 ? rows.slice(0, 1) : rows }
      },
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(30_000)
        assert.strictEqual(moves(rig.commits, "a", "apr").length, 1)
        assert.strictEqual(moves(rig.commits, "b", "apr").length, 1)
        assert.deepStrictEqual(Object.keys(yield* held("pools")), ["a"])
      })
    )
  )

  it.effect("rows have each their own time", () =>
    onHub(
      config(),
      ({ at }, n) => ({
        body: [
          { id: "a", apr: n, rate: "1" },
          ...(at - startOfTime > 4_500 ? [{ id: "b", apr: n, rate: "1" }] : [])
        ]
      }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(40_000)
        const born = moves(rig.commits, "b", "apr")[0]!.at
        assert.isAbove(born, 4_500)
        for (const key of ["a", "b"]) {
          const all = moves(rig.commits, key, "apr")
          assert.isAtLeast(all.length, 4)
          all.slice(1).forEach(({ at }, i) => assert.isAtLeast(at - all[i]!.at, every))
        }
      })
    )
  )

  it.effect("beside one in value: what is within it does not leave when the time is over", () =>
    onHub(
      config({ absolute: 5 }),
      (_, n) => ({ body: [{ id: "a", apr: Math.min(n, 4), rate: `${n}` }] }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(60_000)
        assert.strictEqual(moves(rig.commits, "a", "apr").length, 1)
        assert.isAtLeast(rig.commits.length, 50)
      })
    )
  )
})

describe("the checks can fail", () => {
  class FromTheLastReading extends Tolerance {
    private last: Json | undefined
    override readonly holds: Tolerance["holds"] = (() => {
      const { holds } = this
      return (key, name, committed, next) => {
        const from = this.last ?? committed
        this.last = next
        return holds(key, name, from, next)
      }
    })()
  }
  it("a drift measured from the last reading is noticed", () => {
    assert.throws(() => {
      for (let seed = 1; seed <= seeds; seed++) drifts(seed, (options) => new FromTheLastReading(options))
    }, /hides/)
  })
})
