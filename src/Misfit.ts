/** Why a row does not fit its schema, in words that name the field: to whoever writes one, and, with what came instead, in the log. */
import { type Schema, SchemaIssue } from "effect"

import { kindOf, own } from "./BodyPath.ts"
import { didYouMean } from "./Nearest.ts"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** `fields`: all that a row may have. */
export const misfitOf = (failure: unknown, fields: ReadonlyArray<string>): string => {
  const [issue] = formatIssues((failure as Schema.SchemaError).issue).issues
  const { message, path = [] } = issue!
  const [name, ...inside] = path.map(String)
  if (name === undefined) return `the row does not fit: ${inWords(message)}`
  const shown = JSON.stringify(name.slice(0, 80))
  const where = inside.length === 0 ? "" : ` at ${inside.join(".").slice(0, 80)}`
  if (message !== "Expected no excess property") return `${shown}${where} does not fit: ${inWords(message)}`
  return inside.length === 0
    ? `there is no field ${shown}${didYouMean(name, fields)}`
    : `${shown}${where} does not fit: there is no such field`
}

/** Characters of an excerpt. */
const mostExcerpt = 80

export interface Misfit {
  readonly reason: string
  /** A short excerpt of what came instead, where its kind does not say it all. */
  readonly came: string | undefined
}

/** The same for whoever makes such rows, or has written the schema; for the log only. `most`: characters of a reason. */
export const misfitIn = (
  row: unknown,
  failure: unknown,
  fields: ReadonlyArray<string>,
  most: number
): Misfit => {
  const [issue] = formatIssues((failure as Schema.SchemaError).issue).issues
  const said = misfitOf(failure, fields)
  const made = (more: string, came?: string): Misfit => ({ reason: said.slice(0, most) + more, came })
  if (issue!.message === "Missing key") return made(", which Schema.optional allows")
  const value = (issue!.path ?? []).reduce<unknown>((at, step) => own(at, String(step)), row)
  if (value === null) return made("; it is null, which Schema.NullOr allows")
  return made(`; it is ${kindOf(value)}`, excerptOf(value))
}

/** Not of lists and objects, which may be as deep as they like. */
const excerptOf = (value: unknown): string | undefined => {
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (typeof value !== "string") return undefined
  return JSON.stringify(value.length > mostExcerpt ? `${value.slice(0, mostExcerpt - 1)}…` : value)
}

const inWords = (message: string): string => {
  switch (message) {
    // A check of the config that has no words of its own.
    case "Expected <filter>":
      return "It does not pass a check"
    case "Expected DecimalText":
      return "Expected a decimal number such as 1.10"
    default:
      return message
  }
}
