/** Hubs that follow another, on the virtual clock: whatever a reader asks, they answer as it does. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"

import { Catalog } from "../../src/Catalog.ts"
import { defineConfig, derived, polled, source, written } from "../../src/Config.ts"
import {
  Disk,
  Forgettable,
  type Frame,
  Hub,
  HubMemory,
  layerFollower,
  layerMemory,
  Log,
  makeQuery,
  type News,
  type Query,
  Readers,
  type Sink
} from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { Demand } from "../../src/Upstream.ts"
import type { Message } from "../Held.ts"
import { advance, hubOf, queryOf, Script } from "../Kit.ts"
import { Dice } from "./World.ts"

const pools = polled({
  source: source({ url: "http://up/pools", every: "1 second", idleEvery: "1 second" }),
  key: "id",
  // Keys and names that JSON puts into another order than they came in.
  row: Schema.Struct({
    id: Schema.String,
    "10": Schema.optionalKey(Schema.Finite),
    "9": Schema.optionalKey(Schema.Finite),
    rate: Schema.optionalKey(Schema.Finite)
  }),
  minKeep: 0
})
const doubles = derived({
  from: { pools },
  key: "id",
  row: Schema.Struct({ id: Schema.String, twice: Schema.Finite }),
  rows: ({ pools }) => [...pools].map(([key, { rate = 0 }]) => ({ key, row: { id: key, twice: rate * 2 } }))
})
const support = written({
  key: "id",
  row: Schema.Struct({ id: Schema.String, text: Schema.String }),
  retain: { rows: 3 },
  pageOutAfter: "4 seconds"
})
const config = defineConfig({ collections: { pools, doubles, "support:{uid}": support } })
const names = ["pools", "doubles", "support:1"]

/** Something that is written; members that it is not written to are paged out soon. */
const write = Effect.fnUntraced(function* (dice: Dice) {
  const { write } = yield* RateEngine
  const collection = `support:${dice.int(5)}`
  const key = dice.pick(["a", "b", "c", "d", "e"])
  yield* Effect.exit(
    write(
      dice.int(3) === 0
        ? { op: "delete", collection, key }
        : { op: "put", collection, key, row: { text: String(dice.int(9)) } }
    )
  )
})

const upstream = (dice: Dice) => {
  let body: ReadonlyArray<object> = []
  return new Script(() => {
    if (dice.int(8) === 0) return Effect.fail("connection refused")
    // Nothing changed: no commit, and yet something to be told.
    if (dice.int(3) === 0) return { body }
    const rows = Array.from({ length: dice.int(12) }, () => ({
      id: String(dice.int(14)),
      ...Object.fromEntries(
        ["10", "9", "rate"].filter(() => dice.int(3) > 0).map((name) => [name, dice.int(4)])
      )
    }))
    body = [...new Map(rows.map((row) => [row.id, row])).values()]
    return { body }
  })
}

/** What somebody is told who comes with this cursor, once. */
const told = Effect.fnUntraced(function* (
  readers: Readers["Service"],
  query: Query,
  since: string | undefined
) {
  let given: Frame | undefined
  const sink: Sink = {
    framing: "text",
    write: (frame) => {
      given = frame
      return true
    },
    end: () => {}
  }
  const reader = readers.enter(query, sink, { interval: 0, once: true })
  yield* readers.open(reader, { since, notBefore: 0 })
  const answer = given ?? (yield* readers.conclude(reader))
  readers.leave(reader)
  // As an object: a commit is JSON, and keys such as "10" and "9" come out of that in an order of their own.
  if (typeof answer === "string") return answer
  const message = JSON.parse(Buffer.concat(answer.in("text").buffers).toString("utf8")) as Message
  // A snapshot is built anew only where something of the query has changed: one of each may be of another revision.
  return message.type === "snapshot" ? { ...message, at: 0, cursor: "" } : message
})

const layerDemand = (entered: Array<string>) =>
  Layer.succeed(Demand, {
    full: () => Effect.succeed(undefined),
    enter: (collections) => void entered.push(...collections),
    leave: () => {},
    touch: () => {},
    readAt: () => Infinity,
    forgetReads: () => {},
    refresh: () => Effect.die("nobody asks")
  })

const follow = Effect.fnUntraced(function* (entered: Array<string> = []) {
  const { log } = yield* Hub
  const context = yield* layerFollower.pipe(
    Layer.provide(Layer.succeed(Log, log)),
    Layer.provide(layerDemand(entered)),
    Layer.build
  )
  return Context.get(context, Readers)
})

describe("a hub that follows another", () => {
  for (let seed = 1; seed <= 20; seed++) {
    it.effect(`answers as the other does, whenever it began (seed ${seed})`, () => {
      const dice = new Dice(seed)
      // So little that floors, forgotten tips and tombstones come up in a minute.
      const memory = { tips: dice.pick([8, 1024]), tombstones: dice.pick([1, 1000]), idleMembers: 1 }
      return Effect.gen(function* () {
        const hub = yield* Hub
        const { parts } = yield* queryOf(names)
        const [, all] = [...(yield* queryOf(["support:*"])).parts][0]!
        const query = makeQuery(parts, dice.int(2) === 0 ? [["support:*", all]] : [])
        let away = 0
        const followers: Array<Readers["Service"]> = []
        const cursors: Array<string | undefined> = [undefined]
        let compared = 0
        for (let step = 0; step < 40; step++) {
          if (step === 2 || dice.int(8) === 0) followers.push(yield* follow())
          if (dice.int(3) === 0) yield* write(dice)
          yield* advance(1_000)
          away = Math.max(away, hub.pagedOut())
          cursors.push(hub.cursor(query))
          for (const follower of followers) {
            assert.strictEqual(follower.epoch, hub.epoch)
            assert.strictEqual(follower.revision(), hub.revision())
            assert.strictEqual(follower.cursor(query), hub.cursor(query))
            for (const name of names) assert.deepStrictEqual(follower.look(name), hub.look(name))
            assert.deepStrictEqual(follower.members("support").toSorted(), hub.members("support").toSorted())
            const since = dice.pick(cursors)
            const revision = hub.revision()
            const [one, other] = [yield* told(follower, query, since), yield* told(hub, query, since)]
            // What is paged in takes its time, and a poll may have come meanwhile.
            if (hub.revision() !== revision) continue
            assert.deepStrictEqual(one, other)
            compared++
          }
        }
        assert.isAbove(compared, 20)
        assert.isAbove(away, 0)
      }).pipe(
        Effect.scoped,
        Effect.provideService(HubMemory, memory),
        Effect.provide(hubOf(config, upstream(dice), memory, layerMemory(new Disk())))
      )
    })
  }

  it.effect("waits for a revision that it has yet to hear of, and hears of it", () => {
    let n = 0
    return Effect.gen(function* () {
      const hub = yield* Hub
      yield* advance(3_000)
      const follower = yield* follow()
      const next = hub.revision() + 1
      const waiting = yield* Effect.forkChild(follower.reach({ epoch: hub.epoch, revision: next }))
      while (hub.revision() < next) {
        assert.isUndefined(waiting.pollUnsafe())
        yield* advance(100)
      }
      assert.isDefined(waiting.pollUnsafe())
    }).pipe(
      Effect.scoped,
      Effect.provide(hubOf(config, new Script(() => ({ body: [{ id: "a", rate: n++ }] }))))
    )
  })

  it.effect("refuses a commit that does not follow, and a config that is not the one that is followed", () =>
    Effect.gen(function* () {
      const { log } = yield* Hub
      yield* advance(2_000)
      const catalog = yield* Catalog
      let hear: ((news: News) => void) | undefined
      const skipping: Log["Service"] = {
        ...log,
        follow: (begin) =>
          log.follow((kept) => {
            const made = begin(kept)
            hear = (news) => made.hear(news)
            return made
          })
      }
      yield* Layer.build(
        layerFollower.pipe(Layer.provide(Layer.succeed(Log, skipping)), Layer.provide(layerDemand([])))
      )
      assert.throws(() => hear!({ _tag: "Commit", revision: 99, text: "{}" }), /revision 99 after/)
      const other = new Map([...catalog.declared].filter(([name]) => name === "pools"))
      const exit = yield* Effect.exit(
        Effect.provideService(follow(), Catalog, { ...catalog, declared: other })
      )
      assert.include(String(exit), "declares other collections")
    }).pipe(Effect.scoped, Effect.provide(hubOf(config, upstream(new Dice(2)))))
  )

  it.effect("tells of the readers that it has", () => {
    const entered: Array<string> = []
    return Effect.gen(function* () {
      const follower = yield* follow(entered)
      yield* told(follower, yield* queryOf(["pools"]), undefined)
      assert.deepStrictEqual(entered, ["pools"])
    }).pipe(Effect.scoped, Effect.provide(hubOf(config, upstream(new Dice(3)))))
  })

  it.effect("has history with the fields that are declared now, as the other does", () => {
    const disk = new Disk()
    const journal = layerMemory(disk)
    const row = Schema.Struct({ id: Schema.String, text: Schema.String, phone: Schema.String })
    const before = defineConfig({
      collections: { pools, doubles, "support:{uid}": written({ key: "id", row, retain: { rows: 3 } }) }
    })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { write } = yield* RateEngine
        for (const key of ["a", "b", "c", "d", "e"])
          yield* write({ op: "put", collection: "support:1", key, row: { text: key, phone: "555" } })
      }).pipe(Effect.provide(hubOf(before, upstream(new Dice(3)), undefined, journal)))
      yield* Effect.gen(function* () {
        const follower = yield* follow()
        const page = yield* follower.past("support:1", undefined, 10)
        assert.deepStrictEqual(
          typeof page === "object" ? page.map(({ row }) => JSON.parse(row) as object) : page,
          ["e", "d", "c", "b", "a"].map((id) => ({ id, text: id }))
        )
        assert.deepStrictEqual(
          page,
          yield* Effect.flatMap(Hub, (hub) => hub.past("support:1", undefined, 10))
        )
      }).pipe(
        Effect.scoped,
        Effect.provide(hubOf(config, upstream(new Dice(3)), undefined, journal)),
        Effect.provideService(Forgettable, new Set(["support"]))
      )
    })
  })
})
