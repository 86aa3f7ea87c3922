import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { Catalog, declares } from "../../src/Catalog.ts"
import { Decimal, defineConfig, polled, source, type SourceOptions } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { Upstream } from "../../src/Upstream.ts"
import { connect, queryOf, settle } from "../Kit.ts"
import { held, onHub, state, until } from "../Rig.ts"

const Line = Schema.Struct({ id: Schema.String, price: Decimal })
const family = (from: Partial<SourceOptions> = {}, more: object = {}) =>
  defineConfig({
    collections: {
      "order:{id}": polled({
        key: "id",
        row: Line,
        source: source({ url: "http://up/orders/{id}", every: "1 second", forgetAfter: "1 minute", ...from }),
        ...more
      })
    }
  })
const echo = ({ url }: { readonly url: string }, n: number) => ({
  body: [{ id: new URL(url).pathname, price: `${n}` }]
})
const reading = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  return yield* connect(yield* queryOf(names))
})
const askedFor = (rig: { readonly script: { readonly asked: ReadonlyArray<{ readonly url: string }> } }) => [
  ...new Set(rig.script.asked.map(({ url }) => new URL(url).pathname))
]

describe("a source that is a template", () => {
  it.effect("is polled for each member that is read, and for no other", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        yield* until(10_000)
        assert.deepStrictEqual(rig.times, [])
        const one = yield* reading("order:17")
        const two = yield* reading("order:18", "order:17")
        yield* until(20_000)
        assert.deepStrictEqual(askedFor(rig), ["/orders/17", "/orders/18"])
        assert.isTrue(one.rows.get("order:17")!.has("/orders/17"))
        assert.isTrue(two.rows.get("order:18")!.has("/orders/18"))
        const asked = rig.script.asked.filter(({ url }) => url.endsWith("17"))
        assert.isTrue(asked.length >= 9 && asked.length <= 12, `${asked.length}`)
      })
    )
  )

  it.effect("names a member, which may be somebody's name, in no log at info", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        yield* reading("order:alice")
        yield* until(20_000)
        const levels = rig.logs
          .filter((line) => line.includes("alice"))
          .map((line) => (JSON.parse(line) as { readonly level: string }).level)
        assert.isNotEmpty(levels)
        assert.notInclude(levels, "INFO")
      })
    )
  )

  for (const [id, path] of [
    ["a b/c?d#e", "/orders/a%20b%2Fc%3Fd%23e"],
    ["ä:{id}%", "/orders/%C3%A4%3A%7Bid%7D%25"],
    ["$&", "/orders/%24%26"],
    ["__proto__", "/orders/__proto__"],
    ["../admin", "/orders/..%2Fadmin"],
    ["%2e%2e", "/orders/%252e%252e"]
  ] as const) {
    it.effect(`a member's id, such as ${JSON.stringify(id)}, stays one segment of its path`, () =>
      onHub(
        family(),
        echo,
        Effect.fnUntraced(function* (rig) {
          yield* reading(`order:${id}`)
          yield* settle
          assert.deepStrictEqual(askedFor(rig), [path])
        })
      )
    )
  }

  it.effect("an id that no URL can hold in its place is no member, and is not asked for", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        const catalog = yield* Catalog
        const { enter, refresh } = yield* Upstream
        for (const id of ["", ".", "..", "\ud800", "a\udc00b"]) {
          assert.isUndefined(declares(catalog, `order:${id}`), JSON.stringify(id))
          enter([`order:${id}`])
          yield* refresh(`order:${id}`)
        }
        yield* until(5_000)
        assert.deepStrictEqual(rig.times, [])
      })
    )
  )

  it.effect("several readers who come at once start one poll", () =>
    onHub(
      family({ every: "10 seconds" }),
      (asked, n) => Effect.delay(Effect.succeed(echo(asked, n)), 500),
      Effect.fnUntraced(function* (rig) {
        const upstream = yield* Upstream
        for (let i = 0; i < 20; i++) upstream.enter(["order:1"])
        for (let i = 0; i < 20; i++) upstream.touch(["order:1"])
        const asking = yield* Effect.forkChild(upstream.refresh("order:1"))
        yield* until(600)
        assert.deepStrictEqual(rig.times, [0])
        assert.strictEqual(rig.script.most, 1)
        const answer = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.deepStrictEqual([answer.refreshed, answer.ok], [true, true])
      })
    )
  )

  it.effect("a refresh of a member that nobody reads fetches it", () =>
    onHub(
      family({ every: "10 seconds" }),
      (asked, n) => Effect.delay(Effect.succeed(echo(asked, n)), 5),
      Effect.fnUntraced(function* (rig) {
        const asking = yield* Effect.forkChild(Effect.flatMap(Upstream, (up) => up.refresh("order:9")))
        yield* until(100)
        assert.isTrue(asking.pollUnsafe() !== undefined)
        const answer = yield* Effect.flatten(Effect.sync(() => asking.pollUnsafe()!))
        assert.deepStrictEqual([answer.refreshed, answer.ok], [true, true])
        assert.strictEqual(rig.times.length, 1)
        assert.strictEqual(Object.keys(yield* held("order:9")).length, 1)
      })
    )
  )
})

describe("a member that nobody reads any more", () => {
  it.effect("is forgotten after a while: not polled, no rows, loading as at first", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        const client = yield* reading("order:1")
        const other = yield* reading("order:2")
        yield* until(10_000)
        client.drop()
        yield* until(69_000)
        assert.strictEqual(Object.keys(yield* held("order:1")).length, 1)
        yield* until(71_000)
        assert.deepStrictEqual(yield* held("order:1"), {})
        assert.strictEqual(yield* state("order:1"), "loading")
        const asked = rig.script.asked.filter(({ url }) => url.endsWith("/1")).length
        yield* until(200_000)
        assert.strictEqual(rig.script.asked.filter(({ url }) => url.endsWith("/1")).length, asked)
        assert.strictEqual(other.rows.get("order:2")!.size, 1)
        assert.strictEqual(yield* state("order:2"), "live")
        const again = yield* reading("order:1")
        yield* settle
        assert.strictEqual(again.rows.get("order:1")!.size, 1)
        assert.strictEqual(again.states.get("order:1"), "live")
      })
    )
  )

  it.effect("stays where somebody comes by in time", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        const client = yield* reading("order:1")
        yield* until(10_000)
        client.drop()
        const { touch } = yield* Upstream
        for (let at = 60_000; at < 400_000; at += 50_000) {
          yield* until(at)
          touch(["order:1"])
        }
        assert.strictEqual(rig.logged("order:1 is loading").length, 0)
        assert.strictEqual(Object.keys(yield* held("order:1")).length, 1)
      })
    )
  )

  it.effect("its row that comes back changed is whole for whoever resumes", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* () {
        const client = yield* reading("order:1")
        yield* until(10_000)
        const cursor = client.cursor!
        client.drop()
        yield* until(100_000)
        yield* connect(yield* queryOf(["order:1"]), { since: cursor, client })
        yield* until(105_000)
        const { board } = yield* Hub
        assert.deepStrictEqual(
          Object.fromEntries(client.rows.get("order:1")!.get("/orders/1")!),
          board.rows("order:1").get("/orders/1")
        )
        assert.strictEqual(client.refused, 0)
      })
    )
  )

  it.effect("a reader who comes in the instant in which it is given up gets its rows", () =>
    onHub(
      family(),
      echo,
      Effect.fnUntraced(function* (rig) {
        const client = yield* reading("order:1")
        yield* until(10_000)
        client.drop()
        yield* until(69_999)
        // The same instant, before anything of it has settled.
        const late = yield* Effect.forkChild(Effect.delay(reading("order:1"), 1))
        yield* until(75_000)
        const reader = yield* Effect.flatten(Effect.sync(() => late.pollUnsafe()!))
        assert.strictEqual(reader.rows.get("order:1")!.size, 1)
        assert.strictEqual(reader.states.get("order:1"), "live")
        assert.isAbove(rig.times.at(-1)!, 73_000)
      })
    )
  )
})

describe("members are bounded in number", () => {
  it.effect(
    "a new one is not admitted beyond maxMembers, a known one is, and one that is forgotten makes room",
    () =>
      onHub(
        family({ maxMembers: 3 }),
        echo,
        Effect.fnUntraced(function* () {
          const { full } = yield* Upstream
          const clients = yield* Effect.forEach(["order:1", "order:2", "order:3"], (name) => reading(name))
          yield* settle
          assert.deepStrictEqual([yield* full(["order:4"]), yield* full(["order:1"])], ["order", undefined])
          clients[0]!.drop()
          yield* until(62_000)
          assert.isUndefined(yield* full(["order:4"]))
        })
      )
  )
})

describe("what is said of a collection holds for a family", () => {
  it.effect("tolerance, per field", () =>
    onHub(
      family({}, { tolerance: { price: { absolute: 10 } } }),
      (_, n) => ({ body: [{ id: "a", price: `${n}` }] }),
      Effect.fnUntraced(function* (rig) {
        yield* reading("order:1")
        yield* until(8_000)
        assert.isAbove(rig.times.length, 6)
        assert.strictEqual(rig.commits.length, 1)
      })
    )
  )

  it.effect("throttle", () =>
    onHub(
      family({ throttle: { every: "10 seconds" } }),
      (_, n) => ({ body: [{ id: "a", price: `${n}` }] }),
      Effect.fnUntraced(function* (rig) {
        yield* reading("order:1")
        yield* until(29_000)
        assert.strictEqual(rig.commits.length, 3)
      })
    )
  )
})

describe("the checks can fail", () => {
  it.effect("a second member is a second poll", () =>
    onHub(
      family(),
      (asked, n) => Effect.delay(Effect.succeed(echo(asked, n)), 10),
      Effect.fnUntraced(function* (rig) {
        yield* reading("order:1")
        yield* reading("order:2")
        yield* settle
        assert.strictEqual(rig.script.most, 2)
      })
    )
  )
})
