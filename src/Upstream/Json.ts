/**
 * JSON with exact numbers: a double drops digits that an upstream sent (`1.10`, `12345678901234567890`), and what is
 * dropped here is lost for good. Fields declared decimal keep the text of their numbers; other numbers that a double
 * cannot hold are found and named.
 */

/** A number whose text says more than the double does. */
class Exact {
  readonly value: number
  readonly text: string
  constructor(value: number, text: string) {
    this.value = value
    this.text = text
  }
}

export interface Parsed {
  readonly value: unknown
  /** Names of fields, not declared decimal, that had a number no double can hold. */
  readonly inexact: ReadonlySet<string>
}

// ECMAScript's JSON.parse source text access; TypeScript's library does not know the third argument yet.
const parse = JSON.parse as unknown as (
  text: string,
  reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown
) => unknown

/** Throws a `SyntaxError` on text that is not JSON. Slow: the text of every number is looked at. */
export const parseExact = (text: string, decimals: ReadonlySet<string>): Parsed => {
  const inexact = new Set<string>()
  const named = (key: string, inner: unknown): unknown => {
    if (Array.isArray(inner)) return inner.map((element) => named(key, element))
    if (decimals.has(key)) {
      return inner instanceof Exact ? inner.text : typeof inner === "number" ? String(inner) : inner
    }
    if (!(inner instanceof Exact)) return inner
    if (!sameNumber(inner.text, String(inner.value))) inexact.add(key)
    return inner.value
  }
  const value = parse(text, function (key, inner, { source }) {
    if (typeof inner === "number") {
      const kept = String(inner) === source ? inner : new Exact(inner, source!)
      // An element of an array waits for the name of the field that holds the array.
      return Array.isArray(this) ? kept : named(key, kept)
    }
    return Array.isArray(inner) && !Array.isArray(this) ? named(key, inner) : inner
  })
  return { value: named("", value), inexact }
}

/** Whether a field declared decimal comes as a JSON number somewhere, so that only `parseExact` keeps its digits. */
export const needsExact = (decimals: ReadonlySet<string>): ((text: string) => boolean) => {
  if (decimals.size === 0) return () => false
  const names = [...decimals].map((name) => JSON.stringify(name).replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  const asNumber = new RegExp(`(?:${names.join("|")})\\s*:[\\s[]*-?\\d`)
  return (text) => asNumber.test(text)
}

/** Number tokens long enough that a double may not hold them, and exponents that may leave its range. */
const suspicious = /[:[,]\s*(-?(?:\d[\d.]{15,}|\d+(?:\.\d+)?[eE][+-]?\d{3}))/g
const tokensLooked = 10_000

/** Whether a text has numbers that a double cannot hold; looks at the first ten thousand long ones. */
export const losesDigits = (text: string): boolean => {
  let looked = 0
  for (const [, token] of text.matchAll(suspicious)) {
    if (!sameNumber(token!, String(Number(token)))) return true
    if (++looked >= tokensLooked) return false
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
  const significant = digits.replace(/0+$/, "")
  if (significant === "") return "0"
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
