/** Why a row does not fit its schema, in words that name the field: the same to whoever writes one and in the log. */
import { type Schema, SchemaIssue } from "effect"

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
