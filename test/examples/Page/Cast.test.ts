/** The half of the page that knows the protocol, held against test/Held.ts and against messages made to hurt. */
import { assert, describe, it } from "@effect/vitest"

import { canonicalText, Held } from "../../Held.ts"
import { Cast, change, ping, snapshot } from "./Messages.ts"

const held = (cast: Cast, name = "a") =>
  Object.fromEntries(
    [...(cast.collections.get(name)?.rows ?? [])].map(([key, row]) => [key, Object.fromEntries(row)])
  )

const started = (rows: object) => {
  const cast = new Cast()
  assert.strictEqual(cast.take(snapshot("e-1-x", { a: { state: "live", asOf: 5, rows } })).outcome, "applied")
  return cast
}

describe("cast.js holds what messages say", () => {
  it("replaces everything by a snapshot", () => {
    const cast = started({ k: { v: 1 } })
    cast.take(snapshot("f-1-y", { b: { state: "loading", error: { code: "c", detail: "d" }, rows: {} } }))
    assert.deepStrictEqual([...cast.collections.keys()], ["b"])
    assert.strictEqual(cast.collections.get("b")!.error?.code, "c")
    assert.strictEqual(cast.cursor, "f-1-y")
  })

  it("applies remove, evict, put, set and unset, in this order", () => {
    const cast = started({
      r: { v: 1 },
      e: { v: 1 },
      p: { v: 1, w: 1 },
      s: { v: 1, w: 1 },
      u: { v: 1, w: 1 }
    })
    const receipt = cast.take(
      change("e-1-x", "e-2-x", {
        a: {
          remove: ["r", "not here"],
          evict: ["e"],
          put: { p: { v: 2 }, n: { v: null } },
          set: { s: { v: [2, { deep: true }], w: null } },
          unset: { u: ["w"], s: ["w"] }
        }
      })
    )
    assert.deepStrictEqual(held(cast), {
      p: { v: 2 },
      s: { v: [2, { deep: true }] },
      u: { v: 1 },
      n: { v: null }
    })
    assert.strictEqual(receipt.outcome, "applied")
    assert.deepStrictEqual(receipt.touched.get("a"), new Set(["r", "not here", "e", "p", "n", "s", "u"]))
    assert.strictEqual(receipt.fields, 1 + 1 + 2 + 2)
  })

  it("replaces one collection where a change has rows", () => {
    const cast = started({ k: { v: 1 }, l: { v: 1 } })
    cast.take(
      snapshot("e-1-x", {
        a: { state: "live", rows: { k: { v: 1 } } },
        b: { state: "live", rows: { z: {} } }
      })
    )
    const receipt = cast.take(change("e-1-x", "e-2-x", { a: { rows: { m: { v: 2 } } } }))
    assert.deepStrictEqual([held(cast), held(cast, "b")], [{ m: { v: 2 } }, { z: {} }])
    assert.strictEqual(receipt.touched.get("a"), "all")
  })

  it("takes keys and fields for what they are: data", () => {
    const nasty = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "0", "a b/ä\u2028'\"<img>"]
    const rows = `{${nasty.map((key) => `${JSON.stringify(key)}:{"__proto__":1,"constructor":{"x":1}}`).join(",")}}`
    const cast = new Cast()
    cast.take(
      `{"type":"snapshot","cursor":"e-1-x","collections":{"__proto__":{"state":"live","rows":${rows}}}}`
    )
    const collection = cast.collections.get("__proto__")!
    assert.deepStrictEqual(new Set(collection.rows.keys()), new Set(nasty))
    cast.take(
      `{"type":"change","from":"e-1-x","cursor":"e-2-x","collections":{"__proto__":{"remove":["constructor"],` +
        `"set":{"__proto__":{"__proto__":{"polluted":true},"toString":2}},"unset":{"toString":["__proto__"]}}}}`
    )
    assert.strictEqual(({} as { polluted?: boolean }).polluted, undefined)
    assert.deepStrictEqual(
      collection.rows.get("__proto__")!.get("__proto__"),
      JSON.parse('{"polluted":true}')
    )
    assert.strictEqual(collection.rows.get("__proto__")!.get("toString"), 2)
    assert.isFalse(collection.rows.has("constructor"))
    assert.isFalse(collection.rows.get("toString")!.has("__proto__"))
  })

  it("applies a change only over its own cursor", () => {
    const cast = started({ k: { v: 1 } })
    const wrong = change("e-9-x", "e-10-x", { a: { set: { k: { v: 9 } } } })
    assert.strictEqual(cast.take(wrong).outcome, "again")
    assert.strictEqual(
      cast.take(change("e-0-x", "e-1-x", { a: { set: { k: { v: 9 } } } })).outcome,
      "ignored"
    )
    assert.deepStrictEqual([held(cast), cast.cursor], [{ k: { v: 1 } }, "e-1-x"])
    assert.strictEqual(new Cast().take(wrong).outcome, "again")
    assert.strictEqual(new Cast().take(ping("e-1-x", "e-1-x")).outcome, "again")
  })

  it("asks for everything where a change is about a row that it lacks, and applies nothing of it", () => {
    const cast = started({ k: { v: 1 } })
    const receipt = cast.take(change("e-1-x", "e-2-x", { a: { remove: ["k"], set: { l: { v: 1 } } } }))
    assert.deepStrictEqual([receipt.outcome, held(cast), cast.cursor], ["again", { k: { v: 1 } }, undefined])
  })

  it("moves on by a ping and by an empty long poll", () => {
    const cast = started({ k: { v: 1 } })
    assert.strictEqual(cast.take(ping("e-1-x", "e-4-x", { a: 77, unknown: 1 })).outcome, "applied")
    assert.deepStrictEqual([cast.cursor, cast.collections.get("a")!.asOf], ["e-4-x", 77])
    assert.isFalse(cast.collections.has("unknown"))
    cast.pass("e-5-x")
    assert.strictEqual(cast.cursor, "e-5-x")
  })

  it("knows the state of each collection, and its error until a state comes without one", () => {
    const cast = started({ k: { v: 1 } })
    const look = () => {
      const { asOf, error, state } = cast.collections.get("a")!
      return [state, error?.code, asOf]
    }
    cast.take(
      change("e-1-x", "e-2-x", { a: { state: "stale", error: { code: "upstream_status", detail: "" } } })
    )
    assert.deepStrictEqual(look(), ["stale", "upstream_status", 5])
    cast.take(change("e-2-x", "e-3-x", { a: { asOf: 6, set: { k: { v: 2 } } } }))
    assert.deepStrictEqual(look(), ["stale", "upstream_status", 6])
    cast.take(change("e-3-x", "e-4-x", { a: { state: "live", asOf: 7 } }))
    assert.deepStrictEqual(look(), ["live", undefined, 7])
  })

  it("leaves alone what it does not know", () => {
    const cast = started({ k: { v: 1 } })
    for (const type of ["goodbye", "ack", "pong", "error", "something new"]) {
      assert.strictEqual(cast.take(JSON.stringify({ type, cursor: "e-9-x" })).outcome, "ignored")
    }
    assert.strictEqual(cast.cursor, "e-1-x")
    assert.throws(() => cast.take('{"type":"chan'))
  })

  it("holds what the other client of the protocol holds, after any messages", () => {
    let seed = 7
    const below = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n
    const pick = <A>(items: ReadonlyArray<A>): A => items[below(items.length)]!
    const fields = ["v", "w", "__proto__", "x"]
    // An own `__proto__` as JSON.parse makes it, which a literal would not.
    const row = () =>
      Object.fromEntries(fields.filter(() => below(2) === 0).map((field) => [field, below(9)]))
    const keys = ["k", "__proto__", "1", "l", "m"]
    const cast = new Cast()
    const other = new Held()
    const both = (text: string) => {
      other.receive(text)
      return cast.take(text).outcome
    }
    both(snapshot("e-0-x", { a: { state: "live", rows: {} } }))
    for (let revision = 1; revision < 2000; revision++) {
      const rows = cast.collections.get("a")!.rows
      const [removed, put, set] = [[], [], []] as [Array<string>, Array<string>, Array<string>]
      for (const key of keys) pick([removed, put, rows.has(key) ? set : put, []]).push(key)
      const part = {
        [pick(["remove", "evict"])]: removed,
        put: Object.fromEntries(put.map((key) => [key, row()])),
        set: Object.fromEntries(set.map((key) => [key, row()])),
        unset: Object.fromEntries(set.filter(() => below(3) === 0).map((key) => [key, [pick(fields)]]))
      }
      const whole = { rows: Object.fromEntries(keys.filter(() => below(2) === 0).map((key) => [key, row()])) }
      const next = `e-${revision}-x`
      const kind = below(20)
      if (kind < 2) both(change("e-0-y", next, { a: { put: { k: {} } } }))
      else if (kind === 2) both(snapshot(next, { a: { state: "live", ...whole } }))
      else if (kind === 3) both(ping(cast.cursor!, next))
      else both(change(cast.cursor!, next, { a: kind === 4 ? whole : part }))
      assert.strictEqual(cast.cursor, other.cursor)
      const mine = [...cast.collections.get("a")!.rows].map(
        ([key, row]) => [key, canonicalText(Object.fromEntries(row))] as const
      )
      assert.deepStrictEqual(new Map(mine), other.canonical().get("a") ?? new Map())
    }
  })
})
