/**
 * JSON with exact numbers: a double drops digits that an upstream sent (`1.10`, `12345678901234567890`), and what is
 * dropped here is lost for good. So a body keeps its text until its rows are read, and can be read once more, exactly.
 */

/** A number whose text says more than the double does, or says it otherwise. */
export class Exact {
  readonly value: number
  readonly text: string

  constructor(value: number, text: string) {
    this.value = value
    // A part of a string keeps the whole of it: one decimal in one row would hold a body of many megabytes.
    this.text = ` ${text}`.slice(1)
  }

  get losesDigits(): boolean {
    return !sameNumber(this.text, String(this.value))
  }
}

/** Throws a `SyntaxError` on text that is not JSON. */
export class JsonBody {
  readonly text: string
  readonly value: unknown
  private exactly: unknown
  private loses: boolean | undefined
  private plain: boolean | undefined

  constructor(text: string) {
    this.text = text
    this.value = JSON.parse(text)
  }

  /**
   * The same value with an `Exact` for every number that would be written otherwise; it may lack what is nested deeper
   * than `maxDepth`. Many times slower than `value`.
   */
  get exact(): unknown {
    return (this.exactly ??= parseExact(this.text))
  }

  /** Whether every number is written as its double would be, so that `value` says all there is; may err towards no. */
  get isPlain(): boolean {
    return (this.plain ??= isPlain(this.text))
  }

  /** Whether it has numbers that a double cannot hold; may err towards yes, and looks at the first long ones only. */
  get losesDigits(): boolean {
    return (this.loses ??= losesDigits(this.text))
  }
}

/** Deeper than a row may be, wherever in its body it stands. */
export const maxDepth = 100

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
// ECMAScript's JSON.parse source text access; TypeScript's library does not know the third argument yet.
const parse = JSON.parse as unknown as (text: string, reviver: Reviver) => unknown

const withText: Reviver = (_, value, { source }) =>
  typeof value === "number" && String(value) !== source ? new Exact(value, source!) : value

const parseExact = (text: string): unknown => {
  try {
    return parse(text, withText)
  } catch {
    // It is JSON, so that only the stack can be too short: one such row, which is bad, would cost all others.
    return parse(shallow(text), withText)
  }
}

/** Without what is nested deeper than `maxDepth`; that something was, is still to be seen. */
const shallow = (text: string): string => {
  let [kept, from, depth] = ["", 0, 0]
  for (const { 0: token, index } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}]/g)) {
    if (token === "[" || token === "{") {
      if (depth++ === maxDepth) kept += text.slice(from, index + 1)
    } else if (token === "]" || token === "}") {
      if (--depth === maxDepth) from = index
    }
  }
  return kept + text.slice(from)
}

// Both begin at what stands before a number, so that text of nothing but digits is not read anew from each of them.

/** Exponents, zeros at the end, more than 15 digits, `-0`, and what a double writes with an exponent. */
const unusual =
  /(?:^|[:[,])\s*(?=-?(?:\d[\d.]{15}|\d+(?:\.\d+)?[eE]|\d+\.\d*0(?=[\s,\]}]|$)|0\.000000)|-0(?=[\s,\]}]|$))(-?[\d.]+(?:[eE][+-]?\d+)?)/g

const isPlain = (text: string): boolean => {
  for (const [, token] of text.matchAll(unusual)) if (String(Number(token)) !== token) return false
  return true
}

/** Numbers long enough that a double may not hold them, and exponents that may leave its range. */
const suspicious = /(?:^|[:[,])\s*(-?(?:\d[\d.]{15,}(?:[eE][+-]?\d+)?|\d[\d.]*[eE][+-]?\d{3,}))/g
const numbersLooked = 10_000

const losesDigits = (text: string): boolean => {
  let looked = 0
  for (const [, token] of text.matchAll(suspicious)) {
    const written = String(Number(token))
    if (written !== token && !sameNumber(token!, written)) return true
    if (++looked >= numbersLooked) return false
  }
  return false
}

/** Whether two texts of a number mean the same, however they are written: `1.10`, `1.1` and `11e-1`. */
const sameNumber = (a: string, b: string): boolean => normal(a) === normal(b)

const normal = (text: string): string => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return text
  const [, sign, whole, fraction = "", exponent = "0"] = match
  const digits = (whole! + fraction).replace(/^0+/, "")
  if (digits === "") return "0"
  // Not by /0+$/, which reads a million zeros before a last 1 a million times.
  let end = digits.length
  while (digits[end - 1] === "0") end--
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`
}
