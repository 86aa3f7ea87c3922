import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Schedule, Schema } from "effect"
import { HttpClient } from "effect/http"

import { Decimal, defineConfig, polled, source } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { Upstream } from "../../src/Upstream.ts"
import { connect, queryOf, settle, startOfTime } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, rate: Decimal })
const rows = (rate: unknown, ...ids: ReadonlyArray<string>) =>
  (ids.length === 0 ? ["a", "b"] : ids).map((id) => ({ id, rate }))
const reader = Effect.gen(function* () {
  return yield* connect(yield* queryOf(["pools"]))
})
const gaps = (times: ReadonlyArray<number>) => times.slice(1).map((at, i) => at - times[i]!)

describe("a schedule decides the polls", () => {
  it.effect("polls at once, falls into its phase, and then keeps to its grid", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second" }),
      (_, n) => ({ body: rows(`${n}`) }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(20_000)
        assert.strictEqual(rig.times[0], 0)
        assert.isAtLeast(rig.times.length, 20)
        // One step, and only one, is shorter: by that the source comes to its phase.
        const shorter = gaps(rig.times).filter((gap) => gap !== 1_000)
        assert.isAtMost(shorter.length, 1)
        assert.isTrue(shorter.every((gap) => gap > 0 && gap < 1_000))
      })
    )
  )

  it.effect("sources that start together do not poll together for ever", () => {
    const names = Array.from({ length: 12 }, (_, i) => `pools${i}`)
    const collections = Object.fromEntries(
      names.map((name) => [
        name,
        polled({ key: "id", row: Pool, source: source({ url: `http://up/${name}`, every: "10 seconds" }) })
      ])
    )
    return onHub(
      defineConfig({ collections }),
      () => ({ body: rows("1") }),
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(names))
        yield* until(35_000)
        const lastOf = new Map(rig.script.asked.map(({ at, url }) => [url, at]))
        // The second poll comes up to half the time early, so that is how far they can spread.
        const phases = [...lastOf.values()].map((at) => (at - startOfTime) % 10_000)
        assert.isTrue(phases.every((phase) => phase === 0 || phase > 5_000))
        assert.isAbove(new Set(phases.map((phase) => Math.floor(phase / 500))).size, 5)
      })
    )
  })

  for (const takes of [400, 999, 1_700, 2_500]) {
    it.effect(
      `an answer that takes ${takes} ms shifts no later poll off the grid and starts no second one`,
      () =>
        onHub(
          onePolled({ row: Pool }, { every: "1 second" }),
          (_, n) => Effect.delay(Effect.succeed({ body: rows(`${n}`) }), takes),
          Effect.fnUntraced(function* (rig) {
            yield* reader
            yield* until(60_000)
            assert.strictEqual(rig.script.most, 1)
            const later = gaps(rig.times).slice(1)
            assert.isAtLeast(Math.min(...later), Math.min(takes, 1_000))
            const perPoll = Math.ceil(takes / 1_000) * 1_000
            assert.isAtLeast(rig.times.length, Math.floor(60_000 / perPoll) - 1)
            assert.isAtMost(rig.times.length, Math.ceil(60_000 / Math.max(takes, 1_000)) + 1)
          })
        )
    )
  }

  it.effect("any schedule may stand instead, and one that ends leaves the source to refreshes", () =>
    onHub(
      onePolled({ row: Pool }, { schedule: Schedule.spaced("3 seconds").pipe(Schedule.upTo({ times: 4 })) }),
      (_, n) => Effect.delay(Effect.succeed({ body: rows(`${n}`) }), 500),
      Effect.fnUntraced(function* (rig) {
        yield* until(120_000)
        assert.deepStrictEqual(rig.times, [0, 3_500, 7_000, 10_500, 14_000])
        const refreshing = yield* Effect.forkChild(Effect.flatMap(Upstream, (up) => up.refresh("pools")))
        yield* until(121_000)
        assert.isTrue(refreshing.pollUnsafe() !== undefined)
        assert.strictEqual(rig.times.at(-1), 120_000)
        assert.strictEqual((yield* held("pools"))["a"]!["rate"], "6")
      })
    )
  )

  it.effect("without a reader the first poll is made all the same", () =>
    onHub(
      onePolled({ row: Pool }),
      () => ({ body: rows("1") }),
      Effect.fnUntraced(function* (rig) {
        assert.deepStrictEqual(rig.times, [0])
        assert.strictEqual(yield* state("pools"), "live")
      })
    )
  )
})

describe("one source, however many collections", () => {
  const Coin = Schema.Struct({ symbol: Schema.String, usd: Schema.Finite })
  const shared = source({ url: "http://up/all", every: "1 second" })
  const split = defineConfig({
    collections: {
      pools: polled({ source: shared, key: "id", row: Pool, rows: "data.poolData" }),
      coins: polled({
        source: shared,
        key: "symbol",
        row: Coin,
        rows: (body: { readonly coins: { readonly [symbol: string]: number } }) =>
          Object.entries(body.coins).map(([key, usd]) => ({ key, row: { usd } }))
      })
    }
  })

  it.effect("is polled once, and what it says is one commit", () =>
    onHub(
      split,
      (_, n) => ({ body: { data: { poolData: rows(`${n}`) }, coins: { TON: n, ETH: 2 } } }),
      Effect.fnUntraced(function* (rig) {
        const client = yield* connect(yield* queryOf(["pools", "coins"]))
        yield* until(10_500)
        assert.strictEqual(rig.script.most, 1)
        assert.strictEqual(rig.commits.length, rig.times.length)
        for (const { deltas } of rig.commits) assert.deepStrictEqual([...deltas.keys()], ["pools", "coins"])
        assert.strictEqual(client.rows.get("coins")!.get("TON")!.get("usd"), rig.times.length)
        assert.strictEqual(client.rows.get("coins")!.get("TON")!.get("symbol"), "TON")
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), `${rig.times.length}`)
      })
    )
  )

  it.effect("one collection that cannot be read does not make the other stale", () =>
    onHub(
      split,
      (_, n) => ({ body: { data: { poolData: rows(`${n}`) }, coins: n > 1 ? null : { TON: 1 } } }),
      Effect.fnUntraced(function* () {
        yield* connect(yield* queryOf(["pools", "coins"]))
        yield* until(5_000)
        assert.strictEqual(yield* state("pools"), "live")
        assert.strictEqual(yield* state("coins"), "stale upstream_shape")
        assert.deepStrictEqual(Object.keys(yield* held("coins")), ["TON"])
      })
    )
  )

  it.effect("several URLs are one poll, their rows together", () =>
    onHub(
      onePolled({ row: Pool, rows: "data" }, { url: ["http://up/1", "http://up/2"], every: "1 second" }),
      ({ url }, n) => ({ body: { data: url.endsWith("1") ? rows(`${n}`, "a") : rows("1", "b") } }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(1_500)
        assert.deepStrictEqual(Object.keys(yield* held("pools")).toSorted(), ["a", "b"])
        assert.strictEqual(
          rig.script.asked.filter(({ url }) => url.endsWith("2")).length * 2,
          rig.times.length
        )
        assert.isAtMost(rig.commits.length, rig.times.length / 2)
      })
    )
  )

  it.effect("if one of several URLs fails, nothing of that poll counts", () =>
    onHub(
      onePolled({ row: Pool }, { url: ["http://up/1", "http://up/2"], every: "10 seconds", retries: 0 }),
      ({ url }, n) =>
        url.endsWith("1") ? { body: rows(`${n}`, "a") } : n > 2 ? { status: 500 } : { body: rows("1", "b") },
      Effect.fnUntraced(function* () {
        yield* reader
        yield* until(25_000)
        assert.deepStrictEqual(yield* held("pools"), { a: { id: "a", rate: "1" }, b: { id: "b", rate: "1" } })
        assert.strictEqual(yield* state("pools"), "stale upstream_status")
      })
    )
  )
})

describe("what is asked", () => {
  it.effect("headers, some of them secrets, and a body that is sent as JSON", () =>
    onHub(
      onePolled(
        { row: Pool },
        {
          method: "POST",
          body: { query: "{ pools }" },
          headers: { "X-Client": "r", authorization: Redacted.make("Bearer t") }
        }
      ),
      () => ({ body: rows("1") }),
      Effect.fnUntraced(function* (rig) {
        yield* settle
        const [asked] = rig.script.asked
        assert.strictEqual(asked!.method, "POST")
        assert.deepStrictEqual(JSON.parse(asked!.body), { query: "{ pools }" })
        assert.strictEqual(asked!.headers["x-client"], "r")
        assert.strictEqual(asked!.headers["authorization"], "Bearer t")
        assert.strictEqual(asked!.headers["content-type"], "application/json")
      })
    )
  )

  it.effect("headers from an Effect are made before every poll, with the daemon's own client", () => {
    let token = 0
    const headers = Effect.gen(function* () {
      yield* HttpClient.get("http://up/token")
      return { authorization: Redacted.make(`Bearer ${++token}`) }
    })
    return onHub(
      onePolled({ row: Pool }, { headers, every: "1 second" }),
      (_, n) => ({ body: rows(`${n}`) }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(3_500)
        const sent = rig.script.asked.filter(({ url }) => url.endsWith("pools"))
        assert.deepStrictEqual(
          sent.map((asked) => asked.headers["authorization"]),
          sent.map((_, i) => `Bearer ${i + 1}`)
        )
        assert.isAtLeast(sent.length, 4)
      })
    )
  })

  it.effect("a redirect is a failed poll", () =>
    onHub(
      onePolled({ row: Pool }),
      () => ({ status: 302, headers: { location: "http://up/other" } }),
      Effect.fnUntraced(function* (rig) {
        assert.strictEqual(yield* state("pools"), "loading upstream_status")
        assert.strictEqual(rig.times.length, 1)
      })
    )
  )

  for (const [what, location, hops, ok] of [
    ["three redirects within the origin are followed", "/next", 3, true],
    ["a fourth is not", "/next", 4, false],
    ["one that leaves the origin is not", "http://other/next", 1, false],
    ["one to another port is not", "http://up:81/next", 1, false],
    ["one without a target is not", undefined, 1, false]
  ] as const) {
    it.effect(`where same-origin is asked for, ${what}`, () =>
      onHub(
        onePolled({ row: Pool }, { redirects: "same-origin", headers: { authorization: "secret" } }),
        (_, n) =>
          n <= hops
            ? { status: 307, headers: location === undefined ? {} : { location } }
            : { body: rows("1") },
        Effect.fnUntraced(function* (rig) {
          assert.strictEqual(yield* state("pools"), ok ? "live" : "loading upstream_status")
          assert.isTrue(rig.script.asked.every(({ url }) => url.startsWith("http://up/")))
        })
      )
    )
  }
})

const conditional = (validator: "etag" | "last-modified", condition: string) =>
  onHub(
    onePolled({ row: Pool }, { every: "1 second" }),
    ({ at, headers }) => {
      const version = at - startOfTime < 5_000 ? "v1" : "v2"
      return headers[condition] === version
        ? { status: 304 }
        : { headers: { [validator]: version }, body: rows(version === "v1" ? "1" : "2") }
    },
    Effect.fnUntraced(function* (rig) {
      const client = yield* reader
      yield* until(4_999)
      assert.isAtLeast(rig.times.length, 5)
      assert.strictEqual(rig.commits.length, 1)
      const { asOf, health } = (yield* Hub).look("pools")
      assert.strictEqual(asOf, rig.script.asked.at(-1)!.at)
      assert.strictEqual(health.state, "live")
      yield* until(8_000)
      assert.strictEqual(rig.commits.length, 2)
      assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "2")
      assert.strictEqual(rig.script.asked.at(-1)!.headers[condition], "v2")
    })
  )

describe("an answer that says nothing new", () => {
  it.effect("304 to If-None-Match is no commit, and asOf moves on", () =>
    conditional("etag", "if-none-match")
  )
  it.effect("304 to If-Modified-Since likewise", () => conditional("last-modified", "if-modified-since"))

  it.effect("a 304 that nobody asked for is a failed poll", () =>
    onHub(
      onePolled({ row: Pool }),
      () => ({ status: 304 }),
      Effect.fnUntraced(function* () {
        assert.strictEqual(yield* state("pools"), "loading upstream_status")
      })
    )
  )

  it.effect("a POST asks without conditions, which RFC 9110 would have answered with 412", () =>
    onHub(
      onePolled({ row: Pool }, { method: "POST", body: {}, every: "1 second" }),
      ({ headers }) =>
        headers["if-none-match"] === undefined && headers["if-modified-since"] === undefined
          ? { headers: { etag: "v1", "last-modified": new Date(startOfTime).toUTCString() }, body: rows("1") }
          : { status: 412 },
      Effect.fnUntraced(function* () {
        yield* reader
        yield* until(5_000)
        assert.strictEqual(yield* state("pools"), "live")
      })
    )
  )

  it.effect("validators of an answer that could not be read are not sent", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second", retries: 0 }),
      (_, n) =>
        n === 2 ? { headers: { etag: "broken" }, body: "[" } : { headers: { etag: "good" }, body: rows("1") },
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(4_000)
        assert.deepStrictEqual(rig.script.asked.map(({ headers }) => headers["if-none-match"]).slice(0, 4), [
          undefined,
          "good",
          "good",
          "good"
        ])
      })
    )
  )

  it.effect("an unchanged body is not parsed again, a changed one is", () => {
    let read = 0
    const rowsOf = (body: ReadonlyArray<{ readonly id: string }>) => {
      read++
      return body.map((row) => ({ key: row.id, row }))
    }
    return onHub(
      onePolled({ row: Pool, rows: rowsOf }, { every: "1 second" }),
      (_, n) => ({ body: rows(n <= 10 ? "1" : "2") }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(8_000)
        assert.deepStrictEqual([read, rig.commits.length], [1, 1])
        yield* until(15_000)
        assert.deepStrictEqual([read, rig.commits.length], [2, 2])
        assert.strictEqual(rig.count("upstream_polls_total", { outcome: "changed" }), 2)
      })
    )
  })

  it.effect("the same rows in another order, with another space, are no commit", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second" }),
      (_, n) => ({ body: JSON.stringify(n % 2 === 0 ? rows("1") : rows("1").toReversed(), null, n % 3) }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(9_000)
        assert.strictEqual(rig.commits.length, 1)
      })
    )
  )
})

const twice = () => polled({ key: "id", row: Pool, source: source({ url: "http://up/pools" }) })

describe("the checks can fail", () => {
  it.effect("a second poll in flight is noticed", () => {
    return onHub(
      defineConfig({ collections: { pools: twice(), again: twice() } }),
      () => Effect.delay(Effect.succeed({ body: rows("1") }), Duration.millis(5)),
      Effect.fnUntraced(function* (rig) {
        yield* settle
        assert.strictEqual(rig.script.most, 2)
      })
    )
  })
})
