import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"

import type { Commit, Row } from "../../src/Collection.ts"
import { Decimal, defineConfig, derived, fromScaled, polled, source, toScaled } from "../../src/Config.ts"
import { Hub, type Query } from "../../src/Hub.ts"
import { Upstream } from "../../src/Upstream.ts"
import type { Message } from "../Held.ts"
import { seeded } from "../Hub/World.ts"
import { Client, connect, queryOf, startOfTime } from "../Kit.ts"
import { held, onHub, type Rig, state } from "../Rig.ts"
import { faults, maxBytes, retries, timeout, Weather } from "./Weather.ts"

const every = 10_000
const Pool = Schema.Struct({ id: Schema.String, rate: Decimal, n: Schema.Finite })
const Total = Schema.Struct({ id: Schema.String, rate: Decimal, pools: Schema.Finite })

const config = (more: object = {}) => {
  const pools = polled({
    key: "id",
    row: Pool,
    source: source({ url: "http://up/pools", every, timeout, retries, maxBytes }),
    ...more
  })
  const total = derived({
    from: { pools },
    key: "id",
    row: Total,
    rows: ({ pools }) => {
      const sum = [...pools].reduce((sum, [, { rate }]) => sum + toScaled(rate, 3), 0n)
      return [{ key: "all", row: { id: "all", rate: fromScaled(sum, 3), pools: pools.size } }]
    }
  })
  return defineConfig({ collections: { pools, total } })
}

/** What the rows and states were at every revision, from the commits alone. */
class Ledger {
  private readonly rows: Array<ReadonlyMap<string, ReadonlyMap<string, Row>>> = [new Map()]
  private readonly states: Array<ReadonlyMap<string, string>> = [new Map()]

  catchUp(commits: ReadonlyArray<Commit>): void {
    for (const { deltas } of commits.slice(this.rows.length - 1)) {
      const rows = new Map(this.rows.at(-1))
      const states = new Map(this.states.at(-1))
      for (const [name, { evict, health, put, remove, set }] of deltas) {
        const table = new Map(rows.get(name))
        for (const key of [...remove, ...evict]) table.delete(key)
        for (const [key, row] of put) table.set(key, row)
        for (const [key, { row }] of set) table.set(key, row)
        rows.set(name, table)
        if (health !== undefined) states.set(name, `${health.state} ${health.error?.code ?? ""}`)
      }
      this.rows.push(rows)
      this.states.push(states)
    }
  }

  /** Throws where a client does not hold what the hub held at the client's cursor. */
  check(client: Client, query: Query): void {
    const revision = Number(client.cursor!.split("-")[1])
    for (const [name, part] of query.parts) {
      const actual = client.rows.get(name) ?? new Map<string, Map<string, unknown>>()
      const expected = [...(this.rows[revision]!.get(name) ?? [])].filter(
        ([key]) => part.keys?.has(key) !== false
      )
      const same =
        actual.size === expected.length &&
        expected.every(([key, row]) => {
          const fields = part.collection.fields.filter((field) => part.fields?.has(field) !== false)
          const own = actual.get(key)
          return own?.size === fields.length && fields.every((field) => own.get(field) === row[field])
        })
      if (!same) assert.deepStrictEqual([...actual], expected as never, `${name} at ${client.cursor}`)
      assert.strictEqual(
        `${client.states.get(name)} ${client.errors.get(name) ?? ""}`,
        this.states[revision]!.get(name) ?? "loading ",
        `state of ${name} at ${client.cursor}`
      )
    }
  }
}

interface Options {
  readonly seed: number
  readonly hours: number
  /** Between two looks, ms. */
  readonly step: number
  readonly make?: (clock: Clock.Clock) => Client
}

const settleBriefly = Effect.gen(function* () {
  for (let turn = 0; turn < 12; turn++) yield* Effect.yieldNow
})

/** Throws at the first moment at which something that was promised does not hold. */
const live = Effect.fnUntraced(function* (rig: Rig, weather: Weather, { hours, make, seed, step }: Options) {
  const clock = yield* Clock.Clock
  const { refresh } = yield* Upstream
  const hub = yield* Hub
  const random = seeded(seed + 1_000)
  const ledger = new Ledger()
  const queries = [
    yield* queryOf(["pools", "total"]),
    yield* queryOf(["pools", "total"]),
    yield* queryOf(["pools"], { keys: new Set(["pool-1", "pool-2", "__proto__", "none"]) }),
    yield* queryOf(["pools"], { fields: new Set(["id", "n"]) }),
    yield* queryOf(["total"]),
    yield* queryOf(["pools", "total"])
  ]
  const paces = [0, 0, 0, 0, 0, 60_000]
  const clients: Array<Client> = []
  const join = (i: number) =>
    connect(queries[i]!, {
      since: clients[i]?.cursor,
      pace: { interval: paces[i]! },
      ...(clients[i] === undefined ? { client: make?.(clock) ?? new Client(clock) } : { client: clients[i] })
    })
  for (const i of queries.keys()) clients.push(yield* join(i))
  const codes = new Set<string>()
  const tally = { resumed: 0, refreshes: [] as Array<number>, checked: 0, stalls: 0 }

  for (let at = 0; at < hours * 3_600_000;) {
    at += Math.floor(step * (0.5 + random()))
    yield* TestClock.setTime(startOfTime + at)
    yield* settleBriefly
    ledger.catchUp(rig.commits)
    assert.strictEqual(rig.script.most, 1)
    assert.strictEqual(hub.revision(), rig.commits.length)
    for (const [i, client] of clients.entries()) {
      ledger.check(client, queries[i]!)
      for (const code of client.errors.values()) codes.add(code)
      // Who is connected and takes what comes has everything: nothing of its query is left to tell.
      const open = client.ended === undefined && !client.stalled && !client.reader!.gone
      if (open && paces[i] === 0) assert.isTrue(hub.isCurrent(queries[i]!, client.cursor!), client.cursor)
      client.messages.length = client.arrivals.length = 0
      const dice = random()
      if (client.reader!.gone) {
        if (i === 0 || dice < 0.6) {
          yield* join(i)
          tally.resumed++
        }
      } else if (i > 0 && dice < 0.03) client.drop()
      else if (i > 1 && dice < 0.06) {
        client.stalled = true
        tally.stalls++
      } else if (client.stalled && dice > 0.5) client.drain()
    }
    if (random() < 0.05) {
      tally.refreshes.push(startOfTime + at)
      yield* Effect.forkChild(Effect.exit(refresh("pools")))
    }
    yield* settleBriefly
    if (weather.inFlight > 0) continue
    tally.checked++
    const rows = yield* held("pools")
    assert.deepStrictEqual(
      Object.keys(rows)
        .toSorted()
        .map((key) => [key, `${rows[key]!["rate"]} ${rows[key]!["n"]}`]),
      [...weather.held].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      `at ${at}`
    )
    assert.strictEqual((yield* state("pools")).split(" ").at(-1), weather.state, `at ${at}`)
    if (weather.state === "live") {
      assert.strictEqual((yield* held("total"))["all"]!["pools"], weather.held.size)
    }
  }
  return { clients, codes, queries, tally }
})

const seed = Number(process.env["SEED"] ?? 1)

describe("a day of an upstream with every fault there is", () => {
  it.effect(
    "8,640 ticks: clients hold what the hub holds, and the hub what the upstream last said well",
    () => {
      const weather = new Weather(seed)
      return onHub(
        config(),
        weather.answer,
        Effect.fnUntraced(function* (rig) {
          const { clients, codes, tally } = yield* live(rig, weather, { seed, hours: 24, step: 60_000 })
          assert.deepStrictEqual([...codes].toSorted(), [
            "upstream_empty",
            "upstream_not_json",
            "upstream_shape",
            "upstream_shrunk",
            "upstream_status",
            "upstream_timeout",
            "upstream_too_large",
            "upstream_unreachable"
          ])
          for (const fault of faults) assert.isAbove(weather.seen.get(fault) ?? 0, 0, fault)
          assert.isAbove(tally.resumed, 200)
          assert.isAbove(tally.checked, 500)
          assert.isAbove(tally.stalls, 20)
          for (const { queued, refused } of clients) assert.strictEqual(queued + refused, 0)

          // A bad row is named once, a failure whenever it begins; nothing is named at every poll.
          assert.isBelow(rig.logged("set aside").length, 10)
          assert.strictEqual(rig.logged("lose digits").length, 1)
          assert.isAbove(rig.count("rows_set_aside_total"), 10)
          assert.isAbove(rig.count("duplicate_keys_total"), 10)

          // One poll comes early where a wait, an overlong poll or a refresh ends between two ticks; never two.
          const { polls } = weather
          assert.isAbove(polls.length, 6_000)
          assert.strictEqual(weather.early, 0)
          const crowds = polls.slice(2).flatMap((at, i) => {
            const [from, between] = [polls[i]!, polls[i + 1]!]
            const asked = tally.refreshes.some((time) => time >= from - 1 && time <= at)
            return at - from < every - 1 && !asked
              ? [[from, between, at].map((time) => time - startOfTime)]
              : []
          })
          assert.deepStrictEqual(crowds, [], `three polls in ${every} ms`)
        }),
        { seed }
      )
    },
    120_000
  )
})

/** How a day with a planted mistake ends, or two hours without one. */
const ending = (options: Partial<Options>, more: object = {}) => {
  const weather = new Weather(1)
  return onHub(
    config(more),
    weather.answer,
    (rig) => live(rig, weather, { seed: 1, hours: 24, step: 10_000, ...options }),
    { seed: 1 }
  ).pipe(
    Effect.exit,
    Effect.map((exit) => exit._tag)
  )
}

describe("the checks can fail", () => {
  it.effect("a client that does not take rows away is noticed", () => {
    class Keeping extends Client {
      override receive(text: string): Message {
        return super.receive(text.replace(/"remove":\[[^\]]*\],?/, ""))
      }
    }
    return Effect.gen(function* () {
      assert.strictEqual(yield* ending({ make: (clock) => new Keeping(clock) }), "Failure")
    })
  })

  for (const [what, more] of [
    ["a hub that believes a shrunken answer at once is noticed", { minKeep: 0 }],
    ["a hub that takes an empty answer at once is noticed", { allowEmpty: true }]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* ending({}, more), "Failure")
      })
    )
  }

  it.effect("without a planted mistake nothing is", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* ending({ hours: 2 }), "Success")
    })
  )
})
