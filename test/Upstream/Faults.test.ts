import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schema } from "effect"

import { Decimal, type SourceOptions } from "../../src/Config.ts"
import { Upstream } from "../../src/Upstream.ts"
import { type Answer, connect, queryOf, type Reply, settle, startOfTime } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, rate: Decimal })
const good: Reply = { body: [{ id: "a", rate: "1" }] }
const fast = { every: "10 seconds", timeout: "2 seconds", maxBytes: 1_000 } satisfies Partial<SourceOptions>
const row = { a: { id: "a", rate: "1" } }
const json = JSON.stringify(good.body)
const reader = Effect.gen(function* () {
  return yield* connect(yield* queryOf(["pools"]))
})
const refresh = Effect.flatMap(Upstream, (upstream) => upstream.refresh("pools"))
const refused = Effect.fail(new Error("ECONNREFUSED"))

/** Each fault of an upstream, the code it is told by, and whether another attempt is made within the same poll. */
const faults: ReadonlyArray<readonly [fault: string, answer: Answer, code: string, retried: boolean]> = [
  ["refuses the connection", refused, "upstream_unreachable", true],
  ["does not answer", Effect.never, "upstream_timeout", true],
  ["answers too late", Effect.delay(Effect.succeed(good), 2_001), "upstream_timeout", true],
  ["answers 500", { status: 500, body: good.body }, "upstream_status", true],
  ["answers 503", { status: 503 }, "upstream_status", true],
  ["answers 408", { status: 408 }, "upstream_status", true],
  ["answers 429", { status: 429 }, "upstream_status", true],
  ["answers 404", { status: 404, body: good.body }, "upstream_status", false],
  ["answers 401", { status: 401 }, "upstream_status", false],
  ["answers 301", { status: 301, headers: { location: "/x" } }, "upstream_status", false],
  ["says 200 with HTML", { body: "<!doctype html><title>Sorry</title>" }, "upstream_not_json", true],
  ["breaks off in the middle", { body: json.slice(0, -3) }, "upstream_not_json", true],
  ["says nothing", { body: "" }, "upstream_not_json", true],
  ["sends invalid UTF-8", { body: Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]) }, "upstream_not_json", true],
  [
    "packs in an unknown way",
    { headers: { "content-encoding": "rot13" }, body: `${json} ` },
    "upstream_not_json",
    true
  ],
  [
    "packs by a name of Object",
    { headers: { "content-encoding": "constructor" }, body: `${json} ` },
    "upstream_not_json",
    true
  ],
  ["sends an object", { body: { rows: good.body } }, "upstream_shape", false],
  ["sends null", { body: "null" }, "upstream_shape", false],
  ["sends rows of another shape", { body: [{ id: "a", price: 1 }] }, "upstream_shape", false],
  ["sends rows without keys", { body: [{ rate: "1" }] }, "upstream_shape", false],
  ["sends too much", { body: `${json}${" ".repeat(1_000)}` }, "upstream_too_large", false]
]

describe("failure never empties a collection", () => {
  for (const [fault, answer, code, retried] of faults) {
    it.effect(`an upstream that ${fault} makes it ${code}, once, and recovery is one change`, () =>
      onHub(
        onePolled({ row: Pool }, fast),
        ({ at }) => (at - startOfTime > 25_000 && at - startOfTime < 60_000 ? answer : good),
        Effect.fnUntraced(function* (rig) {
          const client = yield* reader
          yield* until(25_000)
          assert.strictEqual(rig.commits.length, 1)
          const asked = rig.times.length
          yield* until(45_000)
          const told = client.messages.findLast(
            (message) => message.collections?.["pools"]?.state === "stale"
          )!
          const { code: toldCode, detail } = told.collections!["pools"]!.error as {
            readonly code: string
            readonly detail: string
          }
          assert.strictEqual(toldCode, code)
          assert.notMatch(detail, /http|up\/pools|ECONN|Sorry/)
          assert.deepStrictEqual(yield* held("pools"), row)
          assert.strictEqual(rig.times.length - asked > 3, retried)
          yield* until(59_000)
          assert.strictEqual(yield* state("pools"), `stale ${code}`)
          assert.strictEqual(rig.commits.length, 2)
          yield* until(140_000)
          assert.deepStrictEqual([client.states.get("pools"), client.errors.size], ["live", 0])
          assert.deepStrictEqual(yield* held("pools"), row)
          assert.strictEqual(rig.commits.length, 3)
          assert.strictEqual(rig.logged("pools is stale").length, 1)
          assert.strictEqual(client.queued + client.refused, 0)
        })
      )
    )
  }

  it.effect("a collection that never had a good poll goes on loading, with the error", () =>
    onHub(
      onePolled({ row: Pool }, fast),
      ({ at }) => (at - startOfTime < 25_000 ? { status: 500 } : good),
      Effect.fnUntraced(function* (rig) {
        const client = yield* reader
        yield* until(24_000)
        assert.strictEqual(yield* state("pools"), "loading upstream_status")
        assert.deepStrictEqual(
          [client.states.get("pools"), client.errors.get("pools")],
          ["loading", "upstream_status"]
        )
        yield* until(60_000)
        assert.strictEqual(client.states.get("pools"), "live")
        assert.strictEqual(rig.commits.length, 2)
      })
    )
  )

  it.effect("another code is another change, another status of the same code is none", () =>
    onHub(
      onePolled({ row: Pool }, { ...fast, retries: 0 }),
      ({ at }) => {
        const poll = Math.floor((at - startOfTime) / 10_000)
        return poll < 2 ? good : poll < 4 ? { status: poll === 2 ? 500 : 502 } : { body: "<" }
      },
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(39_000)
        assert.strictEqual(rig.commits.length, 2)
        yield* until(49_000)
        assert.strictEqual(rig.commits.length, 3)
        assert.strictEqual(yield* state("pools"), "stale upstream_not_json")
      })
    )
  )
})

describe("retry inside the tick", () => {
  it.effect("comes later and later, jittered by a fifth", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 minute", retries: 7 }),
      () => refused,
      Effect.fnUntraced(function* (rig) {
        yield* until(20_000)
        const gaps = rig.times.slice(1).map((at, i) => at - rig.times[i]!)
        const expected = [200, 400, 800, 1_600, 2_000, 2_000, 2_000]
        assert.strictEqual(gaps.length, 7)
        expected.forEach((gap, i) =>
          assert.isTrue(gaps[i]! >= gap * 0.8 - 1 && gaps[i]! <= gap * 1.2 + 1, `${gaps}`)
        )
        assert.isAbove(new Set(gaps.slice(4)).size, 1)
        assert.strictEqual(rig.count("upstream_polls_total"), 1)
      })
    )
  )

  it.effect("may rescue the poll, and then nobody hears of the fault", () =>
    onHub(
      onePolled({ row: Pool }, fast),
      (_, n) => (n < 3 ? { body: "<" } : good),
      Effect.fnUntraced(function* (rig) {
        yield* until(1_000)
        assert.strictEqual(rig.times.length, 3)
        assert.strictEqual(rig.commits.length, 1)
        assert.strictEqual(yield* state("pools"), "live")
      })
    )
  )
})

describe("Retry-After", () => {
  const date = new Date(startOfTime + 40_000).toUTCString()
  for (const [value, from, to] of [
    ["40", 40_000, 40_500],
    [date, 40_000, 40_500],
    ["0", 1, 10_500],
    ["soon", 1, 10_500],
    [new Date(startOfTime - 60_000).toUTCString(), 1, 10_500],
    ["999999999", 900_000, 900_500]
  ] as const) {
    it.effect(`${value} is honoured, by refreshes too`, () =>
      onHub(
        onePolled({ row: Pool }, fast),
        (_, n) =>
          n > 1 && value !== "soon"
            ? good
            : n > 3
              ? good
              : { status: 429, headers: { "retry-after": value } },
        Effect.fnUntraced(function* (rig) {
          yield* reader
          if (from > 1) {
            yield* until(5_000)
            const { ok, refreshed, retryAfterMs } = yield* refresh
            assert.deepStrictEqual([ok, refreshed], [false, false])
            assert.strictEqual(retryAfterMs, Math.min(from, 900_000) - 5_000)
          }
          yield* until(1_000_000)
          const next = rig.times.find((at) => at > 1_000)!
          assert.isTrue(next >= from && next <= to + 1_000, `${next}`)
          if (value !== "soon") assert.strictEqual(rig.times[1], next)
        })
      )
    )
  }
})

describe("when a wait is over", () => {
  for (const [what, answer] of [
    ["that Retry-After asked for", { status: 429, headers: { "retry-after": "45" } }],
    ["that is shorter than the schedule", { status: 503, headers: { "retry-after": "4" } }]
  ] as const) {
    it.effect(`one ${what}, the upstream is asked once, and then again at its ticks`, () =>
      onHub(
        onePolled({ row: Pool }, fast),
        ({ at }, n) =>
          at - startOfTime > 25_000 && at - startOfTime < 35_000
            ? answer
            : { body: [{ id: "a", rate: `${n}` }] },
        Effect.fnUntraced(function* (rig) {
          yield* reader
          yield* until(120_000)
          const later = rig.times.filter((at) => at > 35_000)
          // At most one poll comes early, where the wait ends between two ticks.
          const gaps = later.slice(1).map((at, i) => at - later[i]!)
          assert.isAtMost(gaps.filter((gap) => gap < 10_000).length, 1, `${later}`)
        })
      )
    )
  }
})

describe("the circuit breaker", () => {
  it.effect("rests an upstream that failed five times, and soon sees that it is back", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second", retries: 0 }),
      ({ at }) => (at - startOfTime < 120_000 ? refused : good),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(120_000)
        const polls = rig.times.length
        assert.isAtLeast(polls, 5)
        assert.isAtMost(polls, 40)
        assert.isAbove(rig.count("upstream_polls_rejected_total"), 60)
        yield* until(127_000)
        assert.strictEqual(yield* state("pools"), "live")
        yield* until(140_000)
        assert.isAtLeast(rig.times.filter((at) => at >= 130_000).length, 9)
      })
    )
  )

  it.effect("a refresh does not break through it, and says when to come again", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second", retries: 0 }),
      () => refused,
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(60_000)
        const asked = rig.times.length
        for (let i = 0; i < 5; i++) {
          const { refreshed, retryAfterMs } = yield* refresh
          assert.isFalse(refreshed)
          assert.isAtLeast(retryAfterMs, 1)
          yield* settle
        }
        assert.isAtMost(rig.times.length - asked, 1)
      })
    )
  )
})

describe("the checks can fail", () => {
  it.effect("an upstream that is asked twice at once is noticed", () => {
    const gate = Deferred.makeUnsafe<Reply>()
    return onHub(
      onePolled({ row: Pool }, { url: ["http://up/1", "http://up/2"] }),
      () => Deferred.await(gate),
      Effect.fnUntraced(function* (rig) {
        assert.strictEqual(rig.script.most, 2)
        yield* Deferred.succeed(gate, good)
      })
    )
  })
})
