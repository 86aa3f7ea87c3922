/** A row in a JSON text that somebody writes, with the digits of the text where the row declares a decimal. */
import type { RowSchema } from "../Config.ts"
import { Digits } from "./Digits.ts"
import { JsonBody } from "./Json.ts"

/** By the schema's own object: each is of one collection. */
const known = new WeakMap<RowSchema, Digits>()

const digitsOf = (row: RowSchema): Digits => {
  let digits = known.get(row)
  if (digits === undefined) known.set(row, (digits = new Digits(row.ast, false)))
  return digits
}

/** `member`: the one that is the row, or some of it; without, the whole is. Throws a `SyntaxError` on what is no JSON. */
export const exactly = (text: string, row: RowSchema, member?: string): unknown => {
  if (!digitsOf(row).declares) return JSON.parse(text)
  const body = new JsonBody(text)
  if (body.isPlain) return body.value
  const resolved = (value: unknown) => digitsOf(row).resolve(value, new Set())
  if (member === undefined) return resolved(body.exact)
  const { exact, value } = body
  return isObject(exact) && isObject(value) && Object.hasOwn(exact, member)
    ? { ...value, [member]: resolved(exact[member]) }
    : value
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
