import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"

import { Decimal, defineConfig, derived, polled, source } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { advance, connect, hubOf, queryOf, Script, startOfTime } from "../Kit.ts"

const Pool = Schema.Struct({ id: Schema.String, type: Schema.String, rate: Decimal })
const pools = polled({
  source: source({ url: "http://up/pools", every: "1 second" }),
  key: "id",
  row: Pool,
  fixed: ["type"]
})
const doubles = derived({
  from: { pools },
  key: "id",
  row: Schema.Struct({ id: Schema.String, twice: Schema.Finite }),
  rows: ({ pools }) =>
    [...pools].map(([key, { rate }]) => ({ key, row: { id: key, twice: Number(rate) * 2 } }))
})
const others = polled({
  source: source({ url: "http://up/others", every: "1 second" }),
  key: "id",
  row: Schema.Struct({ id: Schema.String, n: Schema.Int })
})
const config = defineConfig({ collections: { pools, doubles, others } })

/** `a` changes as a test says, `b` never does, and `others` changes with every poll. */
const world = () => {
  const state = { rate: 1, down: false, others: 0 }
  const script = new Script(({ url }) => {
    if (state.down) return Effect.fail("connection refused")
    if (url.endsWith("/others")) return { body: [{ id: "o", n: state.others++ }] }
    return {
      body: [
        { id: "a", type: "x", rate: String(state.rate) },
        { id: "b", type: "y", rate: "1" }
      ]
    }
  })
  return { state, script }
}

const twoPolls = "2 seconds"

describe("a reader", () => {
  it.effect("gets the whole state once, then only what changed", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const client = yield* connect(yield* queryOf(["pools", "doubles"]))
      state.rate = 2
      yield* advance(twoPolls)
      assert.deepStrictEqual(client.types, ["snapshot", "change"])
      const change = client.messages[1]!.collections!
      assert.deepStrictEqual(change["pools"]!.set, { a: { rate: "2" } })
      assert.deepStrictEqual(change["doubles"]!.set, { a: { twice: 4 } })
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("is never told of a commit that does not concern it", () => {
    const { script } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const client = yield* connect(yield* queryOf(["pools"]))
      const keyed = yield* connect(yield* queryOf(["pools"], { keys: new Set(["b"]) }))
      yield* connect(yield* queryOf(["others"]))
      const hub = yield* Hub
      const before = hub.revision()
      yield* advance("10 seconds")
      assert.isAbove(hub.revision(), before + 5)
      assert.deepStrictEqual(client.types, ["snapshot"])
      assert.deepStrictEqual(keyed.types, ["snapshot"])
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("gets a ping after 15 s without another message, which moves its cursor", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const hub = yield* Hub
      const query = yield* queryOf(["pools"])
      const client = yield* connect(query)
      yield* advance("14 seconds")
      assert.deepStrictEqual(client.types, ["snapshot"])
      yield* advance("1 second")
      assert.deepStrictEqual(client.types, ["snapshot", "ping"])
      assert.strictEqual(client.cursor, hub.cursor(query))
      assert.strictEqual(client.messages[1]!["interval"], 15_000)
      assert.isAbove(client.asOf.get("pools")!, startOfTime + 14_000)
      state.rate = 5
      yield* advance("14 seconds")
      assert.deepStrictEqual(client.types, ["snapshot", "ping", "change"])
      // Counted from the last message, whatever it was.
      yield* advance("15 seconds")
      assert.deepStrictEqual(client.types, ["snapshot", "ping", "change", "ping"])
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect(
    "that comes back with its cursor gets a change, or a ping where nothing changed, and no snapshot",
    () => {
      const { script, state } = world()
      return Effect.gen(function* () {
        yield* advance(twoPolls)
        const query = yield* queryOf(["pools"])
        const client = yield* connect(query)
        client.drop()
        yield* advance("1 minute")
        yield* connect(query, { client, since: client.cursor })
        assert.deepStrictEqual(client.types, ["snapshot", "ping"])
        client.drop()
        state.rate = 9
        yield* advance("1 minute")
        yield* connect(query, { client, since: client.cursor })
        assert.deepStrictEqual(client.types, ["snapshot", "ping", "change"])
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "9")
      }).pipe(Effect.provide(hubOf(config, script)))
    }
  )

  it.effect("with since=now gets no snapshot but a ping with its cursor, then changes", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const client = yield* connect(yield* queryOf(["pools"]), { since: "now" })
      assert.deepStrictEqual(client.types, ["ping"])
      // It has the rows from somewhere else.
      client.rows.set("pools", new Map([["a", new Map()]]))
      state.rate = 3
      yield* advance(twoPolls)
      assert.deepStrictEqual(client.types, ["ping", "change"])
      assert.strictEqual(client.refused, 0)
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("with a cursor of another query gets a snapshot that says so", () => {
    const { script } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const other = yield* connect(yield* queryOf(["pools"], { fields: new Set(["id"]) }))
      const client = yield* connect(yield* queryOf(["pools"]), { since: other.cursor })
      assert.deepStrictEqual(client.reasons, ["query"])
      assert.deepStrictEqual((yield* connect(yield* queryOf(["pools"]), { since: "nonsense" })).reasons, [
        "epoch"
      ])
    }).pipe(Effect.provide(hubOf(config, script)))
  })
})

describe("interval", () => {
  it.effect(
    "the first change after a quiet time leaves at once, the next not before, newest values win",
    () => {
      const { script, state } = world()
      return Effect.gen(function* () {
        yield* advance("3 seconds")
        const client = yield* connect(yield* queryOf(["pools"]), { pace: { interval: 5_000 } })
        yield* advance("20 seconds")
        const quiet = client.types.length
        for (let second = 0; second < 12; second++) {
          state.rate++
          yield* advance("1 second")
        }
        const changes = client.arrivals.slice(quiet)
        const [first, second, third] = changes as [number, number, number]
        assert.isAtMost(first - client.arrivals[0]!, 21_000)
        assert.strictEqual(second - first, 5_000)
        assert.strictEqual(third - second, 5_000)
        // The last value arrives, whatever was skipped.
        yield* advance("10 seconds")
        assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), String(state.rate))
        assert.strictEqual(client.refused, 0)
      }).pipe(Effect.provide(hubOf(config, script)))
    }
  )

  it.effect("a reader that is held back is still pinged, no further than what it knows", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance("3 seconds")
      const client = yield* connect(yield* queryOf(["pools"]), { pace: { interval: 60_000 } })
      state.rate = 2
      yield* advance("2 seconds")
      state.rate = 3
      yield* advance("50 seconds")
      assert.deepStrictEqual(client.types, ["snapshot", "change", "ping", "ping", "ping"])
      assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "2")
      yield* advance("12 seconds")
      assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "3")
      assert.strictEqual(client.refused, 0)
    }).pipe(Effect.provide(hubOf(config, script)))
  })
})

describe("a reader that does not take its frame", () => {
  it.effect("is given no second one, and one merged change when it has", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const query = yield* queryOf(["pools"])
      const other = yield* connect(query)
      const client = yield* connect(query)
      client.stalled = true
      for (let second = 0; second < 30; second++) {
        state.rate++
        yield* advance("1 second")
      }
      assert.deepStrictEqual(client.types, ["snapshot", "change"])
      assert.isAtLeast(other.changes, 29)
      client.drain()
      yield* advance(0)
      assert.deepStrictEqual(client.types, ["snapshot", "change", "change"])
      assert.deepStrictEqual(client.canonical(), other.canonical())
      assert.strictEqual(client.cursor, other.cursor)
      assert.strictEqual(client.queued, 0)
      // Back among the others.
      state.rate++
      yield* advance("1 second")
      assert.strictEqual(client.cursor, other.cursor)
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("is ended when it takes nothing for 60 s", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const client = yield* connect(yield* queryOf(["pools"]))
      client.stalled = true
      state.rate++
      yield* advance("1 second")
      const stalledAt = client.arrivals.at(-1)!
      yield* advance("61 seconds")
      assert.deepStrictEqual(client.ended, { code: "stalled", at: stalledAt + 60_000 })
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("is not ended while it takes a little", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const hub = yield* Hub
      const client = yield* connect(yield* queryOf(["pools"]))
      client.stalled = true
      state.rate++
      yield* advance("1 second")
      for (let minute = 0; minute < 4; minute++) {
        yield* advance("50 seconds")
        hub.progressed(client.reader!)
      }
      assert.isUndefined(client.ended)
    }).pipe(Effect.provide(hubOf(config, script)))
  })
})

it.effect("a reader whose connection throws is nobody else's problem", () => {
  const { script, state } = world()
  return Effect.gen(function* () {
    yield* advance(twoPolls)
    const query = yield* queryOf(["pools"])
    const broken = yield* connect(query)
    const clients = [yield* connect(query), yield* connect(query)]
    Object.assign(broken, {
      write: () => {
        throw new Error("broken pipe")
      }
    })
    state.rate = 2
    yield* advance("2 seconds")
    state.rate = 3
    yield* advance("2 seconds")
    for (const client of clients) assert.strictEqual(client.rows.get("pools")!.get("a")!.get("rate"), "3")
    assert.isTrue(broken.reader!.gone)
  }).pipe(Effect.provide(hubOf(config, script)))
})

describe("the life of a connection", () => {
  it.effect("ends after 10 min, give or take a fifth, each at a time of its own", () => {
    const { script } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const query = yield* queryOf(["pools"])
      const began = yield* Clock.currentTimeMillis
      const clients = yield* Effect.forEach(Array.from({ length: 50 }), () => connect(query))
      yield* advance("8 minutes")
      assert.isEmpty(clients.filter((client) => client.ended !== undefined))
      yield* advance("4 minutes")
      const ends = clients.map((client) => client.ended!.at - began)
      assert.deepStrictEqual(new Set(clients.map((client) => client.ended!.code)), new Set(["rotation"]))
      assert.isAbove(Math.max(...ends) - Math.min(...ends), 60_000)
    }).pipe(Effect.provide(hubOf(config, script)))
  })

  it.effect("when the hub drains everybody is told", () => {
    const { script } = world()
    return Effect.gen(function* () {
      const hub = yield* Hub
      const client = yield* connect(yield* queryOf(["pools"]))
      yield* hub.drain
      assert.strictEqual(client.ended!.code, "shutdown")
      assert.isTrue(hub.isDraining())
    }).pipe(Effect.provide(hubOf(config, script)))
  })
})

describe("a failing upstream", () => {
  it.effect("makes its collections stale by one change, and live again by one, and empties nothing", () => {
    const { script, state } = world()
    return Effect.gen(function* () {
      yield* advance(twoPolls)
      const client = yield* connect(yield* queryOf(["pools", "doubles"]))
      state.down = true
      yield* advance("1 minute")
      assert.deepStrictEqual(
        client.types.filter((type) => type !== "ping"),
        ["snapshot", "change"]
      )
      assert.deepStrictEqual(
        [...client.states],
        [
          ["doubles", "stale"],
          ["pools", "stale"]
        ]
      )
      assert.deepStrictEqual([...client.errors.values()], ["upstream_unreachable", "upstream_unreachable"])
      assert.strictEqual(client.rows.get("pools")!.size, 2)
      state.down = false
      state.rate = 7
      yield* advance("10 seconds")
      assert.deepStrictEqual(
        client.types.filter((type) => type !== "ping"),
        ["snapshot", "change", "change"]
      )
      assert.deepStrictEqual([...client.states.values()], ["live", "live"])
      assert.strictEqual(client.errors.size, 0)
      assert.strictEqual(client.rows.get("doubles")!.get("a")!.get("twice"), 14)
    }).pipe(Effect.provide(hubOf(config, script)))
  })
})
