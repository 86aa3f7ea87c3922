/**
 * The real hub on the virtual clock under a random world: readers of every query and pace that lag, stall, take a little,
 * drop and come back, while commits of every kind come in. After every step the oracle looks at all of them.
 */
import { assert, describe as group, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"

import { Catalog, type Declared } from "../../src/Catalog.ts"
import type { Commit, Delta } from "../../src/Collection.ts"
import { Hub, HubMemory, Journal } from "../../src/Hub.ts"
import { Interest } from "../../src/Hub/Interest.ts"
import { makeQuery, type Query } from "../../src/Hub/Query.ts"
import { Demand } from "../../src/Upstream.ts"
import { advance, Client, connect, settle, startOfTime } from "../Kit.ts"
import { breaths, building } from "./Building.ts"
import { describe, Dice, Ledger, World } from "./World.ts"

const declared = new Map(
  ["pools", "rates", "order"].map((name) => [
    name,
    {
      name,
      family: name === "order",
      collection: describe(name),
      row: Schema.Struct({}),
      made: { _tag: "Polled" },
      inputs: new Map()
    } as unknown as Declared
  ])
)

const layerOf = (memory: typeof HubMemory.Service) => {
  const entered = new Map<string, number>()
  const count = (by: number) => (names: Iterable<string>) => {
    for (const name of names) entered.set(name, (entered.get(name) ?? 0) + by)
  }
  const upstream = Layer.succeed(Demand, {
    enter: count(1),
    leave: count(-1),
    touch: () => {},
    readAt: () => Infinity,
    forgetReads: () => {},
    full: () => Effect.succeed(undefined),
    refresh: () => Effect.die("nobody asks")
  })
  const layer = Hub.layer.pipe(
    Layer.provide(upstream),
    Layer.provide(Journal.layerNone),
    Layer.provide(Layer.succeed(Catalog, { declared, sources: new Map() })),
    Layer.provide(Layer.succeed(HubMemory, memory)),
    Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(startOfTime)))
  )
  return { entered, layer }
}

const intervals = [0, 0, 50, 1_000, 7_000]

interface Visitor {
  readonly query: Query
  readonly client: Client
  readonly interval: number
  /** Where it stood when it came, and how many messages it had had. */
  least: number
  before: number
}

/** All of `pools`. */
const plain = makeQuery([
  ["pools", { collection: describe("pools"), keys: undefined, fields: undefined, where: [] }]
])

const life = (seed: number, steps: number) => {
  const dice = new Dice(seed)
  const world = new World(dice, dice.pick([3, 12, 60]))
  const memory = { tips: 1024, tombstones: dice.pick([1, 4, 1000]), idleMembers: dice.pick([0, 1, 100]) }
  const { entered, layer } = layerOf(memory)
  return Effect.gen(function* () {
    yield* building(dice.pick([0, 5, 40]))
    const hub = yield* Hub
    const clock = yield* Clock.Clock
    const ledger = new Ledger()
    const visitors: Array<Visitor> = []
    const tally = { changes: 0, snapshots: 0, pings: 0, polls: 0 }

    const commit = Effect.fnUntraced(function* (given?: Commit) {
      const made = given ?? world.commit(ledger.now, clock.currentTimeMillisUnsafe())
      ledger.add(made)
      yield* hub.board.commit(made)
      assert.strictEqual(hub.revision(), ledger.revision)
    })

    const pools = (delta: Partial<Delta>) =>
      commit({
        at: clock.currentTimeMillisUnsafe(),
        deltas: new Map([["pools", { put: new Map(), set: new Map(), remove: [], evict: [], ...delta }]]),
        asOf: new Map()
      })
    /** So many rows come, and go, that whoever sees it gets a snapshot. */
    const many = Array.from({ length: 300 }, (_, i) => `m${i}`)
    const flood = Effect.suspend(() => pools({ put: new Map(many.map((id) => [id, { id }])) }))
    const one = Effect.suspend(() => pools({ remove: many.slice(0, 1) }))
    const ebb = Effect.suspend(() => pools({ remove: [...ledger.now.get("pools")!.keys()].slice(1) }))

    const come = Effect.fnUntraced(function* (query: Query) {
      const visitor: Visitor = {
        query,
        client: new Client(clock),
        interval: dice.pick(intervals),
        least: 0,
        before: 0
      }
      visitors.push(visitor)
      yield* connect(visitor.query, { client: visitor.client, pace: { interval: visitor.interval } })
    })

    const comeBack = Effect.fnUntraced(function* (visitor: Visitor) {
      const { client, interval, query } = visitor
      if (!client.reader!.gone) client.drop()
      client.stalled = dice.chance(0.2)
      const other = world.query()
      const foreign = other.id === query.id ? undefined : hub.cursor(other)
      const since = dice.chance(0.9) ? client.cursor : dice.pick([undefined, "nonsense", foreign])
      visitor.before = client.messages.length
      visitor.least = since !== undefined && since === client.cursor ? revisionOf(since) : 0
      yield* connect(query, { client, since, pace: { interval } })
    })

    /** Commits, and passers-by of the same query, for whom a snapshot of it is built meanwhile. */
    const hurry = Effect.gen(function* () {
      const passing: Array<Fiber.Fiber<Client>> = []
      for (const wave of dice.chance(0.5) ? [flood, one, ebb] : [flood, commit(), one, commit(), ebb]) {
        yield* wave
        yield* breaths(dice.int(10))
        if (dice.chance(0.5)) passing.push(yield* Effect.forkChild(connect(plain)))
        yield* breaths(dice.int(10))
      }
      for (const client of yield* Fiber.joinAll(passing)) client.drop()
      // One snapshot is built after the other.
      yield* breaths(400)
    })

    /** A long poll beside the streams: the same query, one message. */
    const longPoll = Effect.fnUntraced(function* ({ client, query }: Visitor) {
      const once = new Client(clock)
      if (client.cursor === undefined) return
      once.assume(
        client.cursor,
        ledger.shown(query, revisionOf(client.cursor)),
        ledger.states(revisionOf(client.cursor))
      )
      yield* connect(query, { client: once, since: client.cursor, pace: { once: true } })
      yield* advance("2 seconds")
      if (!once.reader!.gone) once.drop()
      ledger.check(once, query, `seed ${seed}: long poll`)
      assert.isAtMost(once.messages.length, 1)
      tally.polls++
    })

    const look = (what: string) => {
      for (const { before, client, interval, least, query } of visitors) {
        const told = client.messages.slice(before).flatMap(({ cursor }) => cursor ?? [])
        const revisions = [least, ...told.map(revisionOf)]
        assert.deepStrictEqual(
          revisions,
          revisions.toSorted((a, b) => a - b),
          `seed ${seed}: told less than before`
        )
        if (client.cursor !== undefined) ledger.check(client, query, `seed ${seed}: ${what}`)
        assert.strictEqual(client.queued, 0, `seed ${seed}: a frame was queued behind another`)
        assert.strictEqual(client.refused, 0, `seed ${seed}: a message did not start where its reader stands`)
        // Whoever takes what it is given, at any rate, is never behind.
        if (interval > 0 || client.stalled || client.reader!.gone) continue
        assert.deepStrictEqual(
          client.canonical(),
          ledger.shown(query, ledger.revision),
          `seed ${seed}: behind at ${what}`
        )
      }
    }

    for (let step = 0; step < steps; step++) {
      const fate = dice.next()
      const visitor = visitors.length === 0 ? undefined : dice.pick(visitors)
      if (fate < 0.1) yield* hurry
      else if (fate < 0.4) yield* commit()
      else if (fate < 0.65) yield* advance(dice.pick([1, 40, 900, 5_000, 20_000]))
      else if (fate < 0.75 || visitor === undefined)
        yield* visitors.length < 12 ? come(dice.chance(0.3) ? plain : world.query()) : Effect.void
      else if (fate < 0.82) visitor.client.stalled = true
      else if (fate < 0.9) visitor.client.drain()
      else if (fate < 0.97) yield* comeBack(visitor)
      else yield* longPoll(visitor)
      yield* settle
      look(`step ${step}`)
    }

    // When everybody takes what they are given, everybody ends at the newest revision of what they asked for.
    for (const { client } of visitors) client.drain()
    yield* advance("1 minute")
    for (const visitor of visitors) if (visitor.client.reader!.gone) yield* comeBack(visitor)
    for (const { client } of visitors) client.drain()
    yield* advance("1 minute")
    look("the end")
    for (const { client, query } of visitors) {
      assert.deepStrictEqual(
        client.canonical(),
        ledger.shown(query, ledger.revision),
        `seed ${seed}: not at the end`
      )
      tally.changes += client.changes
      tally.pings += client.pings
      tally.snapshots += client.reasons.length
      if (!client.reader!.gone) client.drop()
    }
    assert.deepStrictEqual(
      [...entered].filter(([, readers]) => readers !== 0),
      [],
      `seed ${seed}: demand left behind`
    )
    return tally
  }).pipe(Effect.scoped, Effect.provide(layer))
}

const revisionOf = (cursor: string): number => Number(cursor.split("-")[1])

group("for any history and any lagging, stalling, dropping, resuming, filtering, rate-limited reader", () => {
  const seeds = Number(process.env["SEEDS"] ?? 40)
  const first = Number(process.env["SEED"] ?? 1)
  it.effect(
    `${seeds} lives: what each holds at its cursor is what the server had there`,
    () =>
      Effect.gen(function* () {
        const total = { changes: 0, snapshots: 0, pings: 0, polls: 0 }
        for (let seed = first; seed < first + seeds; seed++) {
          const tally = yield* life(seed, 150)
          for (const name of ["changes", "snapshots", "pings", "polls"] as const) total[name] += tally[name]
        }
        for (const count of Object.values(total)) assert.isAbove(count, seeds)
      }),
    600_000
  )

  it.effect("and the oracle notices a hub that forgets whom a commit concerns", () =>
    Effect.gen(function* () {
      const { concerned } = Interest.prototype
      Interest.prototype.concerned = () => {}
      const exit = yield* Effect.exit(Effect.forEach([1, 2, 3], (seed) => life(seed, 150))).pipe(
        Effect.ensuring(Effect.sync(() => (Interest.prototype.concerned = concerned)))
      )
      assert.include(String(exit), "behind at")
    })
  )
})
