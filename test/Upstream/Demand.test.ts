import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { Decimal, defineConfig, derived, polled, source } from "../../src/Config.ts"
import { Upstream } from "../../src/Upstream.ts"
import { connect, queryOf, settle } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, rate: Decimal })
const rows = (rate: unknown) => [{ id: "a", rate: `${rate}` }]
const reading = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  return yield* connect(yield* queryOf(names.length === 0 ? ["pools"] : names))
})
const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((at, i) => at - times[i]!)
const refresh = (name = "pools") => Effect.flatMap(Upstream, (upstream) => upstream.refresh(name))
/** With what is held when it is answered. */
const refreshed = Effect.flatMap(refresh(), (answer) =>
  Effect.map(held("pools"), ({ a }) => ({ ...answer, rate: a!["rate"] }))
)

describe("a source whose readers are gone", () => {
  for (const [given, idleEvery, expected] of [
    ["six times the schedule, where nothing else is said", undefined, 60_000],
    ["what is said", "25 seconds", 25_000]
  ] as const) {
    it.effect(`slows to ${given}`, () =>
      onHub(
        onePolled({ row: Pool }, { every: "10 seconds", ...(idleEvery === undefined ? {} : { idleEvery }) }),
        (_, n) => ({ body: rows(n) }),
        Effect.fnUntraced(function* (rig) {
          yield* until(200_000)
          assert.deepStrictEqual(new Set(gaps(rig.times)), new Set([expected]))
          const client = yield* reading()
          yield* until(400_000)
          const read = rig.times.length
          client.drop()
          yield* until(1_000_000)
          // It lingers for half a minute, for those who come by.
          const after = gaps(rig.times.slice(read - 1))
          assert.isAtMost(after.filter((gap) => gap === 10_000).length, 4)
          assert.isAbove(after.filter((gap) => gap === expected).length, 8)
          assert.isAtMost(after.filter((gap) => gap !== 10_000 && gap !== expected).length, 1)
        })
      )
    )
  }

  it.effect("is woken by the first new reader", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds", idleEvery: "10 minutes" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        yield* until(100_000)
        assert.deepStrictEqual(rig.times, [0])
        const client = yield* reading()
        yield* settle
        assert.deepStrictEqual(rig.times, [0, 100_000])
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "2")
        yield* reading()
        yield* reading()
        yield* settle
        assert.strictEqual(rig.times.length, 2)
      })
    )
  )

  it.effect("is not asked again before its time by a reader who wakes it", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds", idleEvery: "10 minutes" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        yield* until(4_000)
        yield* reading()
        yield* until(9_999)
        assert.deepStrictEqual(rig.times, [0])
        yield* until(10_000)
        assert.deepStrictEqual(rig.times, [0, 10_000])
      })
    )
  )

  it.effect("however often readers go and come, it is never polled more often than its schedule says", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds", idleEvery: "1 minute" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        for (let visit = 0; visit < 12; visit++) {
          const client = yield* reading()
          yield* until(visit * 300_000 + 61_000 + visit * 777)
          client.drop()
          yield* until((visit + 1) * 300_000)
        }
        assert.isAbove(rig.times.length, 100)
        // One shorter step in all brings the source to its phase.
        const shorter = gaps(rig.times).filter((gap) => gap < 10_000)
        assert.isAtMost(shorter.length, 1, `${shorter.length} polls came early: ${shorter}`)
      })
    )
  )

  it.effect("is kept awake by requests that only come by", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        const { touch } = yield* Upstream
        for (let at = 0; at <= 300_000; at += 25_000) {
          touch(["pools"])
          yield* until(at)
        }
        assert.isAtLeast(rig.times.length, 30)
      })
    )
  )

  it.effect("is read through what is derived from it", () =>
    onHub(
      (() => {
        const pools = polled({
          key: "id",
          row: Pool,
          source: source({ url: "http://up/pools", every: "10 seconds", idleEvery: "10 minutes" })
        })
        const rates = derived({
          from: { pools },
          key: "id",
          row: Pool,
          rows: ({ pools }) => [...pools].map(([key, row]) => ({ key, row }))
        })
        return defineConfig({ collections: { pools, rates } })
      })(),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        yield* until(100_000)
        const client = yield* reading("rates")
        yield* settle
        assert.strictEqual(rig.times.at(-1), 100_000)
        assert.strictEqual(client.rows.get("rates")!.get("a")!.get("rate"), "2")
        assert.isTrue((yield* refresh("rates")).ok)
      })
    )
  )
})

const slow = () => onePolled({ row: Pool }, { every: "1 minute", refreshEvery: "5 seconds" })
const after = (ms: number) => (_: unknown, n: number) => Effect.delay(Effect.succeed({ body: rows(n) }), ms)

describe("a refresh", () => {
  it.effect("starts one poll for all who ask, and returns when it is committed", () =>
    onHub(
      slow(),
      after(300),
      Effect.fnUntraced(function* (rig) {
        yield* until(10_000)
        const asking = yield* Effect.forEach(Array.from({ length: 50 }), () =>
          Effect.forkChild(Effect.map(refresh(), (answer) => ({ ...answer, commits: rig.commits.length })))
        )
        yield* until(10_299)
        assert.deepStrictEqual(rig.times, [0, 10_000])
        assert.isTrue(asking.every((fiber) => fiber.pollUnsafe() === undefined))
        yield* until(10_300)
        for (const fiber of asking) {
          assert.deepStrictEqual(yield* Effect.flatten(Effect.sync(() => fiber.pollUnsafe()!)), {
            refreshed: true,
            ok: true,
            retryAfterMs: 5_000,
            commits: 2
          })
        }
        assert.strictEqual((yield* held("pools"))["a"]!["rate"], "2")
        assert.strictEqual(rig.script.most, 1)
      })
    )
  )

  it.effect("is not answered by the poll that runs: all who ask then share the next one", () =>
    onHub(
      slow(),
      after(300),
      Effect.fnUntraced(function* (rig) {
        yield* until(10_000)
        yield* Effect.forkChild(refresh())
        yield* until(10_100)
        const asking = yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.forkChild(refreshed))
        yield* until(10_200)
        asking.push(yield* Effect.forkChild(refreshed))
        yield* until(15_299)
        // No earlier than refreshEvery after the one that ran.
        assert.deepStrictEqual(rig.times, [0, 10_000, 15_000])
        assert.isTrue(asking.every((fiber) => fiber.pollUnsafe() === undefined))
        yield* until(15_300)
        for (const fiber of asking)
          assert.deepStrictEqual(yield* Effect.flatten(Effect.sync(() => fiber.pollUnsafe()!)), {
            refreshed: true,
            ok: true,
            retryAfterMs: 5_000,
            rate: "3"
          })
        yield* until(30_000)
        assert.deepStrictEqual(rig.times, [0, 10_000, 15_000])
        assert.strictEqual(rig.script.most, 1)
      })
    )
  )

  it.effect("is answered by a poll of the schedule that begins after it", () =>
    onHub(
      onePolled({ row: Pool }, { every: "3 seconds", refreshEvery: "5 seconds" }),
      after(2_000),
      Effect.fnUntraced(function* (rig) {
        yield* reading()
        yield* until(500)
        const asking = yield* Effect.forkChild(refreshed)
        yield* until(9_000)
        const answer = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.deepStrictEqual([answer.refreshed, answer.rate], [true, "2"])
        assert.isBelow(rig.times[1]!, 5_000)
      })
    )
  )

  it.effect("is answered by all pages of the next poll", () =>
    onHub(
      onePolled(
        { row: Pool },
        { every: "1 minute", rows: "rows", pages: { by: "cursor", next: "next", parameter: "from" } }
      ),
      ({ url }, n) =>
        Effect.delay(
          Effect.succeed({
            body: url.includes("from=") ? { rows: [] } : { rows: rows(n), next: "b" }
          }),
          700
        ),
      Effect.fnUntraced(function* (rig) {
        yield* until(1_000)
        const asking = yield* Effect.forkChild(refreshed)
        yield* until(2_799)
        assert.isUndefined(asking.pollUnsafe())
        yield* until(2_800)
        assert.deepStrictEqual(rig.times, [0, 700, 1_400, 2_100])
        const answer = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.deepStrictEqual([answer.refreshed, answer.ok, answer.rate], [true, true, "3"])
      })
    )
  )

  for (const [why, refreshEvery, failed, retryAfterMs] of [
    ["refreshEvery is long", "1 minute", {}, 59_700],
    ["the upstream asks for that", "1 second", { status: 503, headers: { "retry-after": "30" } }, 30_000]
  ] as const)
    it.effect(`is told when to come again where no poll may follow soon: ${why}`, () =>
      onHub(
        onePolled({ row: Pool }, { every: "2 minutes", refreshEvery, retries: 0 }),
        (_, n) => Effect.delay(Effect.succeed({ body: rows(n), ...failed }), 300),
        Effect.fnUntraced(function* (rig) {
          yield* until(100)
          const asking = yield* Effect.forkChild(refresh())
          yield* until(300)
          assert.deepStrictEqual(yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!)), {
            refreshed: false,
            ok: !("status" in failed),
            retryAfterMs
          })
          yield* until(20_000)
          assert.deepStrictEqual(rig.times, [0])
        })
      )
    )

  it.effect("within refreshEvery of the last fetches nothing, and says when to come again", () =>
    onHub(
      slow(),
      after(0),
      Effect.fnUntraced(function* (rig) {
        yield* until(2_000)
        assert.deepStrictEqual(yield* refresh(), { refreshed: false, ok: true, retryAfterMs: 3_000 })
        yield* until(5_000)
        const asking = yield* Effect.forkChild(refresh())
        yield* settle
        assert.isTrue(asking.pollUnsafe() !== undefined)
        assert.deepStrictEqual(yield* refresh(), { refreshed: false, ok: true, retryAfterMs: 5_000 })
        assert.deepStrictEqual(rig.times, [0, 5_000])
      })
    )
  )

  it.effect("leaves the schedule on its grid", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds" }),
      after(0),
      Effect.fnUntraced(function* (rig) {
        yield* reading()
        yield* until(40_000)
        const phase = rig.times.at(-1)! % 10_000
        yield* until(43_000 + phase)
        yield* Effect.forkChild(refresh())
        yield* until(90_000)
        assert.deepStrictEqual(
          rig.times.filter((at) => at > 43_000 && at % 10_000 !== phase),
          [43_000 + phase]
        )
        assert.isAtLeast(rig.times.filter((at) => at > 43_000).length, 5)
      })
    )
  )

  it.effect("that fails says so, and so does one that comes too soon after", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 minute", refreshEvery: "5 seconds", retries: 0 }),
      (_, n) => Effect.delay(Effect.succeed(n === 1 ? { body: rows(n) } : { status: 500 }), 1),
      Effect.fnUntraced(function* () {
        yield* until(10_000)
        const asking = yield* Effect.forkChild(refresh())
        yield* until(10_001)
        const first = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.deepStrictEqual([first.refreshed, first.ok], [true, false])
        yield* until(11_000)
        const second = yield* refresh()
        assert.deepStrictEqual([second.refreshed, second.ok], [false, false])
      })
    )
  )

  it.effect("whose answer does not count is not ok: what is held is not what the upstream says", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 minute" }),
      (_, n) => Effect.delay(Effect.succeed({ body: n === 1 ? rows(n) : [] }), 1),
      Effect.fnUntraced(function* () {
        yield* until(10_000)
        const asking = yield* Effect.forkChild(refresh())
        yield* until(10_001)
        assert.strictEqual(yield* state("pools"), "stale upstream_empty")
        const answer = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.isFalse(answer.ok)
      })
    )
  )

  it.effect("of an upstream whose circuit breaker is open is not ok, and says when to come again", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds", retries: 0 }),
      () => ({ status: 500 }),
      Effect.fnUntraced(function* (rig) {
        yield* reading()
        yield* until(45_000)
        while (rig.count("upstream_polls_rejected_total") === 0) yield* until(rig.elapsed() + 1_000)
        yield* until(rig.elapsed() + 2_000)
        const asked = rig.times.length
        const answer = yield* refresh()
        assert.deepStrictEqual([answer.refreshed, answer.ok], [false, false])
        assert.isAtLeast(answer.retryAfterMs, 1)
        assert.strictEqual(rig.times.length, asked)
      })
    )
  )

  it.effect("that is answered in the same instant returns", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 minute" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* () {
        yield* until(10_000)
        assert.deepStrictEqual(yield* refresh(), { refreshed: true, ok: true, retryAfterMs: 1_000 })
      })
    )
  )

  it.effect("that finds what the throttle holds already waits until that is committed", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 minute", throttle: { every: "10 seconds" } }),
      (_, n) => Effect.delay(Effect.succeed({ body: rows(Math.min(n, 2)) }), 1),
      Effect.fnUntraced(function* () {
        yield* until(2_000)
        const first = yield* Effect.forkChild(Effect.andThen(refresh(), held("pools")))
        yield* until(8_000)
        const second = yield* Effect.forkChild(Effect.andThen(refresh(), held("pools")))
        yield* until(20_000)
        for (const fiber of [first, second]) {
          const seen = yield* Effect.flatten(Effect.sync(() => fiber.pollUnsafe()!))
          assert.strictEqual(seen["a"]!["rate"], "2")
        }
      })
    )
  )
})

describe("the checks can fail", () => {
  it.effect("a poll that comes early is noticed", () =>
    onHub(
      onePolled({ row: Pool }, { every: "10 seconds", refreshEvery: "1 second" }),
      (_, n) => ({ body: rows(n) }),
      Effect.fnUntraced(function* (rig) {
        yield* reading()
        yield* until(63_000)
        const early = () => gaps(rig.times).filter((gap) => gap < 10_000).length
        const before = early()
        yield* Effect.forkChild(refresh())
        yield* until(90_000)
        assert.isAbove(early(), before)
      })
    )
  )
})
