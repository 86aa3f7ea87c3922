import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { type Delta, type Json, type Row, sameJson } from "../../src/Collection.ts"
import { diffKeys, diffRows, editOf, Overlay, touchesRows } from "../../src/RateEngine/Diff.ts"
import { canonicalText } from "../Held.ts"
import { seeded } from "../Hub/World.ts"

type Table = ReadonlyMap<string, Row>

const fields = ["id", "rate", "list", "constructor", "toString", "", "\ud800", "length"]
const keys = [
  "__proto__",
  "",
  "10",
  "9",
  "constructor",
  "\ud800",
  "\udc00\ud800",
  "k".repeat(10_000),
  "🙂",
  "x\0y",
  "a"
]

const world = (seed: number) => {
  const random = seeded(seed)
  const int = (n: number) => Math.floor(random() * n)
  const pick = <A>(items: ReadonlyArray<A>): A => items[int(items.length)]!
  const long = "ä\u2028".repeat(5_000)
  const json = (depth: number): Json => {
    switch (int(depth > 2 ? 6 : 9)) {
      case 0:
        return null
      case 1:
        return random() < 0.5
      case 2:
        return pick([0, -0, 1, 1.5, -1e300, 5e-324])
      case 3:
      case 4:
        return pick(["", "1.10", "1.1", "\ud800", "__proto__", long, `${long}.`])
      case 5:
        return JSON.parse(
          pick(['{"__proto__":1}', '{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}', "{}", "[]"])
        ) as Json
      case 6:
        return Array.from({ length: int(3) }, () => json(depth + 1))
      default:
        return Object.fromEntries(
          pick([["a"], ["b"], ["a", "b"], ["b", "a"]]).map((name) => [name, json(depth + 1)])
        )
    }
  }
  const row = (id: string): Row =>
    Object.fromEntries([
      ["id", id] as const,
      ...fields.slice(1).flatMap((name) => (random() < 0.6 ? [[name, json(0)] as const] : []))
    ])
  const table = (): Table => {
    const chosen = keys.filter(() => random() < 0.6)
    return new Map(chosen.map((key) => [key, row(key)]))
  }
  /** What may have become of a table: rows gone, born, moved, and copies that only look like the old ones. */
  const next = (before: Table): Table => {
    const after = new Map<string, Row>()
    for (const [key, old] of before) {
      const dice = random()
      if (dice < 0.15) continue
      if (dice < 0.4) after.set(key, old)
      else if (dice < 0.6) after.set(key, JSON.parse(JSON.stringify(old)) as Row)
      else after.set(key, { ...old, ...row(key) })
    }
    for (const key of keys) if (random() < 0.15) after.set(key, row(key))
    return after
  }
  const before = table()
  return { before, after: next(before), json, int, pick, random }
}

/** What a client makes of a delta: of an edit it is told only the fields that are named. */
const applied = (delta: Delta, before: Table): Map<string, Row> => {
  const rows = new Map(before)
  for (const key of [...delta.remove, ...delta.evict]) assert.isTrue(rows.delete(key), `removes ${key}`)
  for (const [key, row] of delta.put) {
    assert.isFalse(rows.has(key), `puts ${key.slice(0, 20)} over a row`)
    rows.set(key, row)
  }
  for (const [key, edit] of delta.set) {
    const members = new Map(Object.entries(rows.get(key)!))
    for (const name of edit.fields) {
      if (Object.hasOwn(edit.row, name)) members.set(name, edit.row[name]!)
      else members.delete(name)
    }
    rows.set(key, Object.fromEntries(members))
    assert.strictEqual(
      canonicalText(edit.row),
      canonicalText(rows.get(key)),
      "an edit holds the whole next row"
    )
  }
  return rows
}
const flat = (rows: Iterable<readonly [string, Row]>): ReadonlyArray<string> =>
  [...rows].map(([key, row]) => `${JSON.stringify(key)}:${canonicalText(row)}`).toSorted()

type Differ = (before: Table, after: Table) => Delta
/** Throws where a diff does not take the one to the other. */
const hold = (differ: Differ, seed: number): void => {
  const { after, before } = world(seed)
  const delta = differ(before, after)
  assert.deepStrictEqual(flat(applied(delta, before)), flat(after), `seed ${seed}`)
  for (const [key, edit] of delta.set) {
    for (const name of edit.fields) {
      const a = Object.hasOwn(before.get(key)!, name) ? canonicalText(before.get(key)![name]) : undefined
      const b = Object.hasOwn(after.get(key)!, name) ? canonicalText(after.get(key)![name]) : undefined
      assert.notStrictEqual(a, b, `seed ${seed}: names ${name}, which did not change`)
    }
    assert.isAbove(edit.fields.length, 0)
  }
}

const seeds = Number(process.env["SEEDS"] ?? 300)
const forSeeds = (check: (seed: number) => void) => {
  for (let seed = 1; seed <= seeds; seed++) check(seed)
}

describe("apply(diff(a, b), a) is b, and names nothing that did not change", () => {
  it("for whole collections", () => forSeeds((seed) => hold((a, b) => diffRows(fields, a, b), seed)))

  it("for all keys that either has", () =>
    forSeeds((seed) =>
      hold(
        (a, b) => diffKeys(fields, a, new Set([...a.keys(), ...b.keys(), "none"]), (key) => b.get(key)),
        seed
      )
    ))

  it("for some keys, and no others", () => {
    forSeeds((seed) => {
      const { after, before, random } = world(seed)
      const asked = new Set(keys.filter(() => random() < 0.5))
      const delta = diffKeys(fields, before, asked, (key) => after.get(key))
      const expected = new Map(before)
      for (const key of asked) {
        if (after.has(key)) expected.set(key, after.get(key)!)
        else expected.delete(key)
      }
      assert.deepStrictEqual(flat(applied(delta, before)), flat(expected), `seed ${seed}`)
    })
  })

  it("what is the same is no change, however it is written", () => {
    forSeeds((seed) => {
      const { after } = world(seed)
      const copy = new Map(
        [...after].map(([key, row]) => [key, JSON.parse(canonicalText(row)) as Row]).toReversed() as Array<
          [string, Row]
        >
      )
      assert.isFalse(touchesRows(diffRows(fields, after, copy)), `seed ${seed}`)
    })
  })

  it("the rows as they will be are what the delta makes of them", () => {
    forSeeds((seed) => {
      const { after, before } = world(seed)
      const overlay = new Overlay(before, diffRows(fields, before, after))
      assert.deepStrictEqual(flat(overlay), flat(after), `seed ${seed}`)
      assert.strictEqual(overlay.size, after.size)
      assert.deepStrictEqual([...overlay.keys()].toSorted(), [...after.keys()].toSorted())
      for (const key of keys) {
        assert.strictEqual(overlay.has(key), after.has(key))
        assert.strictEqual(canonicalText(overlay.get(key)), canonicalText(after.get(key)))
      }
    })
  })

  it("fields that the collection does not declare are nobody's business", () => {
    assert.isUndefined(editOf(["id"], "a", { id: "a", other: 1 }, { id: "a", other: 2 }))
  })
})

describe("two values are the same where their JSON is", () => {
  it("for random values with nasty names", () => {
    forSeeds((seed) => {
      const { json, random } = world(seed)
      for (let n = 0; n < 20; n++) {
        const a = json(0)
        const b = random() < 0.4 ? (JSON.parse(JSON.stringify(a)) as Json) : json(0)
        assert.strictEqual(sameJson(a, b), canonicalText(a) === canonicalText(b), `seed ${seed}`)
        assert.strictEqual(sameJson(a, b), sameJson(b, a))
      }
    })
  })

  it.prop(
    "for whatever Schema.Json makes",
    [Schema.Json, Schema.Json],
    ([a, b]) => {
      assert.isTrue(sameJson(a as Json, JSON.parse(JSON.stringify(a)) as Json))
      assert.strictEqual(sameJson(a as Json, b as Json), canonicalText(a) === canonicalText(b))
    },
    { arbitrary: { runs: 500 } }
  )

  it("an absent field is not null, and neither is an array an object", () => {
    for (const [a, b] of [
      [undefined, null],
      [[], {}],
      [["a"], { 0: "a", length: 1 }],
      [{ a: null }, {}],
      [0, "0"],
      [0, false],
      ["", null],
      [
        [1, 2],
        [2, 1]
      ],
      [JSON.parse('{"__proto__":1}'), {}],
      [{ toString: 1 }, {}]
    ] as ReadonlyArray<readonly [Json | undefined, Json | undefined]>) {
      assert.isFalse(sameJson(a, b), `${JSON.stringify(a)} ${JSON.stringify(b)}`)
      assert.isFalse(sameJson(b, a))
    }
  })

  it("a nested value is sent whole", () => {
    const next = { id: "a", list: { deep: [1, { x: 2 }], same: 1 } }
    const edit = editOf(fields, "a", { id: "a", list: { deep: [1, { x: 1 }], same: 1 } }, next)
    assert.deepStrictEqual(edit, { row: next, fields: ["list"] })
  })
})

describe("a field that is held back", () => {
  it("stays as it was committed, in a row whose other fields move", () => {
    forSeeds((seed) => {
      const { after, before, random } = world(seed)
      const held = new Set(fields.slice(1).filter(() => random() < 0.5))
      const delta = diffRows(fields, before, after, (_, name) => held.has(name))
      const now = applied(delta, before)
      for (const [key, old] of before) {
        const row = after.get(key)
        if (row === undefined) continue
        for (const name of fields) {
          const from = held.has(name) ? old : row
          assert.strictEqual(
            Object.hasOwn(now.get(key)!, name),
            Object.hasOwn(from, name),
            `seed ${seed} ${name}`
          )
          assert.strictEqual(
            canonicalText(now.get(key)![name]),
            canonicalText(from[name]),
            `seed ${seed} ${name}`
          )
        }
      }
      for (const { fields: named } of delta.set.values()) assert.isFalse(named.some((name) => held.has(name)))
    })
  })
})

const planted: ReadonlyArray<readonly [mistake: string, differ: Differ]> = [
  ["what is gone is not removed", (a, b) => ({ ...diffRows(fields, a, b), remove: [] })],
  ["what is born is not put", (a, b) => ({ ...diffRows(fields, a, b), put: new Map() })],
  [
    "a field that goes is not named",
    (a, b) => {
      const delta = diffRows(fields, a, b)
      const set = new Map(
        [...delta.set].map(([key, { fields, row }]) => [
          key,
          { row, fields: fields.filter((name) => Object.hasOwn(row, name)) }
        ])
      )
      return { ...delta, set }
    }
  ],
  [
    "every field is named",
    (a, b) => {
      const delta = diffRows(fields, a, b)
      return { ...delta, set: new Map([...delta.set].map(([key, { row }]) => [key, { row, fields }])) }
    }
  ],
  ["rows are compared by one field", (a, b) => diffRows(["rate"], a, b)]
]

describe("the checks can fail", () => {
  for (const [mistake, differ] of planted) {
    it(`where ${mistake}`, () => {
      assert.throws(() => forSeeds((seed) => hold(differ, seed)))
    })
  }
})
