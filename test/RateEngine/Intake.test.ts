import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { type Catalog, makeCatalog } from "../../src/Catalog.ts"
import type { Row, Rows } from "../../src/Collection.ts"
import { Decimal, type PolledOptions } from "../../src/Config.ts"
import { Intake } from "../../src/RateEngine/Intake.ts"
import { Body } from "../../src/Upstream/Body.ts"
import { Extractor } from "../../src/Upstream/Extractor.ts"
import { connect, queryOf } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, rate: Decimal })
type Pool = typeof Pool.Type

/** An intake and the rows that would be committed of what it accepts. */
const take = <A = Pool>(options: Partial<PolledOptions<A>> = {}) => {
  const catalog = makeCatalog(onePolled<A>({ row: Pool as never, ...options })) as Catalog["Service"]
  const intake = new Intake(catalog.declared.get("pools")!)
  const extractor = new Extractor(catalog.declared.get("pools")!)
  const made = {
    rows: new Map<string, Row>() as Rows,
    live: false,
    notes: undefined as ReturnType<Intake["take"]>["notes"] | undefined,
    body: (...bodies: ReadonlyArray<unknown>): string => {
      const { extract, remember } = extractor.extract(
        bodies.map((body) => (body instanceof Body ? body : new Body(Buffer.from(JSON.stringify(body)))))
      )
      remember()
      const { notes, verdict } = intake.take(extract, made.rows, made.live)
      made.notes = notes
      return made.judged(verdict)
    },
    again: (): string => {
      const verdict = intake.repeat(made.rows)
      return verdict === undefined ? made.judged({ accepted: { rows: made.rows } }) : made.judged(verdict)
    },
    judged: (verdict: ReturnType<Intake["take"]>["verdict"]): string => {
      made.live = "accepted" in verdict
      if ("failure" in verdict) return verdict.failure.code
      made.rows = verdict.accepted.rows
      return [...made.rows.keys()].join(" ")
    }
  }
  return made
}
const some = (count: number, bad = 0): ReadonlyArray<unknown> =>
  Array.from({ length: count }, (_, i) => ({ id: `${i}`, rate: i < bad ? {} : "1" }))

describe("a poll counts only if", () => {
  it("its rows are found", () => {
    for (const body of [{}, null, "[]", 7, { rows: {} }])
      assert.strictEqual(take().body(body), "upstream_shape")
    const path = take({ rows: "data.poolData" })
    assert.strictEqual(path.body({ data: { poolData: [{ id: "a", rate: "1" }] } }), "a")
    for (const body of [
      { data: null },
      { data: {} },
      { data: { poolData: {} } },
      { "data.poolData": [] },
      []
    ]) {
      assert.strictEqual(path.body(body), "upstream_shape")
    }
    for (const rows of ["__proto__", "constructor.name", "data.__proto__", "length"]) {
      assert.strictEqual(take({ rows }).body({ data: {} }), "upstream_shape", rows)
    }
    assert.strictEqual(take().body([{ id: "a", rate: "1" }], {}), "upstream_shape", "in every body")
  })

  it("at most maxBad of them are set aside", () => {
    assert.notStrictEqual(take().body(some(10, 1)), "upstream_shape")
    assert.strictEqual(take().body(some(10, 2)), "upstream_shape")
    assert.strictEqual(take().body(some(9, 1)), "upstream_shape")
    assert.strictEqual(take({ maxBad: 0 }).body(some(1_000, 1)), "upstream_shape")
    assert.notStrictEqual(take({ maxBad: 0.5 }).body(some(10, 5)), "upstream_shape")
    assert.strictEqual(take({ maxBad: 1 }).body(some(10, 10)), "upstream_empty")
  })

  it("at least minKeep of the rows held are still there", () => {
    const intake = take()
    intake.body(some(10))
    const before = intake.rows
    assert.strictEqual(intake.body(some(4)), "upstream_shrunk")
    assert.strictEqual(intake.rows, before)
    assert.strictEqual(intake.body(some(5)), "0 1 2 3 4")
    const others = take()
    others.body(some(10))
    assert.strictEqual(others.body([...some(4), ...some(30).slice(20)]), "upstream_shrunk")
    const most = take({ minKeep: 0.9 })
    most.body(some(10))
    assert.strictEqual(most.body(some(8)), "upstream_shrunk")
  })

  it("a shrink is believed when the next poll repeats it, and not when the rows are back", () => {
    const intake = take()
    intake.body(some(10))
    assert.strictEqual(intake.body(some(2)), "upstream_shrunk")
    assert.strictEqual(intake.body(some(10)).length, 19)
    assert.strictEqual(intake.body(some(2)), "upstream_shrunk")
    assert.strictEqual(intake.body(some(2)), "0 1")
    for (const repeat of ["again", "body"] as const) {
      const quiet = take()
      quiet.body(some(10))
      assert.strictEqual(quiet.body(some(3)), "upstream_shrunk")
      assert.strictEqual(repeat === "again" ? quiet.again() : quiet.body(some(3)), "0 1 2")
      assert.strictEqual(quiet.again(), "0 1 2")
    }
  })

  it("a shrink to something else is not a repetition, and neither is one with an unreadable poll between", () => {
    const intake = take()
    intake.body(some(20))
    assert.strictEqual(intake.body(some(4)), "upstream_shrunk")
    assert.strictEqual(intake.body(some(20).slice(10, 14)), "upstream_shrunk")
    assert.strictEqual(intake.body([]), "upstream_empty")
    assert.strictEqual(intake.body(some(4)), "upstream_shrunk")
    assert.strictEqual(intake.body({}), "upstream_shape")
    assert.strictEqual(intake.body(some(4)), "upstream_shrunk")
    assert.strictEqual(intake.rows.size, 20)
  })

  it("it has rows, unless allowEmpty; and nothing is believed when it is repeated", () => {
    const intake = take()
    assert.strictEqual(intake.body([]), "upstream_empty")
    assert.strictEqual(intake.again(), "")
    assert.strictEqual(intake.body([]), "")
    intake.body(some(3))
    assert.strictEqual(intake.body([]), "upstream_empty")
    assert.strictEqual(intake.rows.size, 3)
    assert.strictEqual(intake.body([]), "")
    const allowed = take({ allowEmpty: true })
    assert.strictEqual(allowed.body([]), "")
    allowed.body(some(10))
    assert.strictEqual(allowed.body(some(1)), "upstream_shrunk")
    assert.strictEqual(allowed.body([]), "")
  })

  it("an unchanged answer that was wrong is wrong again", () => {
    const intake = take()
    intake.body(some(2))
    assert.strictEqual(intake.body({}), "upstream_shape")
    assert.strictEqual(intake.again(), "upstream_shape")
    assert.strictEqual(intake.body(some(2)), "0 1")
    assert.strictEqual(intake.again(), "0 1")
  })
})

const rates = (intake: { readonly rows: Rows }) =>
  Object.fromEntries([...intake.rows].map(([key, row]) => [key, row["rate"]]))

const rowsOf = (body: ReadonlyArray<Row>) => body.map((row) => ({ key: String(row["id"]), row }))
const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`

describe("a bad row", () => {
  const filler = some(30).slice(10)

  it("keeps its last good version where its key can be read, and is left out where there is none", () => {
    const intake = take()
    intake.body([{ id: "a", rate: "1" }, ...filler])
    intake.body([{ id: "a", rate: [] }, { id: "b", rate: [] }, ...filler])
    assert.deepInclude(rates(intake), { a: "1" })
    assert.isFalse(intake.rows.has("b"))
    assert.strictEqual(intake.notes!.badCount, 2)
    assert.deepStrictEqual(
      intake.notes!.bad.map(({ key }) => key),
      ["a", "b"]
    )
    intake.body([{ rate: "2" }, null, 7, "a", ...filler, ...some(60).slice(30)])
    assert.strictEqual(intake.notes!.badCount, 4)
    assert.isFalse(intake.rows.has("a"))
  })

  it("does not undo a good row of the same answer", () => {
    const intake = take()
    intake.body([{ id: "a", rate: "1" }, ...filler])
    intake.body([{ id: "a", rate: "2" }, { id: "a", rate: [] }, ...filler])
    assert.deepInclude(rates(intake), { a: "2" })
    intake.body([{ id: "a", rate: [] }, { id: "a", rate: "3" }, ...filler])
    assert.deepInclude(rates(intake), { a: "3" })
  })

  it("is one that JSON could not hold after decoding", () => {
    for (const [what, schema, value] of [
      ["a date", Schema.DateFromString, "2026-01-01T00:00:00Z"],
      ["a bigint", Schema.BigIntFromString, "1"],
      ["NaN", Schema.NumberFromString, "NaN"],
      ["a moment", Schema.DateTimeUtcFromString, "2026-01-01T00:00:00Z"]
    ] as ReadonlyArray<readonly [string, Schema.Constraint, unknown]>) {
      const row = Schema.Struct({ id: Schema.String, rate: Schema.Array(schema) })
      const intake = take({ row: row as never, maxBad: 1 })
      intake.body([{ id: "a", rate: [value] }])
      assert.strictEqual(intake.notes!.badCount, 1, what)
      assert.match(intake.notes!.bad[0]!.reason, /^"rate" (has a number|decodes to)/, what)
    }
  })

  it("is one that is nested without end", () => {
    const intake = take({
      row: Schema.Struct({ id: Schema.String, rate: Schema.Unknown }) as never,
      maxBad: 1
    })
    intake.body(new Body(Buffer.from(`[{"id":"a","rate":${deep(60)}},{"id":"b","rate":${deep(50_000)}}]`)))
    assert.deepStrictEqual([...intake.rows.keys()], ["a"])
  })

  it("is so too where decimals come as numbers, and costs no other row its digits", () => {
    const row = Schema.Struct({ id: Schema.String, rate: Decimal, meta: Schema.Unknown })
    const text = `[{"id":"a","rate":1.10,"meta":"]"},{"id":"b","rate":1.10,"meta":{"\\"":${deep(50_000)}}}]`
    for (const options of [{}, { rows: rowsOf }]) {
      const intake = take({ row: row as never, maxBad: 1, ...options })
      intake.body(new Body(Buffer.from(text)))
      assert.deepStrictEqual([...intake.rows], [["a", { id: "a", rate: "1.10", meta: "]" }]])
    }
  })

  it.effect("is counted, and named in the log once", () =>
    onHub(
      onePolled({ row: Pool }, { every: "1 second" }),
      (_, n) => ({ body: [...filler, { id: "bad", rate: `no number ${n}` }, { id: `${n % 3}-worse` }] }),
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(["pools"]))
        yield* until(20_000)
        assert.strictEqual(rig.count("rows_set_aside_total"), 2 * rig.times.length)
        const named = rig.logged("set aside")
        assert.strictEqual(named.filter((line) => line.includes('"bad"')).length, 1)
        assert.isAbove(named.filter((line) => line.includes("-worse")).length, 0)
        assert.isAtMost(named.length, 4)
      })
    )
  )
})

describe("keys", () => {
  it("a duplicate: the last one wins, and it is counted", () => {
    const intake = take()
    intake.body([
      { id: "a", rate: "1" },
      { id: "b", rate: "1" },
      { id: "a", rate: "2" },
      { id: "a", rate: "3" }
    ])
    assert.strictEqual(intake.rows.get("a")!["rate"], "3")
    assert.strictEqual(intake.rows.size, 2)
    assert.strictEqual(intake.notes!.duplicates, 2)
    intake.body([{ id: "a", rate: "1" }], [{ id: "a", rate: "4" }])
    assert.strictEqual(intake.rows.get("a")!["rate"], "4")
  })

  const again = [
    { id: "a", rate: "1" },
    { id: "b", rate: "1" },
    { id: "a", rate: "2" },
    { id: "a", rate: "3" }
  ]
  for (const [duplicates, expected] of [
    ["first", "1"],
    ["last", "3"]
  ] as const)
    it(`a duplicate, where duplicates is ${duplicates}: that one counts, in one body and in several`, () => {
      const intake = take({ duplicates, maxBad: 1 })
      assert.strictEqual(intake.body(again), "a b")
      assert.strictEqual(intake.rows.get("a")!["rate"], expected)
      assert.strictEqual(intake.notes!.duplicates, 2)
      intake.body([{ id: "a", rate: "1" }], [{ id: "a", rate: "3" }])
      assert.strictEqual(intake.rows.get("a")!["rate"], expected)
      // One that cannot be read is none.
      intake.body([{ id: "a", rate: {} }, ...again.slice(1), { id: "a", rate: [] }])
      assert.strictEqual(intake.rows.get("a")!["rate"], duplicates === "first" ? "2" : "3")
    })

  it("a duplicate, where duplicates is error: the poll does not count, and it is counted", () => {
    const intake = take({ duplicates: "error" })
    assert.strictEqual(intake.body(again.slice(0, 2)), "a b")
    assert.strictEqual(intake.body(again), "upstream_shape")
    assert.strictEqual(intake.again(), "upstream_shape")
    assert.strictEqual(intake.notes!.duplicates, 2)
    assert.strictEqual(intake.rows.get("a")!["rate"], "1")
    assert.strictEqual(intake.body([again[0]], [again[2]]), "upstream_shape")
    assert.strictEqual(intake.body(again.slice(1, 3)), "a b")
    assert.strictEqual(intake.rows.get("a")!["rate"], "2")
    // One that cannot be read is none, whichever comes first.
    const others = take({ duplicates: "error", maxBad: 1 })
    assert.strictEqual(others.body([{ id: "a", rate: {} }, again[0]]), "a")
    assert.strictEqual(others.body([again[0], { id: "a", rate: {} }]), "a")
  })

  it("of any name, also a number's", () => {
    const keys = ["__proto__", "", "constructor", "\ud800", "k".repeat(10_000), "a,b/c\n"]
    const intake = take()
    intake.body(keys.map((id) => ({ id, rate: "1" })))
    assert.deepStrictEqual([...intake.rows.keys()], keys)
    const numbers = take({ row: Schema.Struct({ id: Schema.Finite, rate: Decimal }) as never })
    assert.strictEqual(
      numbers.body([
        { id: 7, rate: "1" },
        { id: 1.5, rate: "1" }
      ]),
      "7 1.5"
    )
  })
})

describe("a pure function of the body", () => {
  it("renames, flattens and splits; its key stands in the row too", () => {
    const intake = take({
      rows: (body: { readonly [chain: string]: ReadonlyArray<readonly [string, string]> }) =>
        Object.entries(body).flatMap(([chain, pairs]) =>
          pairs.map(([name, price]) => ({ key: `${chain}/${name}`, row: { rate: price } }))
        )
    })
    assert.strictEqual(intake.body({ ton: [["a", "1"]], eth: [["a", "2"]] }), "ton/a eth/a")
    assert.deepStrictEqual(intake.rows.get("eth/a"), { id: "eth/a", rate: "2" })
  })

  it("that throws, or yields nothing to go through, is a poll that does not count", () => {
    for (const rows of [
      () => {
        throw new Error("no")
      },
      () => undefined as never,
      () => [null] as never,
      function* () {
        yield { key: "a", row: { rate: "1" } }
        throw new Error("half way")
      }
    ]) {
      const intake = take({ rows })
      assert.strictEqual(intake.body([]), "upstream_shape")
      assert.isDefined(intake.notes!.thrown)
      assert.strictEqual(intake.rows.size, 0)
    }
  })

  it("keep says which rows to keep, and if it throws nothing counts", () => {
    const intake = take({ keep: ({ rate }) => rate !== "0" })
    assert.strictEqual(
      intake.body([
        { id: "a", rate: "0" },
        { id: "b", rate: "1" }
      ]),
      "b"
    )
    const throwing = take({
      keep: () => {
        throw new Error("no")
      }
    })
    assert.strictEqual(throwing.body(some(1)), "upstream_shape")
  })
})

describe("the checks can fail", () => {
  it.effect("where every answer is believed, an empty one empties", () =>
    onHub(
      onePolled({ row: Pool, allowEmpty: true }, { every: "1 second" }),
      (_, n) => ({ body: n === 1 ? some(3) : [] }),
      Effect.fnUntraced(function* () {
        yield* connect(yield* queryOf(["pools"]))
        yield* until(2_000)
        assert.deepStrictEqual(yield* held("pools"), {})
        assert.strictEqual(yield* state("pools"), "live")
      })
    )
  )
})
