import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { Decimal } from "../src/Config.ts"
import { fromScaled, toScaled } from "../src/Decimal.ts"
import { seeded } from "./Hub/World.ts"

/** An exact number: digits over a power of ten, by another road than the one that is tested. */
interface Fraction {
  readonly over: bigint
  readonly under: bigint
}
const fraction = (text: string): Fraction => {
  const [mantissa, exponent = "0"] = text.toLowerCase().split("e") as [string, string?]
  const [whole, decimals = ""] = mantissa.split(".") as [string, string?]
  const negative = whole.startsWith("-")
  const digits = BigInt(whole.replace("-", "") + decimals)
  const power = Number(exponent) - decimals.length
  const over = power >= 0 ? digits * 10n ** BigInt(power) : digits
  return { over: negative ? -over : over, under: power >= 0 ? 1n : 10n ** BigInt(-power) }
}
/** Cut off towards zero, as BigInt division does. */
const scaled = ({ over, under }: Fraction, scale: number): bigint => (over * 10n ** BigInt(scale)) / under
const equal = (a: Fraction, b: Fraction): boolean => a.over * b.under === b.over * a.under

const random = seeded(7)
const int = (n: number) => Math.floor(random() * n)
const digits = (n: number) => Array.from({ length: n }, () => int(10)).join("")
const decimal = (): string => {
  const whole = ["0", "00", digits(1 + int(3)), digits(1 + int(40))][int(4)]!
  const part = ["", "", `.${digits(1 + int(3))}`, `.${digits(1 + int(40))}`, ".10", ".0"][int(6)]!
  const exponent = ["", "", "", `e${int(40)}`, `E-${int(40)}`, `e+${int(9)}`][int(6)]!
  return `${random() < 0.3 ? "-" : ""}${whole}${part}${exponent}`
}
const many = 5_000

describe("decimals as scaled integers", () => {
  it("are the number exactly, cut off towards zero at the scale", () => {
    for (let n = 0; n < many; n++) {
      const text = decimal()
      const scale = int(50)
      assert.strictEqual(toScaled(text, scale), scaled(fraction(text), scale), `${text} at ${scale}`)
    }
  })

  it("come back as the same number, in its shortest form", () => {
    for (let n = 0; n < many; n++) {
      const scale = int(30)
      const text = `${random() < 0.3 ? "-" : ""}${digits(1 + int(30))}${scale > 0 ? `.${digits(1 + int(scale))}` : ""}`
      const back = fromScaled(toScaled(text, scale), scale)
      assert.isTrue(equal(fraction(back), fraction(text)), `${text} → ${back}`)
      assert.match(back, /^(-?(0|[1-9]\d*)(\.\d*[1-9])?)$/)
      assert.notMatch(back, /^-0$/)
    }
  })

  it.prop(
    "every scaled integer comes back, at every scale",
    [Schema.BigInt, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))],
    ([value, scale]) => {
      assert.strictEqual(toScaled(fromScaled(value, scale), scale), value)
      assert.isTrue(equal(fraction(fromScaled(value, scale)), { over: value, under: 10n ** BigInt(scale) }))
    },
    { arbitrary: { runs: 1_000 } }
  )

  it.prop(
    "are written with at most so many digits, cut off towards zero",
    [
      Schema.BigInt,
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
    ],
    ([value, scale, keep]) => {
      const text = fromScaled(value, scale, keep)
      const kept = Math.min(keep, scale)
      assert.strictEqual(
        scaled(fraction(text), kept),
        scaled({ over: value, under: 10n ** BigInt(scale) }, kept)
      )
      assert.isAtMost(text.split(".")[1]?.length ?? 0, keep)
    },
    { arbitrary: { runs: 1_000 } }
  )

  it("add and multiply as fractions do", () => {
    for (let n = 0; n < 500; n++) {
      const [a, b] = [`${digits(20)}.${digits(18)}`, `-${digits(15)}.${digits(18)}`] as const
      const [x, y] = [fraction(a), fraction(b)]
      const sum = fromScaled(toScaled(a, 18) + toScaled(b, 18), 18)
      const product = fromScaled(toScaled(a, 18) * toScaled(b, 18), 36)
      assert.isTrue(
        equal(fraction(sum), { over: x.over * y.under + y.over * x.under, under: x.under * y.under })
      )
      assert.isTrue(equal(fraction(product), { over: x.over * y.over, under: x.under * y.under }))
    }
    assert.strictEqual(fromScaled(toScaled("0.1", 1) + toScaled("0.2", 1), 1), "0.3")
  })

  for (const [value, scale, keep, text] of [
    [0n, 0, undefined, "0"],
    [0n, 5, undefined, "0"],
    [-1n, 3, 1, "0"],
    [-1n, 3, 3, "-0.001"],
    [199n, 2, 1, "1.9"],
    [-199n, 2, 1, "-1.9"],
    [199n, 2, 0, "1"],
    [1000n, 2, undefined, "10"],
    [5n, 1, 99, "0.5"]
  ] as const) {
    it(`${value} at ${scale}${keep === undefined ? "" : `, to ${keep}`}, is ${text}`, () => {
      assert.strictEqual(keep === undefined ? fromScaled(value, scale) : fromScaled(value, scale, keep), text)
    })
  }

  it("what is no decimal number is a RangeError that quotes little of it", () => {
    for (const text of [
      "",
      " 1",
      "1 ",
      "1.",
      ".5",
      "+1",
      "0x1",
      "1e",
      "e1",
      "NaN",
      "Infinity",
      "1_000",
      "1,5",
      "--1",
      "1.2.3",
      "１"
    ]) {
      assert.throws(() => toScaled(text, 2), RangeError)
    }
    try {
      toScaled("x".repeat(10_000), 2)
      assert.fail("no error")
    } catch (error) {
      assert.isBelow(String(error).length, 200)
    }
  })
})

describe("a field declared Decimal", () => {
  const decode = Schema.decodeUnknownResult(Decimal)

  it("holds nothing that toScaled does not read", () => {
    const texts = [
      ...Array.from({ length: 1_000 }, decimal),
      "1e999",
      "1e-999",
      "1e1000",
      "1e99999999",
      "-1E-1000"
    ]
    for (const text of texts) if (decode(text)._tag === "Success") assert.isDefined(toScaled(text, 2))
  })

  it("keeps text as it is, and is no place for what is no number", () => {
    for (const text of ["1.10", "-0.0", "1E5", "00.1"]) {
      const result = decode(text)
      assert.strictEqual(result._tag === "Success" ? result.success : undefined, text)
    }
    for (const value of ["", "1.", ".5", "+1", "NaN", "abc", "1.10 ", NaN, Infinity, null, true, [], {}]) {
      assert.strictEqual(decode(value)._tag, "Failure", String(value))
    }
  })

  it.prop(
    "takes every finite number, exactly",
    [Schema.Finite],
    ([value]) => {
      const result = decode(value)
      assert.strictEqual(
        result._tag === "Success" ? Number(result.success) : undefined,
        value === 0 ? 0 : value
      )
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("the checks can fail", () => {
  it("arithmetic on doubles is noticed", () => {
    let noticed = 0
    for (let n = 0; n < 1_000; n++) {
      const text = decimal()
      if (BigInt(Math.trunc(Number(text) * 10 ** 6) || 0) !== scaled(fraction(text), 6)) noticed++
    }
    assert.isAbove(noticed, 100)
  })
})
