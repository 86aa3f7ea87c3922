import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { Decimal, defineConfig, polled, source } from "../../src/Config.ts"
import { Digits } from "../../src/Upstream/Digits.ts"
import { type Exact, JsonBody } from "../../src/Upstream/Json.ts"
import { seeded } from "../Hub/World.ts"
import { connect, queryOf } from "../Kit.ts"
import { held, onePolled, onHub, state, until } from "../Rig.ts"

/** A JSON document by its tokens, so that the oracle needs no parser: a number is its text. */
type Doc =
  | { readonly number: string }
  | { readonly other: string | boolean | null }
  | { readonly array: ReadonlyArray<Doc> }
  | { readonly object: ReadonlyArray<readonly [name: string, value: Doc]> }

const names = ["rate", "n", "", "__proto__", "a.b*", 'q"\\', "constructor", "\ud800", "10", "toString"]
const decimals = new Set(["rate", "a.b*", "10"])
const space = ["", "", "", " ", "\n\t"]

const make = (seed: number) => {
  const random = seeded(seed)
  const int = (n: number) => Math.floor(random() * n)
  const pick = <A>(items: ReadonlyArray<A>): A => items[int(items.length)]!
  const digits = (n: number) => Array.from({ length: n }, () => int(10)).join("")
  const number = (): string => {
    const whole = pick(["0", `${1 + int(9)}`, `${1 + int(9)}${digits(int(22))}`])
    const fraction = pick(["", "", `.${digits(1 + int(4))}`, `.${digits(1 + int(25))}`, ".10", ".000"])
    const exponent = pick(["", "", "", "", "e5", "E+2", "e-7", "e308", "e400", "e-330"])
    return `${pick(["", "", "-"])}${whole}${fraction}${exponent}`
  }
  const doc = (depth: number): Doc => {
    const kind = int(depth > 3 ? 3 : 6)
    if (kind <= 1) return { number: number() }
    if (kind === 2)
      return { other: pick([null, true, "1.10", 'x":1.10,', "\u2028", "[12345678901234567890]"]) }
    if (kind <= 3) return { array: Array.from({ length: int(4) }, () => doc(depth + 1)) }
    const members = names.filter(() => random() < 0.3).map((name) => [name, doc(depth + 1)] as const)
    return { object: members }
  }
  const s = () => pick(space)
  const text = (value: Doc): string => {
    if ("number" in value) return value.number
    if ("other" in value) return JSON.stringify(value.other)
    if ("array" in value) return `[${s()}${value.array.map((each) => text(each) + s()).join(`,${s()}`)}]`
    const members = value.object.map(
      ([name, each]) => `${JSON.stringify(name)}${s()}:${s()}${text(each)}${s()}`
    )
    return `{${s()}${members.join(`,${s()}`)}}`
  }
  const value: Doc = { array: [doc(0), doc(0)] }
  return { value, text: text(value) }
}

/** Sign, significant digits and exponent of a decimal number: equal where the numbers are. */
const exactly = (text: string): string => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return text
  let mantissa = BigInt(match[2]! + (match[3] ?? ""))
  let exponent = Number(match[4] ?? 0) - (match[3] ?? "").length
  if (mantissa === 0n) return "0"
  while (mantissa % 10n === 0n) {
    mantissa /= 10n
    exponent++
  }
  return `${match[1]}${mantissa}e${exponent}`
}
const isLost = (token: string) => exactly(token) !== exactly(String(Number(token)))

/** What a document means where some fields are declared decimal, and which other fields lose digits. */
const meaning = (value: Doc, lost: Set<string>, name = ""): unknown => {
  if ("number" in value) {
    if (decimals.has(name)) return { decimal: value.number }
    if (isLost(value.number)) lost.add(name)
    return Number(value.number)
  }
  if ("other" in value) return value.other
  if ("array" in value) return value.array.map((each) => meaning(each, lost, name))
  return Object.fromEntries(value.object.map(([inner, each]) => [inner, meaning(each, lost, inner)]))
}
/** Decimals agree where the text is that of the token, or of the double if that has all its digits already. */
const agrees = (actual: unknown, expected: unknown): boolean => {
  if (typeof expected !== "object" || expected === null)
    return Object.is(actual, expected) || actual === expected
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((each, i) => agrees(actual[i], each))
    )
  }
  if (Object.keys(expected).join() === "decimal") return actual === (expected as { decimal: string }).decimal
  const all = Object.entries(expected)
  return (
    typeof actual === "object" &&
    actual !== null &&
    Object.keys(actual).length === all.length &&
    all.every(
      ([name, each]) => Object.hasOwn(actual, name) && agrees((actual as Record<string, unknown>)[name], each)
    )
  )
}
const numbersIn = (value: Doc): ReadonlyArray<string> =>
  "number" in value
    ? [value.number]
    : "array" in value
      ? value.array.flatMap(numbersIn)
      : "object" in value
        ? value.object.flatMap(([, each]) => numbersIn(each))
        : []

const seeds = Number(process.env["SEEDS"] ?? 4_000)
const someSeeds = (check: (seed: number) => void) => {
  for (let seed = 1; seed <= seeds; seed++) check(seed)
}

/** As a row function sees a body: what is declared goes by name, at any depth. */
const byName = (...decimals: ReadonlyArray<string>) =>
  new Digits(Schema.Struct(Object.fromEntries(decimals.map((name) => [name, Decimal]))).ast, true)

describe("exact JSON, for random documents", () => {
  it("keeps the digits of decimals, gives every other value as JSON.parse does, and names what loses digits", () => {
    const digits = byName(...decimals)
    someSeeds((seed) => {
      const { text, value } = make(seed)
      const [lost, named] = [new Set<string>(), new Set<string>()]
      const expected = meaning(value, lost)
      const resolved = digits.resolve(new JsonBody(text).exact, named)
      assert.isTrue(agrees(resolved, expected), `seed ${seed}: ${text} → ${JSON.stringify(resolved)}`)
      assert.deepStrictEqual([...named].toSorted(), [...lost].toSorted(), `seed ${seed}: ${text}`)
    })
  })

  it("is read wherever a number is written otherwise than its double would be", () => {
    let plain = 0
    someSeeds((seed) => {
      const { text, value } = make(seed)
      const { isPlain } = new JsonBody(text)
      if (isPlain) plain++
      const otherwise = numbersIn(value).filter((token) => String(Number(token)) !== token)
      if (isPlain) assert.deepStrictEqual(otherwise, [], `seed ${seed}: ${text}`)
    })
    assert.isAbove(plain, seeds / 20)
  })

  it("a number that a double cannot hold is found", () => {
    someSeeds((seed) => {
      const { text, value } = make(seed)
      if (numbersIn(value).some(isLost))
        assert.isTrue(new JsonBody(text).losesDigits, `seed ${seed}: ${text}`)
    })
  })

  for (const text of ["1.10", " 12345678901234567890", "-0", "1e5", "0.0000001", "[0.0000001]", '{"a":-0}']) {
    it(`${text} is not plain`, () => assert.isFalse(new JsonBody(text).isPlain))
  }

  it("neither look takes long over hostile text", () => {
    const many = 300_000
    for (const text of [
      `[${"1".repeat(many)}]`,
      `[1${"0".repeat(many)}1]`,
      `[1.${"0".repeat(many)}1]`,
      `[${" ".repeat(many)}1]`,
      `["${":".repeat(many)}"]`,
      `["${": ".repeat(many)}"]`,
      `["${":1.".repeat(many)}"]`,
      `["${":1.0".repeat(many)}1"]`
    ]) {
      const before = performance.now()
      const body = new JsonBody(text)
      assert.isDefined([body.isPlain, body.losesDigits])
      assert.isBelow(performance.now() - before, 1_000, text.slice(0, 20))
    }
  })

  it("a number that is kept does not keep its body", () => {
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    const used = () => {
      collect()
      return process.memoryUsage().heapUsed / 1e6
    }
    const before = used()
    const kept = Array.from({ length: 20 }, (_, i) => {
      const body = new JsonBody(`[12345678901234567890.${i},"${"x".repeat(5e6)}"]`)
      return (body.exact as ReadonlyArray<Exact>)[0]!.text
    })
    assert.isBelow(used() - before, 50)
    assert.strictEqual(kept[7], "12345678901234567890.7")
  })

  it("what is not JSON is refused", () => {
    for (const text of ["", "{", "[1,]", "01", "[1.]", "NaN", "\uFEFF[]", '{"a":1}}', "[+1]"]) {
      assert.throws(() => new JsonBody(text), SyntaxError, undefined, text)
    }
  })
})

describe("a decimal that comes as a JSON number keeps its digits", () => {
  for (const [where, name, text] of [
    ["in a field", "rate", '{"rate":1.10}'],
    ["after white space", "rate", '{"rate" \n : \t 1.10}'],
    ["negative", "rate", '{"rate":-1.10}'],
    ["in an array", "rate", '{"rate":[1.10]}'],
    ["in arrays of arrays", "rate", '{"rate":[ [1.10]]}'],
    ["in an array after text", "rate", '{"rate":["1.10",1.10]}'],
    ["in an array after null", "rate", '{"rate":[null,1.10]}'],
    ["in an array after an empty one", "rate", '{"rate":[[],[1.10]]}'],
    ["in a second row only", "rate", '[{"rate":"1"},{"rate":1.10}]'],
    ["in a field whose name is escaped, as PHP does", "usd/ton", '{"usd\\/ton":1.10}'],
    ["in a field whose name is escaped, as Python does", "größe", '{"gr\\u00f6\\u00dfe":1.10}'],
    ["in a field whose name means something to a RegExp", "a.b*(", '{"a.b*(":1.10}'],
    ["in a field whose name needs escapes", 'q"\\', '{"q\\"\\\\":1.10}']
  ] as const) {
    it(where, () => {
      const body = new JsonBody(text)
      assert.isFalse(body.isPlain)
      assert.match(JSON.stringify(byName(name).resolve(body.exact, new Set())), /"-?1\.10"/)
    })
  }
})

describe("through the hub", () => {
  const reader = Effect.gen(function* () {
    return yield* connect(yield* queryOf(["pools"]))
  })
  const long = "12345678901234567890.12345678901234567890"

  for (const token of ["1.10", "-0.0", "1e5", "2.50E-7", long, `${"9".repeat(400)}.0`]) {
    it.effect(`${token.slice(0, 45)} stays as it is, as number and as text`, () =>
      onHub(
        onePolled({ row: Schema.Struct({ id: Schema.String, rate: Decimal }) }),
        () => ({ body: `[{"id":"a","rate":${token}},{"id":"b","rate":"${token}"}]` }),
        Effect.fnUntraced(function* () {
          const client = yield* reader
          const rates = [...client.rows.get("pools")!.values()].map((row) => row.get("rate"))
          assert.deepStrictEqual(rates, [token, token])
        })
      )
    )
  }

  for (const [what, fields, text, expected] of [
    ["arrays of decimals", { rate: Schema.Array(Decimal) }, '"rate":[1.10,2.20]', { rate: ["1.10", "2.20"] }],
    [
      "arrays in which only some come as numbers",
      { rate: Schema.Array(Decimal) },
      '"rate":["1",2.20]',
      { rate: ["1", "2.20"] }
    ],
    [
      "a decimal beside a text",
      { rate: Schema.Tuple([Schema.String, Decimal]) },
      '"rate":["TON",1.10]',
      { rate: ["TON", "1.10"] }
    ],
    [
      "a decimal beside a number",
      { rate: Schema.Tuple([Decimal, Schema.Finite]) },
      '"rate":[1.10,7]',
      { rate: ["1.10", 7] }
    ],
    [
      "a decimal whose name is a number's elsewhere in the row",
      { rate: Decimal, meta: Schema.Struct({ rate: Schema.Finite }) },
      '"rate":1.10,"meta":{"rate":7}',
      { rate: "1.10", meta: { rate: 7 } }
    ],
    [
      "a decimal that may be absent or null",
      { rate: Schema.optionalKey(Schema.NullOr(Decimal)) },
      '"rate":1.10',
      { rate: "1.10" }
    ],
    [
      "a decimal in an object",
      { fees: Schema.Struct({ rate: Decimal }) },
      '"fees":{"rate":1.10}',
      { fees: { rate: "1.10" } }
    ],
    [
      "decimals by name",
      { fees: Schema.Record(Schema.String, Decimal) },
      '"fees":{"swap":1.10}',
      { fees: { swap: "1.10" } }
    ]
  ] as const) {
    it.effect(what, () =>
      onHub(
        onePolled<{ readonly id: string }>({ row: Schema.Struct({ id: Schema.String, ...fields }) as never }),
        () => ({ body: `[{"id":"a",${text}}]` }),
        Effect.fnUntraced(function* () {
          assert.strictEqual(yield* state("pools"), "live")
          assert.deepStrictEqual((yield* held("pools"))["a"], { id: "a", ...expected } as never)
        })
      )
    )
  }

  it.effect("a number of one collection is no text because another declares the same name decimal", () => {
    const shared = source({ url: "http://up/pools" })
    return onHub(
      defineConfig({
        collections: {
          pools: polled({
            source: shared,
            key: "id",
            row: Schema.Struct({ id: Schema.String, rate: Decimal })
          }),
          plain: polled({
            source: shared,
            key: "id",
            row: Schema.Struct({ id: Schema.String, rate: Schema.Finite })
          })
        }
      }),
      () => ({ body: '[{"id":"a","rate":1.10}]' }),
      Effect.fnUntraced(function* () {
        assert.deepStrictEqual((yield* held("pools"))["a"], { id: "a", rate: "1.10" })
        assert.deepStrictEqual((yield* held("plain"))["a"], { id: "a", rate: 1.1 })
      })
    )
  })
})

const Plain = Schema.Struct({ id: Schema.String, volume: Schema.Finite })
const body = (volume: string, n: number) => `[{"id":"a","volume":${volume}},{"id":"b","volume":${n}}]`

const story = (volumes: (n: number) => string) =>
  onHub(
    onePolled({ row: Plain }, { every: "1 second" }),
    (_, n) => ({ body: body(volumes(n), n) }),
    Effect.fnUntraced(function* (rig) {
      yield* connect(yield* queryOf(["pools"]))
      yield* until(20_000)
      assert.strictEqual(rig.logged("lose digits").length, 1)
      assert.include(rig.logged("lose digits")[0], "volume")
      assert.isAtLeast(rig.count("inexact_numbers_total"), 1)
    })
  )

describe("a number that a double cannot hold", () => {
  it.effect("is counted and logged once, naming the field", () => story(() => "12345678901234567890"))
  it.effect("also where it comes later", () => story((n) => (n > 5 ? "12345678901234567890" : "1")))
  it.effect("nobody is warned of numbers that a double holds", () =>
    onHub(
      onePolled({ row: Plain }),
      () => ({ body: body("9007199254740992.0", 1) }),
      Effect.fnUntraced(function* (rig) {
        assert.strictEqual(yield* state("pools"), "live")
        assert.deepStrictEqual(rig.logged(), [])
      })
    )
  )
})

describe("the checks can fail", () => {
  it("JSON.parse loses what the oracle keeps", () => {
    let noticed = 0
    someSeeds((seed) => {
      const { text, value } = make(seed)
      if (!agrees(JSON.parse(text), meaning(value, new Set()))) noticed++
    })
    assert.isAbove(noticed, seeds / 10)
  })
})
