/** A hub that is killed and started again over the same disk, on the virtual clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"

import type { Catalog } from "../../src/Catalog.ts"
import { type Config, defineConfig, derived, polled, source } from "../../src/Config.ts"
import { Hub, type Journal, layerFallback } from "../../src/Hub.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { advance, type Client, connect, hubOf, queryOf, Script } from "../Kit.ts"

const Pool = Schema.Struct({ id: Schema.String, type: Schema.String, rate: Schema.Finite })
const pools = polled({
  source: source({ url: "http://up/pools", every: "1 second" }),
  key: "id",
  row: Pool,
  fixed: ["type"],
  minKeep: 0
})
const doubles = derived({
  from: { pools },
  key: "id",
  row: Schema.Struct({ id: Schema.String, twice: Schema.Finite }),
  rows: ({ pools }) => [...pools].map(([key, { rate }]) => ({ key, row: { id: key, twice: rate * 2 } }))
})
const order = polled({
  source: source({ url: "http://up/orders/{id}", every: "1 second", forgetAfter: "1 minute" }),
  key: "id",
  row: Schema.Struct({ id: Schema.String, n: Schema.Finite })
})
const config = defineConfig({ collections: { pools, doubles, "order:{id}": order } })

/** An upstream, a disk, and hubs that come and go over them. */
const world = () => {
  const state = { rows: [{ id: "a", type: "x", rate: 1 }], down: false, asked: [] as Array<string> }
  const script = new Script(({ url }) => {
    state.asked.push(url)
    if (state.down) return Effect.fail("connection refused")
    return { body: url.includes("/orders/") ? [{ id: "o", n: 1 }] : state.rows }
  })
  const disk = new Disk()
  /** One run of the daemon, from start to death. */
  const run = <A, E>(
    body: Effect.Effect<A, E, Hub | Catalog>,
    of: Config = config,
    journal: Layer.Layer<Journal> = layerMemory(disk)
  ) => body.pipe(Effect.provide(hubOf(of, script, undefined, journal))) as Effect.Effect<A, E>
  return { state, disk, run }
}

const reading = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const client = yield* connect(yield* queryOf(names))
  yield* advance("2 seconds")
  return client
})

/** Comes back to the hub of today with the cursor it has. */
const back = Effect.fnUntraced(function* (client: Client, names: ReadonlyArray<string>) {
  client.messages.length = 0
  yield* connect(yield* queryOf(names), { since: client.cursor, client })
  yield* advance("2 seconds")
})

const truth = (names: ReadonlyArray<string>) =>
  Effect.map(Hub, ({ board }) =>
    names.map((name) => [name, [...board.rows(name)].map(([key, row]) => [key, { ...row }])])
  )
const holds = (client: Client, names: ReadonlyArray<string>) =>
  names.map((name) => [
    name,
    [...(client.rows.get(name) ?? [])].map(([key, row]) => [key, Object.fromEntries(row)])
  ])

const agree = Effect.fnUntraced(function* (client: Client, names: ReadonlyArray<string>) {
  assert.deepStrictEqual(holds(client, names), yield* truth(names))
})

describe("a restart", () => {
  it.effect("keeps the epoch, and who comes back is told only what changed", () => {
    const { run, state } = world()
    const names = ["pools", "doubles"]
    return Effect.gen(function* () {
      const client = yield* run(reading(names))
      const epoch = client.cursor!.split("-")[0]
      state.rows = [...state.rows, { id: "b", type: "y", rate: 3 }]
      yield* run(
        Effect.gen(function* () {
          yield* back(client, names)
          assert.isAbove(client.messages.length, 0)
          for (const { type } of client.messages) assert.strictEqual(type, "change")
          assert.strictEqual(client.cursor!.split("-")[0], epoch)
          yield* agree(client, names)
        })
      )
    })
  })

  it.effect("serves what it had as stale until the first poll, and then as live", () => {
    const { run, state } = world()
    return Effect.gen(function* () {
      yield* run(reading(["pools"]))
      state.down = true
      yield* run(
        Effect.gen(function* () {
          const client = yield* reading(["pools"])
          assert.strictEqual(client.states.get("pools"), "stale")
          assert.deepStrictEqual([...client.rows.get("pools")!.keys()], ["a"])
          state.down = false
          yield* advance("30 seconds")
          assert.strictEqual(client.states.get("pools"), "live")
        })
      )
    })
  })

  it.effect("one that has lost its last commits is noticed by whoever saw them, and by nobody else", () => {
    const { disk, run, state } = world()
    return Effect.gen(function* () {
      const [early, late] = yield* run(
        Effect.gen(function* () {
          const early = yield* reading(["pools"])
          early.drop()
          state.rows = [{ id: "a", type: "x", rate: 2 }]
          const late = yield* reading(["pools"])
          return [early, late] as const
        })
      )
      disk.lose(1)
      state.rows = [{ id: "a", type: "x", rate: 5 }]
      yield* run(
        Effect.gen(function* () {
          yield* advance("5 seconds")
          yield* back(early, ["pools"])
          yield* back(late, ["pools"])
          assert.strictEqual(early.types[0], "change")
          assert.strictEqual(late.types[0], "snapshot")
          assert.strictEqual(late.messages[0]!["reason"], "diverged")
          yield* agree(early, ["pools"])
          yield* agree(late, ["pools"])
        })
      )
    })
  })

  it.effect("a disk that is gone is a new epoch", () => {
    const { disk, run } = world()
    return Effect.gen(function* () {
      const client = yield* run(reading(["pools"]))
      disk.kept = undefined
      yield* run(
        Effect.gen(function* () {
          yield* back(client, ["pools"])
          assert.strictEqual(client.messages[0]!["reason"], "epoch")
          yield* agree(client, ["pools"])
        })
      )
    })
  })
})

const changed = (pool: Partial<typeof pools.options>): Config =>
  defineConfig({ collections: { pools: polled({ ...pools.options, ...pool } as never) } }) as never

describe("a config that is another one", () => {
  it.effect("without a field: readers get the collection whole, without it", () => {
    const { run, state } = world()
    return Effect.gen(function* () {
      const client = yield* run(reading(["pools"]))
      state.down = true
      const row = Schema.Struct({ id: Schema.String, type: Schema.String })
      yield* run(
        Effect.gen(function* () {
          yield* back(client, ["pools"])
          yield* agree(client, ["pools"])
          assert.deepStrictEqual(Object.fromEntries(client.rows.get("pools")!.get("a")!), {
            id: "a",
            type: "x"
          })
        }),
        changed({ row } as never)
      )
    })
  })

  it.effect("with another key: the rows are read anew, and nobody keeps the old ones", () => {
    const { run } = world()
    return Effect.gen(function* () {
      const client = yield* run(reading(["pools"]))
      yield* run(
        Effect.gen(function* () {
          yield* back(client, ["pools"])
          yield* agree(client, ["pools"])
          assert.deepStrictEqual([...client.rows.get("pools")!.keys()], ["x"])
        }),
        changed({ key: "type" } as never)
      )
    })
  })

  for (const [what, options] of [
    ["one field more", { row: Schema.Struct({ ...Pool.fields, apr: Schema.optionalKey(Schema.Finite) }) }],
    [
      "fields in another order",
      { row: Schema.Struct({ rate: Schema.Finite, type: Schema.String, id: Schema.String }) }
    ],
    ["more fixed fields", { fixed: ["type", "id"] }]
  ] as const)
    it.effect(`with ${what}: nobody is told anything but what changes`, () => {
      const { run, state } = world()
      return Effect.gen(function* () {
        state.rows = ["a", "b", "c"].map((id) => ({ id, type: "x", rate: 1 }))
        const client = yield* run(reading(["pools"]))
        state.rows = ["a", "b", "c"].map((id) => ({ id, type: "x", rate: id === "b" ? 2 : 1, apr: 7 }))
        yield* run(
          Effect.gen(function* () {
            yield* back(client, ["pools"])
            yield* agree(client, ["pools"])
            for (const { collections = {}, type } of client.messages) {
              assert.strictEqual(type, "change")
              assert.notProperty(collections["pools"] ?? {}, "rows")
            }
            assert.strictEqual(client.rows.get("pools")!.get("b")!.get("rate"), 2)
          }),
          changed(options as never)
        )
      })
    })

  it.effect(
    "with a stricter row: those kept that do not fit are read anew, and nobody derives from them",
    () => {
      const { run, state } = world()
      const row = Schema.Struct({ id: Schema.String, type: Schema.String, rate: Schema.String })
      const strict = polled({ ...pools.options, row } as never)
      const loud = derived({
        from: { pools: strict },
        key: "id",
        row: Schema.Struct({ id: Schema.String, rate: Schema.String }),
        rows: ({ pools }) =>
          [...(pools as Iterable<readonly [string, { readonly rate: string }]>)].map(([key, { rate }]) => ({
            key,
            row: { id: key, rate: rate.toUpperCase() }
          }))
      })
      return Effect.gen(function* () {
        state.rows = Array.from({ length: 20 }, (_, i) => ({ id: `k${i}`, type: "x", rate: 1 }))
        const client = yield* run(reading(["pools"]))
        // The upstream has moved, too, but for one row.
        state.rows = Array.from({ length: 20 }, (_, i) => ({
          id: `k${i}`,
          type: "x",
          rate: i === 0 ? 1 : ("1.5x" as never)
        }))
        yield* run(
          Effect.gen(function* () {
            const { board, look } = yield* Hub
            assert.strictEqual(look("loud").health.state, "live")
            assert.strictEqual(look("loud").rows, 19)
            assert.isUndefined(board.rows("pools").get("k0"))
            yield* back(client, ["pools"])
            yield* agree(client, ["pools"])
          }),
          defineConfig({ collections: { pools: strict, loud } } as never) as never
        )
      })
    }
  )

  it.effect("with another key: what is derived from it has no rows either until there are new ones", () => {
    const { run, state } = world()
    return Effect.gen(function* () {
      yield* run(reading(["pools", "doubles"]))
      state.down = true
      const other = polled({ ...pools.options, key: "type" })
      const twice = derived({ ...doubles.options, from: { pools: other } } as never)
      yield* run(
        Effect.gen(function* () {
          const { look } = yield* Hub
          for (const name of ["pools", "doubles"])
            assert.deepStrictEqual([look(name).rows, look(name).health.state], [0, "loading"])
        }),
        defineConfig({ collections: { pools: other, doubles: twice } } as never) as never
      )
    })
  })

  it.effect(
    "with a single collection where a family was: its members are forgotten, and that is said once",
    () => {
      const { run } = world()
      const said: Array<string> = []
      const log = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
      const single = polled({
        ...order.options,
        source: source({ url: "http://up/orders/1", every: "1 second" })
      })
      return Effect.gen(function* () {
        yield* run(reading(["order:1"]))
        for (let i = 0; i < 3; i++)
          yield* run(reading(["order"]), defineConfig({ collections: { order: single } } as never) as never)
        assert.strictEqual(
          said.filter((text) => text.includes("order:1 is no longer in the config")).length,
          1
        )
      }).pipe(Effect.provide(log))
    }
  )

  it.effect("without a collection, and with it again", () => {
    const { run } = world()
    return Effect.gen(function* () {
      const client = yield* run(reading(["pools"]))
      const others = defineConfig({
        collections: {
          others: polled({ source: source({ url: "http://up/others" }), key: "id", row: Pool })
        }
      })
      yield* run(advance("2 seconds"), others as never)
      yield* run(
        Effect.gen(function* () {
          yield* back(client, ["pools"])
          yield* agree(client, ["pools"])
        })
      )
    })
  })
})

describe("a member of a family after a restart", () => {
  it.effect("is not polled while nobody reads it, and is forgotten in time", () => {
    const { run, state } = world()
    return Effect.gen(function* () {
      yield* run(reading(["order:1"]))
      state.asked = []
      yield* run(
        Effect.gen(function* () {
          const { look } = yield* Hub
          yield* advance("30 seconds")
          assert.strictEqual(look("order:1").rows, 1)
          yield* advance("40 seconds")
          assert.strictEqual(look("order:1").rows, 0)
          assert.isFalse(state.asked.some((url) => url.includes("/orders/")))
        })
      )
    })
  })

  it.effect("is polled again for whoever comes back", () => {
    const { run } = world()
    return Effect.gen(function* () {
      const client = yield* run(reading(["order:1"]))
      yield* run(
        Effect.gen(function* () {
          yield* advance("30 seconds")
          yield* back(client, ["order:1"])
          yield* advance("2 minutes")
          for (const { type } of client.messages) assert.notStrictEqual(type, "snapshot")
          assert.strictEqual(client.states.get("order:1"), "live")
          yield* agree(client, ["order:1"])
        })
      )
    })
  })
})

describe("a journal that can be read and makes no sense", () => {
  /** What is kept begins in the middle. */
  const senseless = Effect.fnUntraced(function* () {
    const made = world()
    yield* made.run(reading(["pools"]))
    const { disk } = made
    disk.kept = { ...disk.kept!, entries: disk.entries.map((e) => ({ ...e, revision: e.revision + 1 })) }
    return { ...made, kept: JSON.stringify(disk.kept) }
  })

  it.effect("stops the start, and is left as it is", () =>
    Effect.gen(function* () {
      const { disk, kept, run } = yield* senseless()
      const exit = yield* Effect.exit(run(reading(["pools"])))
      assert.include(String(exit), "is damaged; it is left as it is")
      assert.strictEqual(JSON.stringify(disk.kept), kept)
    })
  )

  it.effect("is left as it is by a daemon that can do without", () =>
    Effect.gen(function* () {
      const { disk, kept, run } = yield* senseless()
      const fallback = layerFallback.pipe(Layer.provide(layerMemory(disk)))
      const { outlives, rows } = yield* run(
        Effect.gen(function* () {
          const { rows } = yield* reading(["pools"])
          return { outlives: (yield* Hub).outlives(), rows: rows.get("pools")!.size }
        }),
        config,
        fallback
      ).pipe(Effect.provide(Logger.layer([])))
      assert.deepStrictEqual({ outlives, rows }, { outlives: false, rows: 1 })
      assert.strictEqual(JSON.stringify(disk.kept), kept)
    })
  )
})
