/** Members of written families that nobody reads or writes leave memory, and nobody notices. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"

import { Catalog } from "../../src/Catalog.ts"
import { type Config, defineConfig, written } from "../../src/Config.ts"
import { Forgettable, Hub, Journal, JournalFailed, layerFallback, makeQuery } from "../../src/Hub.ts"
import { Database } from "../../src/Hub/Journal/Database.ts"
import { replayed } from "../../src/Hub/Checkpoint.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { layerSqlite } from "../../src/Hub/Journal/Sqlite.ts"
import { defaultMemory } from "../../src/Hub/State.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { tagOf } from "../../src/RowTag.ts"
import { advance, type Client, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"
import { inEarnest } from "../Rig.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-paging-"))
afterAll(() => rmSync(folder, { recursive: true }))

const Message = Schema.Struct({
  id: Schema.String,
  text: Schema.String,
  mood: Schema.optionalKey(Schema.String)
})
const familyOf = (options: object = {}): Config =>
  defineConfig({
    collections: { "support:{uid}": written({ key: "id", row: Message, ...options } as never) }
  })
const bare = Schema.Struct({ id: Schema.String, text: Schema.String })
const silent = new Script(() => Effect.fail("nobody asks"))

type Needs = Hub | RateEngine | Catalog

const on = <A, E>(
  journal: Layer.Layer<Journal>,
  body: Effect.Effect<A, E, Needs>,
  config = familyOf()
): Effect.Effect<A, E> => body.pipe(Effect.provide(hubOf(config, silent, undefined, journal)))

const put = (thread: string, key: string, text: string, more: object = {}) =>
  Effect.flatMap(RateEngine, (engine) =>
    engine.write({ op: "put", collection: `support:${thread}`, key, row: { text }, ...more })
  )
const append = (thread: string, text: string) =>
  Effect.flatMap(RateEngine, (engine) =>
    engine.write({ op: "append", collection: `support:${thread}`, row: { text } })
  )

const everyThread = Effect.map(Catalog, ({ declared }) => {
  const collection = { ...declared.get("support")!.collection, name: "support:*" }
  return makeQuery([], [["support:*", { collection, keys: undefined, fields: undefined, where: [] }]])
})

const pastOf = Effect.fnUntraced(function* (collection: string) {
  const page = yield* (yield* Hub).past(collection, undefined, 10)
  assert(typeof page === "object")
  return page
})

/** How many are paged out, by the counter that operators see. */
const away = Effect.map(Hub, ({ pagedOut }) => pagedOut())

const texts = (rows: ReadonlyMap<string, ReadonlyMap<string, unknown>> | undefined) =>
  [...(rows?.values() ?? [])].map((row) => row.get("text"))

describe("a member of a written family", () => {
  it.effect(
    "leaves memory when nobody has read or written it for half an hour, and is back when somebody does",
    () =>
      on(
        layerMemory(new Disk()),
        Effect.gen(function* () {
          const hub = yield* Hub
          yield* put("1", "a", "hello")
          yield* put("2", "b", "hi")
          yield* advance("29 minutes")
          assert.strictEqual(yield* away, 0)
          yield* put("2", "c", "still here")
          yield* advance("3 minutes")
          assert.strictEqual(yield* away, 1)
          const { revision } = hub
          const before = revision()
          assert.deepInclude(hub.look("support:1"), { rows: 1, health: { state: "live" }, asOf: 0 })
          assert.strictEqual(yield* away, 1, "a look at how many there are needs no rows")
          assert.deepStrictEqual(yield* hub.row("support:1", "a"), { text: "hello", id: "a" })
          assert.strictEqual(yield* away, 0)
          assert.strictEqual(revision(), before, "that it was away is no change")
          yield* advance("2 hours")
          assert.strictEqual(yield* away, 2)
        })
      )
  )

  it.effect("stays while somebody reads it, and a reader of the whole family holds what it has", () =>
    on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        yield* put("1", "a", "hello")
        yield* put("2", "b", "hi")
        const customer = yield* connect(yield* queryOf(["support:1"]))
        const staff = yield* connect(yield* everyThread)
        yield* settle
        yield* advance("7 minutes")
        assert.strictEqual(yield* away, 1)
        assert.deepStrictEqual(texts(staff.rows.get("support:2")), ["hi"])
        const told = staff.messages.filter(({ type }) => type === "change").length
        yield* put("2", "c", "more")
        yield* settle
        assert.strictEqual(yield* away, 0)
        assert.deepStrictEqual(texts(staff.rows.get("support:2")), ["hi", "more"])
        assert.strictEqual(staff.messages.filter(({ type }) => type === "change").length, told + 1)
        assert.isUndefined(customer.rows.get("support:2"))
      }),
      familyOf({ pageOutAfter: "1 minute" })
    )
  )

  it.effect(
    "is seen by a newcomer to the whole family, and by one who comes back only where it changed",
    () =>
      on(
        layerMemory(new Disk()),
        Effect.gen(function* () {
          for (let thread = 0; thread < 40; thread++) yield* put(String(thread), "a", `of ${thread}`)
          const gone = yield* connect(yield* everyThread)
          yield* settle
          gone.drop()
          yield* put("7", "b", "one more")
          yield* advance("1 hour")
          assert.strictEqual(yield* away, 40)
          yield* connect(yield* everyThread, { client: gone, since: gone.cursor })
          yield* settle
          assert.strictEqual(gone.messages.at(-1)!.type, "change")
          assert.deepStrictEqual(Object.keys(gone.messages.at(-1)!.collections!), ["support:7"])
          assert.strictEqual(yield* away, 39, "who comes back needs only what it missed")
          gone.drop()
          const newcomer = yield* connect(yield* everyThread)
          yield* settle
          assert.strictEqual(newcomer.rows.size, 40)
          assert.deepStrictEqual(texts(newcomer.rows.get("support:7")), ["of 7", "one more"])
          assert.deepStrictEqual(newcomer.rows, gone.rows)
        })
      )
  )

  it.effect("knows what was deleted, changed and evicted before it was away", () =>
    on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        const hub = yield* Hub
        const query = yield* queryOf(["support:1"])
        yield* put("1", "a", "one", { row: { text: "one", mood: "good" } })
        yield* put("1", "b", "two")
        const client = yield* connect(query)
        yield* settle
        client.drop()
        const engine = yield* RateEngine
        const collection = "support:1"
        yield* engine.write({ op: "delete", collection, key: "b" })
        yield* engine.write({ op: "patch", collection, key: "a", set: { text: "uno" }, unset: ["mood"] })
        yield* put("1", "c", "three")
        yield* put("1", "d", "four")
        yield* put("1", "e", "five")
        yield* advance("1 hour")
        assert.strictEqual(yield* away, 1)
        assert.isFalse(hub.isCurrent(query, client.cursor!))
        yield* connect(query, { client, since: client.cursor })
        yield* settle
        assert.deepStrictEqual(client.messages.at(-1)!.collections, {
          "support:1": {
            remove: ["b"],
            evict: ["a"],
            put: Object.fromEntries(
              [
                ["c", "three"],
                ["d", "four"],
                ["e", "five"]
              ].map(([id, text]) => [id, { id, text }])
            )
          }
        } as never)
        client.drop()
        yield* advance("1 hour")
        assert.strictEqual(yield* away, 1)
        assert.isTrue(hub.isCurrent(query, client.cursor!), "nothing has changed, which is known without it")
        assert.strictEqual(yield* away, 1)
        const page = yield* pastOf("support:1")
        assert.deepStrictEqual(
          page.map(({ key }) => key),
          ["e", "d", "c", "a"]
        )
        yield* advance("1 hour")
        const conflict = yield* Effect.flip(put("1", "a", "again"))
        assert.strictEqual(conflict.code, "conflict")
      }),
      familyOf({ retain: { rows: 3 } })
    )
  )

  it.effect("is written as ever: If-Match, Idempotency-Key, keys in order", () =>
    on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        const engine = yield* RateEngine
        const first = yield* append("1", "one")
        const { row } = yield* put("1", "a", "row")
        const repeat = { id: "i", body: "b" }
        const again = engine.write({ op: "append", collection: "support:1", row: { text: "once" } }, repeat)
        const once = yield* again
        yield* advance("1 hour")
        assert.strictEqual(yield* away, 1)
        assert.strictEqual((yield* again).key, once.key)
        assert.strictEqual(yield* away, 1, "the answer is known without it")
        const stale = yield* Effect.flip(put("1", "a", "other", { ifMatch: ["x"] }))
        assert.strictEqual(stale.code, "precondition_failed")
        yield* advance("1 hour")
        assert.strictEqual(yield* away, 1)
        yield* put("1", "a", "other", { ifMatch: [tagOf(row!)] })
        yield* advance("1 hour")
        const second = yield* append("1", "two")
        assert.isAbove(second.key.localeCompare(first.key), 0)
        yield* advance("1 hour")
        const both = yield* Effect.all([append("1", "x"), append("1", "y"), append("1", "z")], {
          concurrency: "unbounded"
        })
        assert.strictEqual(new Set(both.map(({ key }) => key)).size, 3)
        assert.strictEqual((yield* Hub).look("support:1").rows, 7)
      })
    )
  )

  it.effect("that was loaded from elsewhere is not loaded again when it is back", () => {
    const loads: Array<string> = []
    const load = ({ collection }: { readonly collection: string }) => {
      loads.push(collection)
      return [{ id: "a", text: "from the database" }]
    }
    return on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        const hub = yield* Hub
        const client = yield* connect(yield* queryOf(["support:1"]))
        yield* advance("1 second")
        assert.deepStrictEqual(texts(client.rows.get("support:1")), ["from the database"])
        client.drop()
        yield* advance("1 hour")
        assert.strictEqual(yield* away, 1)
        assert.strictEqual(hub.look("support:1").health.state, "live")
        yield* put("1", "b", "more")
        yield* connect(yield* queryOf(["support:1"]), { client, since: client.cursor })
        yield* settle
        assert.deepStrictEqual(texts(client.rows.get("support:1")), ["from the database", "more"])
        assert.deepStrictEqual(loads, ["support:1"])
      }),
      familyOf({ load })
    )
  })

  it.effect("lets go of rows that have become too old while it was away", () =>
    on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        const hub = yield* Hub
        yield* put("1", "a", "one")
        yield* advance("50 minutes")
        yield* put("1", "b", "two")
        yield* advance("8 minutes")
        assert.strictEqual(yield* away, 1)
        yield* advance("3 minutes")
        assert.strictEqual(hub.look("support:1").rows, 1)
        yield* advance("50 minutes")
        assert.strictEqual(hub.look("support:1").rows, 0)
        const page = yield* pastOf("support:1")
        assert.deepStrictEqual(
          page.map(({ key }) => key),
          ["b", "a"]
        )
      }),
      familyOf({ retain: { age: "1 hour" }, pageOutAfter: "5 minutes" })
    )
  )

  it.effect("that is emptied and forgotten leaves nothing behind", () => {
    const named = new Set<Map<unknown, unknown>>()
    const { set } = Map.prototype
    const noting = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
      if (typeof key === "string" && key.startsWith("support:")) named.add(this)
      return set.call(this, key, value)
    }
    // Whatever map it is that would keep their names.
    Object.assign(Map.prototype, { set: noting })
    return on(
      layerMemory(new Disk()),
      Effect.gen(function* () {
        const engine = yield* RateEngine
        for (let i = 0; i < defaultMemory.idleMembers + 500; i++) {
          yield* put(String(i), "a", "hello")
          yield* engine.write({ op: "delete", collection: `support:${i}`, key: "a" })
        }
        yield* advance("2 hours")
        assert.isAbove(named.size, 0)
        assert.isAtMost(Math.max(...[...named].map(({ size }) => size)), defaultMemory.idleMembers + 1)
      })
    ).pipe(Effect.ensuring(Effect.sync(() => Object.assign(Map.prototype, { set }))))
  })

  it.effect("that cannot be kept stays in memory, which is said once, and others leave", () => {
    const full = new JournalFailed({ file: "f", trouble: "full", detail: "no room" })
    const said: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => void said.push(`${logLevel} ${String(message)}`))
    const journal = Layer.effect(
      Journal,
      Effect.map(Journal, (journal) =>
        Journal.of({
          ...journal,
          keepMember: (member) =>
            member.name === "support:big" ? Effect.fail(full) : journal.keepMember(member)
        })
      )
    ).pipe(Layer.provide(layerMemory(new Disk())))
    return on(
      layerFallback.pipe(Layer.provide(journal)),
      Effect.gen(function* () {
        const hub = yield* Hub
        yield* put("big", "a", "hello")
        yield* put("2", "a", "hi")
        yield* advance("3 hours")
        assert.strictEqual(yield* away, 1)
        assert.isTrue(hub.outlives())
        assert.lengthOf(
          said.filter((line) => line.startsWith("Warn support:big ")),
          1
        )
        assert.deepStrictEqual(yield* hub.row("support:big", "a"), { text: "hello", id: "a" })
        assert.deepStrictEqual(yield* hub.row("support:2", "a"), { text: "hi", id: "a" })
      })
    ).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("goes on after a restart, and is fitted to a config that declares it otherwise", () => {
    const disk = new Disk()
    const journal = layerMemory(disk)
    let client: Client
    return Effect.gen(function* () {
      yield* on(
        journal,
        Effect.gen(function* () {
          yield* put("1", "a", "hello", { row: { text: "hello", mood: "good" } })
          yield* advance("1 hour")
          assert.strictEqual(yield* away, 1)
          client = yield* connect(yield* queryOf(["support:1"]))
          yield* settle
        })
      )
      yield* on(
        journal,
        Effect.gen(function* () {
          yield* connect(yield* queryOf(["support:1"]), { client, since: client.cursor })
          yield* settle
          assert.deepStrictEqual(client.types, ["snapshot", "ping"])
          yield* put("1", "b", "more")
        })
      )
      yield* on(
        journal,
        Effect.gen(function* () {
          yield* connect(yield* queryOf(["support:1"]), { client, since: client.cursor })
          yield* settle
          assert.deepStrictEqual(
            [...client.rows.get("support:1")!.values()].map((row) => Object.fromEntries(row)),
            [
              { id: "a", text: "hello" },
              { id: "b", text: "more" }
            ]
          )
        }),
        familyOf({ row: bare })
      ).pipe(Effect.provideService(Forgettable, new Set(["support"])))
    })
  })

  it.effect("is in the file when it is not in memory, and a checkpoint neither loses nor holds it", () => {
    const file = join(folder, "ratecast.sqlite")
    return Effect.gen(function* () {
      yield* on(
        Layer.orDie(layerSqlite(file)),
        Effect.gen(function* () {
          const hub = yield* Hub
          for (let thread = 0; thread < 5; thread++)
            yield* Effect.forkChild(put(String(thread), "a", "hello"))
          yield* inEarnest("five are written", () => hub.revision() === 5)
          yield* advance("1 hour")
          yield* inEarnest("five are away", () => hub.pagedOut() === 5)
          yield* Effect.forkChild(put("3", "b", "more"))
          yield* inEarnest("one is back", () => hub.revision() === 6)
        })
      )
      const database = new Database(file, { epoch: "other", collections: [] })
      database.load()
      for (const _ of database.checkpoint());
      const kept = database.load()
      assert.lengthOf(kept.entries, 0)
      const state = replayed(kept, defaultMemory)
      assert.deepStrictEqual(
        [...state.away.keys()].toSorted(),
        ["0", "1", "2", "4"].map((id) => `support:${id}`)
      )
      assert.deepStrictEqual([...state.rows("support:3").keys()], ["a", "b"])
      assert.isFalse(kept.pieces.some((piece) => piece.includes("support:1") && piece.includes("hello")))
      assert.isUndefined(database.member("support:3"), "it stands in the checkpoint")
      assert.include(database.member("support:1"), "hello")
      database.close()
      yield* on(
        Layer.orDie(layerSqlite(file)),
        Effect.gen(function* () {
          const hub = yield* Hub
          assert.strictEqual(hub.pagedOut(), 4)
          let row: unknown
          yield* Effect.forkChild(
            Effect.tap(hub.row("support:1", "a"), (found) => Effect.sync(() => (row = found)))
          )
          yield* inEarnest("it is back", () => row !== undefined)
          assert.deepStrictEqual(row, { id: "a", text: "hello" })
        })
      )
      // Of another shape: all of them have to be looked at.
      yield* on(
        Layer.orDie(layerSqlite(file)),
        Effect.gen(function* () {
          const hub = yield* Hub
          assert.strictEqual(hub.pagedOut(), 0)
          assert.deepStrictEqual(
            [0, 1, 2, 3, 4].map((id) => hub.look(`support:${id}`).rows),
            [1, 1, 1, 2, 1]
          )
        }),
        familyOf({ row: bare })
      )
      const after = new Database(file, { epoch: "other", collections: [] })
      assert.isUndefined(after.member("support:1"), "it stands in the checkpoint, of its new shape")
      after.close()
    })
  })
})
