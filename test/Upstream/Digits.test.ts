import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { type Catalog, makeCatalog } from "../../src/Catalog.ts"
import { Decimal, defineConfig, polled, type PolledOptions, source } from "../../src/Config.ts"
import { Digits } from "../../src/Upstream/Digits.ts"
import { RawRows } from "../../src/Upstream/RawRows.ts"
import { JsonBody } from "../../src/Upstream/Json.ts"
import { seeded } from "../Hub/World.ts"
import { connect, queryOf } from "../Kit.ts"
import { held, onePolled, onHub, until } from "../Rig.ts"

/** A type, a value of it as JSON text, and what that means. */
interface Sample {
  readonly type: Schema.Codec<unknown, unknown>
  readonly text: string
  readonly means: unknown
}

const names = ["rate", "n", "x", "toString"]

/** What is drawn by a seed, and the fields that lose digits in it. */
const draw = (seed: number) => {
  const random = seeded(seed)
  const int = (n: number) => Math.floor(random() * n)
  const pick = <A>(items: ReadonlyArray<A>): A => items[int(items.length)]!
  const lost = new Set<string>()
  const token = () => pick(["1.10", "7", "-0.5", "1e5", "12345678901234567890", "0.10", "3", "0.0000001"])
  const sample = (depth: number, name: string): Sample => {
    switch (int(depth > 3 ? 4 : 9)) {
      case 0:
      case 1: {
        const text = token()
        return { type: Decimal, text: random() < 0.5 ? text : JSON.stringify(text), means: text }
      }
      case 2: {
        const text = token()
        if (text.length > 15) lost.add(name)
        return {
          type: pick<Schema.Codec<unknown, unknown>>([Schema.Finite, Schema.Unknown]),
          text,
          means: Number(text)
        }
      }
      case 3:
        return { type: Schema.NullOr(Schema.String), text: '"1.10"', means: "1.10" }
      case 4: {
        const inner = sample(depth + 1, name)
        return { ...inner, type: Schema.NullOr(inner.type) }
      }
      case 5: {
        const inner = Array.from({ length: 1 + int(3) }, () => sample(depth + 1, name))
        return {
          type: Schema.Tuple(inner.map(({ type }) => type)),
          text: `[${inner.map(({ text }) => text).join(", ")}]`,
          means: inner.map(({ means }) => means)
        }
      }
      case 6: {
        const inner = sample(depth + 1, name)
        return {
          type: Schema.Array(inner.type),
          text: `[${inner.text},${inner.text}]`,
          means: [inner.means, inner.means]
        }
      }
      case 7: {
        const key = pick(["a", "10", "constructor"])
        const inner = sample(depth + 1, key)
        return {
          type: Schema.Record(Schema.String, inner.type),
          text: `{"${key}":${inner.text}}`,
          means: { [key]: inner.means }
        }
      }
      default: {
        const fields = names
          .filter((field) => field === "n" || random() < 0.5)
          .map((field) => [field, sample(depth + 1, field)] as const)
        const entries = fields.map(([field, { text }]) => `"${field}":${text}`)
        // What is not declared is dropped, whatever it loses.
        return {
          type: Schema.Struct(Object.fromEntries(fields.map(([field, { type }]) => [field, type]))),
          text: `{${[...entries, '"__proto__":{"rate":12345678901234567890}'].join()}}`,
          means: Object.fromEntries(fields.map(([field, { means }]) => [field, means]))
        }
      }
    }
  }
  return { ...sample(0, ""), lost }
}

const seeds = Number(process.env["SEEDS"] ?? 3_000)

describe("decimals by the schema of a row", () => {
  it("keep their digits wherever they are declared, and every other number is a double", () => {
    let exact = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const { lost, means, text, type } = draw(seed)
      const body = new JsonBody(text)
      const digits = new Digits(type.ast, false)
      const inexact = new Set<string>()
      const resolved = digits.resolve(body.exact, inexact)
      assert.deepStrictEqual(Schema.decodeUnknownSync(type)(resolved), means, `seed ${seed}: ${text}`)
      assert.deepStrictEqual([...inexact].toSorted(), [...lost].toSorted(), `seed ${seed}: ${text}`)
      // Where the plain value differs in nothing, or says all there is, the exact one need not be read.
      const plain = digits.resolve(body.value)
      if (plain === body.value || body.isPlain)
        assert.deepStrictEqual(Schema.decodeUnknownSync(type)(plain), means, `seed ${seed}: ${text}`)
      else exact++
    }
    assert.isAbove(exact, seeds / 10)
  })

  it("in a schema that refers to itself, and in one that is made anew at every step", () => {
    interface Tree {
      readonly rate: string
      readonly inner?: Tree
    }
    const Tree: Schema.Codec<Tree, unknown> = Schema.Struct({
      rate: Decimal,
      inner: Schema.optionalKey(Schema.suspend((): Schema.Codec<Tree, unknown> => Tree))
    })
    const anew = (): Schema.Codec<Tree, unknown> =>
      Schema.Struct({ rate: Decimal, inner: Schema.optionalKey(Schema.suspend(anew)) })
    const body = new JsonBody('{"rate":1.10,"inner":{"rate":2.20,"inner":{"rate":3.30}}}')
    const expected = { rate: "1.10", inner: { rate: "2.20", inner: { rate: "3.30" } } }
    for (const type of [Tree, anew()]) {
      for (const byName of [true, false])
        assert.deepStrictEqual(new Digits(type.ast, byName).resolve(body.exact, new Set()), expected)
    }
  })

  it("in whichever of several shapes a row has, and by the names it has in the body", () => {
    const row = Schema.Struct({
      side: Schema.Union([
        Schema.Struct({ buy: Decimal }),
        Schema.Struct({ sell: Decimal, n: Schema.Finite })
      ]),
      fee: Schema.Struct({ rate: Decimal }).pipe(Schema.encodeKeys({ rate: "RATE" }))
    })
    const body = new JsonBody('{"side":{"n":1.0,"sell":1.10},"fee":{"RATE":2.20}}')
    assert.deepStrictEqual(new Digits(row.ast, false).resolve(body.exact, new Set()), {
      side: { n: 1, sell: "1.10" },
      fee: { RATE: "2.20" }
    })
  })

  it("a value in which nothing differs is not copied", () => {
    const digits = new Digits(Schema.Struct({ rate: Decimal, all: Schema.Unknown }).ast, false)
    const value = { rate: "1.10", all: { rate: 1.1, list: [1, 2] }, more: { rate: 1 } }
    assert.strictEqual(digits.resolve(value), value)
    const changed = { ...value, rate: 1.1 }
    assert.deepStrictEqual(digits.resolve(changed), { ...value, rate: "1.1" })
    assert.strictEqual(changed.rate, 1.1)
  })
})

class Watched extends JsonBody {
  reads = 0
  override get exact(): unknown {
    this.reads++
    return super.exact
  }
}

/** Whether each of some bodies is read a second time, and the fields that are named. */
const reading = <A>(options: Partial<PolledOptions<A>>, texts: ReadonlyArray<string>) => {
  const catalog = makeCatalog(onePolled(options as PolledOptions<A>)) as Catalog["Service"]
  const raw = new RawRows(catalog.declared.get("pools")!)
  return texts.map((text) => {
    const body = new Watched(text)
    const found = raw.find(body)!
    return [body.reads, [...found.rows].map(({ row }) => row), ...found.inexact] as const
  })
}

const of = (members: string) => `[{"id":"a",${members}}]`

describe("a body is read exactly only where that makes a difference", () => {
  const row = Schema.Struct({
    id: Schema.String,
    rate: Decimal,
    n: Schema.optionalKey(Schema.Finite)
  }) as never
  const readOnce = (members: string) => reading({ row }, [of(members)])[0]![0]

  it("not for decimals that come as text", () => assert.strictEqual(readOnce('"rate":"1.10","n":1.10'), 0))
  it("not for numbers that are written as doubles are", () => assert.strictEqual(readOnce('"rate":1.1'), 0))
  it("for decimals that come as numbers", () => assert.strictEqual(readOnce('"rate":1.10'), 1))

  it("to name what loses digits once, and again a hundred such bodies later", () => {
    const texts = Array.from({ length: 300 }, (_, i) => of(`"rate":"1","n":1234567890123456789${i % 9}1`))
    const all = reading({ row }, texts)
    assert.strictEqual(
      all.reduce((sum, [reads]) => sum + reads, 0),
      3
    )
    for (const [, , ...inexact] of all) assert.deepStrictEqual(inexact, ["n"])
  })

  it("a key that is declared decimal has all its digits", () => {
    const row = Schema.Struct({ id: Decimal }) as never
    const [[, rows]] = reading({ row }, ['[{"id":12345678901234567890},{"id":12345678901234567891}]']) as [
      readonly [number, unknown]
    ]
    assert.deepStrictEqual(rows, [{ id: "12345678901234567890" }, { id: "12345678901234567891" }])
  })

  it("what a row does not declare is not named", () =>
    assert.deepStrictEqual(reading({ row }, [of('"rate":"1","m":12345678901234567890')])[0]!.slice(2), []))
})

const coinsOf = (body: { readonly [id: string]: { readonly usd: unknown; readonly n: unknown } }) =>
  Object.entries(body).map(([key, { n, usd }]) => {
    assert.deepStrictEqual([typeof usd, typeof n], ["string", "number"])
    return { key, row: { id: key, usd, n } }
  })

describe("a function that makes the rows", () => {
  const Coin = Schema.Struct({ id: Schema.String, usd: Decimal, n: Schema.Finite })
  it("sees text for what is declared decimal, however it is written, and doubles elsewhere", () => {
    for (const [text, usd] of [
      ['{"a":{"usd":1.10,"n":1.0}}', "1.10"],
      ['{"a":{"usd":1.5,"n":1}}', "1.5"],
      ['{"a":{"usd":"1.10","n":1.10}}', "1.10"]
    ] as const) {
      const [[, found]] = reading({ row: Coin as never, rows: coinsOf }, [text]) as [
        readonly [number, unknown]
      ]
      assert.deepStrictEqual((found as ReadonlyArray<{ usd: string }>)[0]!.usd, usd)
    }
  })

  it.effect("is counted by the collection whose digits get lost, beside another of the same body", () => {
    const shared = source({ url: "http://up/all", every: "1 second" })
    const Plain = Schema.Struct({ id: Schema.String, usd: Schema.Finite })
    return onHub(
      defineConfig({
        collections: {
          coins: polled({ source: shared, key: "id", row: Coin, rows: coinsOf }),
          plain: polled({
            source: shared,
            key: "id",
            row: Plain,
            rows: (body: object) =>
              Object.entries(body).map(([key, row]) => ({ key, row: { id: key, ...row } }))
          })
        }
      }),
      (_, n) => ({ body: `{"a":{"usd":12345678901234567890.${n},"n":7}}` }),
      Effect.fnUntraced(function* (rig) {
        yield* connect(yield* queryOf(["coins", "plain"]))
        yield* until(5_500)
        assert.strictEqual((yield* held("coins"))["a"]!["usd"], `12345678901234567890.${rig.times.length}`)
        assert.strictEqual(rig.count("inexact_numbers_total", { collection: "plain" }), rig.times.length)
        assert.strictEqual(rig.count("inexact_numbers_total", { collection: "coins" }), 0)
        assert.strictEqual(rig.logged("lose digits").length, 1)
      })
    )
  })
})

describe("the checks can fail", () => {
  it("a row read without its schema is noticed", () => {
    assert.throws(() => {
      for (let seed = 1; seed <= seeds; seed++) {
        const { means, text, type } = draw(seed)
        const resolved = new Digits(Schema.Unknown.ast, false).resolve(new JsonBody(text).exact, new Set())
        assert.deepStrictEqual(Schema.decodeUnknownSync(type)(resolved), means)
      }
    })
  })
})
