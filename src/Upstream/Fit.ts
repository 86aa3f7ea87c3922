/** Whether a decoded row is JSON: what is not would reach clients as `null`, or never be seen to change. */

import type { Row } from "../Collection.ts"

/** Deeper values are bad: `JSON.parse` accepts 100,000 levels, `JSON.stringify` of them overflows the stack. */
const maxDepth = 64

/** Why a value is not JSON, or `undefined` where it is. A member that is `undefined` is one that is absent. */
const unfit = (value: unknown, depth = 0): string | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : "has a number that JSON cannot hold"
    case "object":
      return value === null ? undefined : unfitObject(value, depth)
    default:
      return `decodes to a ${typeof value}, which is not JSON`
  }
}

const unfitObject = (value: object, depth: number): string | undefined => {
  if (depth >= maxDepth) return `is nested deeper than ${maxDepth}`
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = Array.isArray(value) || prototype === Object.prototype || prototype === null
  if (!plain) return "decodes to an instance of a class, which is not JSON"
  for (const inner of Object.values(value)) {
    const reason = unfit(inner, depth + 1)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** Why a row that is as its schema says is not JSON. */
export const unfitField = (row: Row): string | undefined => {
  const reason = unfit(row)
  if (reason === undefined) return undefined
  const name = Object.keys(row).find((name) => unfit({ [name]: row[name] }) !== undefined)
  return name === undefined ? `the row ${reason}` : `${JSON.stringify(name.slice(0, 80))} ${reason}`
}
