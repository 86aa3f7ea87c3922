/** What a row looks like on the wire, as JSON Schemas of its fixed and of its live fields. */
import { Schema } from "effect"

import type { Declared } from "../Catalog.ts"

type JsonSchema = { readonly [name: string]: unknown }

export const rowSchemas = ({ collection, row }: Declared) => {
  const part = (isIn: (name: string) => boolean): JsonSchema => {
    const fields = Object.entries(row.fields).filter(([name]) => isIn(name))
    if (fields.length === 0) return { type: "object", properties: {}, additionalProperties: false }
    const struct = Schema.Struct(Object.fromEntries(fields))
    const { definitions, schema } = Schema.toJsonSchemaDocument(Schema.toType(struct))
    const whole = Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }
    return finite(whole) as JsonSchema
  }
  return {
    fixed: part((name) => collection.fixed.has(name)),
    live: part((name) => !collection.fixed.has(name))
  }
}

const isObject = (value: unknown): value is JsonSchema => typeof value === "object" && value !== null

/** Numbers that JSON cannot hold, as text: what `Schema.Number` has, and no row. */
const isNotFinite = (schema: unknown): boolean =>
  isObject(schema) &&
  Array.isArray(schema["enum"]) &&
  ["Infinity", "-Infinity", "NaN"].every((name, i) => (schema["enum"] as ReadonlyArray<unknown>)[i] === name)

const finite = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(finite)
  if (!isObject(schema)) return schema
  const { anyOf, ...others } = Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [name, finite(value)])
  )
  if (!Array.isArray(anyOf)) return anyOf === undefined ? others : { ...others, anyOf }
  const left = anyOf.filter((each) => !isNotFinite(each))
  return left.length === 1 ? { ...(left[0] as JsonSchema), ...others } : { ...others, anyOf: left }
}
