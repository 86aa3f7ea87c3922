import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import type { Throttle as Options } from "../../src/Config.ts"
import { Decimal, defineConfig, derived, polled, source, type SourceOptions } from "../../src/Config.ts"
import { Throttle } from "../../src/RateEngine/Throttle.ts"
import { seeded } from "../Hub/World.ts"
import { type Asked, connect, queryOf, startOfTime } from "../Kit.ts"
import { held, onHub, type Rig, state, until } from "../Rig.ts"

/** What leaves a throttle, and when, if it is offered 1, 2, 3 … at these times and released when it says. */
const leaving = (
  options: Options,
  times: ReadonlyArray<number>,
  make: (options: Options) => Throttle<number> = (o) => new Throttle(o)
) => {
  const throttle = make(options)
  const left: Array<{ readonly at: number; readonly value: number }> = []
  let timer: number | undefined
  const fire = (now: number) => {
    while (timer !== undefined && timer <= now) {
      const value = throttle.release(timer)
      if (value !== undefined) left.push({ at: timer, value })
      timer = undefined
    }
  }
  times.forEach((at, i) => {
    fire(at)
    const { leaves, wait } = throttle.offer(i + 1, at, () => i + 1)
    if (leaves !== undefined) left.push({ at, value: leaves })
    if (wait !== undefined) timer = at + wait
  })
  fire(Infinity)
  return left
}
const series = (seed: number): ReadonlyArray<number> => {
  const random = seeded(seed)
  let at = 0
  return Array.from({ length: 40 }, () => (at += 1 + Math.floor(random() * (random() < 0.2 ? 5_000 : 700))))
}

const seeds = Number(process.env["SEEDS"] ?? 500)
/** Throws where a series leaves otherwise than was promised. */
const hold = (leading: boolean, seed: number, make?: (options: Options) => Throttle<number>): void => {
  const every = [1, 300, 1_000, 10_000][seed % 4]!
  const times = series(seed)
  const left = leaving({ every, leading }, times, make)
  assert.strictEqual(left.at(-1)!.value, times.length, `seed ${seed}: the last one is delivered`)
  left
    .slice(1)
    .forEach(({ at }, i) => assert.isAtLeast(at - left[i]!.at, every, `seed ${seed}: two within ${every}`))
  for (const { at, value } of left) {
    // What leaves is the newest there was, and nothing waits longer than it must.
    const newest = times.findLastIndex((time) => time <= at) + 1
    const before = times.findLastIndex((time) => time < at) + 1
    assert.isTrue(value === newest || value === before, `seed ${seed}: ${value} leaves at ${at}`)
    const cameAt = times[value - 1]!
    assert.isAtMost(at - cameAt, every, `seed ${seed}: ${value} waits`)
    if (leading && at === cameAt) continue
    assert.isTrue(
      times.some((time) => time < at && time >= at - every),
      `seed ${seed}`
    )
  }
  const first = left[0]!
  assert.strictEqual(first.at, leading ? times[0] : times[0]! + every, `seed ${seed}`)
}

describe("a throttle: newest wins, the last is always delivered, never two within its time", () => {
  for (const leading of [true, false]) {
    it(leading ? "the first after a quiet time leaves at once" : "or the first is gathered", () => {
      for (let seed = 1; seed <= seeds; seed++) hold(leading, seed)
    })
  }

  it("leading is the default", () => {
    assert.deepStrictEqual(leaving({ every: "1 second" }, [0, 100, 200]), [
      { at: 0, value: 1 },
      { at: 1_000, value: 3 }
    ])
  })
})

const Pool = Schema.Struct({ id: Schema.String, n: Schema.Finite })
const throttled = (throttle: Options, from: Partial<SourceOptions> = {}) => {
  const slow = polled({
    key: "id",
    row: Pool,
    source: source({ url: "http://up/slow", every: "1 second", retries: 0, throttle, ...from })
  })
  const quick = polled({
    key: "id",
    row: Pool,
    source: source({ url: "http://up/quick", every: "1 second" })
  })
  const sums = derived({
    from: { quick, slow },
    key: "id",
    row: Schema.Struct({ id: Schema.String, slow: Schema.Finite, quick: Schema.Finite, text: Decimal }),
    rows: ({ quick, slow }) =>
      [...slow].map(([key, row]) => ({
        key,
        row: { id: key, slow: row.n, quick: quick.get("a")?.n ?? 0, text: "1" }
      }))
  })
  return defineConfig({ collections: { sums, slow, quick } })
}
const counting = ({ at, url }: Asked) => ({
  body: [{ id: "a", n: url.endsWith("slow") ? Math.floor((at - startOfTime) / 100) : 1 }]
})
const commitsOf = (rig: Rig, name: string) =>
  rig.commits.filter(({ deltas }) => {
    const delta = deltas.get(name)
    return delta !== undefined && delta.put.size + delta.set.size > 0
  })
const gapsOf = (rig: Rig, name: string) => {
  const times = commitsOf(rig, name).map(({ at }) => at)
  return times.slice(1).map((at, i) => at - times[i]!)
}

describe("of a source", () => {
  for (const leading of [true, false]) {
    it.effect(`${leading ? "" : "gathering first, "}holds it and all that derives from it`, () =>
      onHub(
        throttled({ every: "10 seconds", leading }),
        counting,
        Effect.fnUntraced(function* (rig) {
          const client = yield* connect(yield* queryOf(["sums", "slow", "quick"]))
          yield* until(9_000)
          assert.strictEqual(commitsOf(rig, "slow").length, leading ? 1 : 0)
          assert.strictEqual(yield* state("sums"), leading ? "live" : "loading")
          yield* until(95_000)
          for (const name of ["slow", "sums"]) {
            const gaps = gapsOf(rig, name)
            assert.isAtLeast(gaps.length, 7)
            assert.isAtLeast(Math.min(...gaps), 10_000)
          }
          // The very first may come before the other input has rows.
          for (const { deltas } of commitsOf(rig, "slow").slice(1)) assert.isTrue(deltas.has("sums"))
          assert.isAtLeast(client.rows.get("sums")!.get("a")!.get("slow") as number, 800)
        })
      )
    )
  }

  it.effect("lets a client see the newest when everything has come to rest", () =>
    onHub(
      throttled({ every: "10 seconds" }),
      (asked) => counting({ ...asked, at: Math.min(asked.at, startOfTime + 12_345) }),
      Effect.fnUntraced(function* () {
        const client = yield* connect(yield* queryOf(["sums"]))
        yield* until(30_000)
        const { n } = (yield* held("slow"))["a"] as { readonly n: number }
        assert.strictEqual(n, 123)
        assert.strictEqual(client.rows.get("sums")!.get("a")!.get("slow"), 123)
      })
    )
  )

  it.effect("does not hold another source", () =>
    onHub(
      throttled({ every: "10 seconds" }),
      (asked) =>
        asked.url.endsWith("slow") ? counting(asked) : { body: [{ id: "a", n: asked.at - startOfTime }] },
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(["sums"]))
        yield* until(20_500)
        assert.isAtLeast(commitsOf(rig, "quick").length, 20)
        assert.isAtLeast(commitsOf(rig, "sums").length, 20)
        assert.strictEqual(commitsOf(rig, "slow").length, 3)
      })
    )
  )

  it.effect("does not hold back a failure", () =>
    onHub(
      throttled({ every: "1 minute" }),
      (asked) =>
        asked.at - startOfTime > 5_500 && asked.url.endsWith("slow") ? { status: 500 } : counting(asked),
      Effect.fnUntraced(function* () {
        yield* connect(yield* queryOf(["sums"]))
        yield* until(7_000)
        assert.strictEqual(yield* state("slow"), "stale upstream_status")
        assert.strictEqual(yield* state("sums"), "stale upstream_status")
      })
    )
  )

  it.effect("keeps its time also where the upstream fails now and then", () =>
    onHub(
      throttled({ every: "10 seconds" }),
      (asked) =>
        asked.url.endsWith("slow") && Math.floor((asked.at - startOfTime) / 1_000) % 3 === 2
          ? { status: 500 }
          : counting(asked),
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(["sums"]))
        yield* until(60_000)
        assert.isAtLeast(commitsOf(rig, "slow").length, 4)
        assert.isAtLeast(Math.min(...gapsOf(rig, "slow")), 10_000)
      })
    )
  )

  it.effect("an answer that looks wrong, repeated while the first is held, is believed when it leaves", () =>
    onHub(
      throttled({ every: "10 seconds" }),
      ({ at, url }) => {
        const all = Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, n: 1 }))
        return { body: url.endsWith("slow") && at - startOfTime > 3_500 ? all.slice(0, 2) : all }
      },
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(["slow"]))
        yield* until(10_900)
        // Nine polls or so have said the same by now.
        assert.isAtLeast(
          rig.script.asked.filter(({ at, url }) => at - startOfTime > 3_500 && url.endsWith("slow")).length,
          6
        )
        assert.strictEqual(Object.keys(yield* held("slow")).length, 2)
      })
    )
  )
})

describe("the checks can fail", () => {
  const planted: ReadonlyArray<readonly [mistake: string, make: (options: Options) => Throttle<number>]> = [
    [
      "the oldest wins",
      (options) =>
        new (class extends Throttle<number> {
          override offer(value: number, now: number) {
            return super.offer(value, now, (old) => old)
          }
        })(options)
    ],
    [
      "the trailing edge is lost",
      (options) =>
        new (class extends Throttle<number> {
          override release(now: number) {
            super.release(now)
            return undefined
          }
        })(options)
    ],
    [
      "a release does not begin a new time",
      (options) =>
        new (class extends Throttle<number> {
          override release(_now: number) {
            return super.release(-1e9)
          }
        })(options)
    ]
  ]
  for (const [mistake, make] of planted) {
    it(`where ${mistake}`, () => {
      assert.throws(() => {
        for (let seed = 1; seed <= seeds; seed++) hold(true, seed, make)
      })
    })
  }
})
