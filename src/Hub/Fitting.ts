/** Rows of another day in a collection of today. */
import { Schema } from "effect"

import type { Declared } from "../Catalog.ts"
import { type Collection, field, knownOf, type Row } from "../Collection.ts"
import { type Kept, Table } from "./Table.ts"

/** What of a row is not as it is declared today: a field. */
export type Misfit = string | undefined

/**
 * Whether every value that a row has is one of its field today. A field that it lacks comes with the next poll; what was
 * written has no next one, and has to be whole.
 */
export const fitting = ({ made, row }: Declared): ((kept: Row) => Misfit) => {
  const isWritten = made._tag === "Written"
  const fields = Object.entries(row.fields).map(
    ([name, schema]) => [name, Schema.is(Schema.toType(schema as Schema.ConstraintDecoder<unknown>))] as const
  )
  const whole = Schema.is(Schema.toType(row))
  return (kept) => {
    const misfit = fields.find(([name, is]) => field(kept, name) !== undefined && !is(kept[name]))
    if (misfit !== undefined) return `of "${misfit[0]}"`
    if (!isWritten || whole(kept)) return undefined
    const missing = fields.find(([name, is]) => field(kept, name) === undefined && !is(undefined))
    return missing === undefined ? "as a whole" : `"${missing[0]}" is missing`
  }
}

/** With the fields of today; those that are new have no value yet, and nobody has to be told. */
export const refitted = (
  table: Table,
  collection: Collection,
  floor: number,
  misfitOf: (row: Row) => Misfit
): { readonly table: Table; readonly misfits: { readonly rows: number; readonly why: string } } => {
  const columns = new Map(table.collection.fields.map((name, column) => [name, column]))
  const known = new Set(collection.fields)
  const rows: Array<Kept> = []
  const misfits = { rows: 0, why: "" }
  for (const kept of table.kept()) {
    const row = knownOf(kept.row, known)
    const misfit = kept.gone === 0 ? misfitOf(row) : undefined
    if (misfit !== undefined) {
      misfits.rows++
      misfits.why ||= misfit
    } else
      rows.push({
        ...kept,
        row,
        fieldRevs: collection.fields.map((name) => kept.fieldRevs[columns.get(name) ?? -1] ?? kept.born)
      })
  }
  const isWhole = misfits.rows === 0 && table.collection.fields.every((name) => known.has(name))
  const fitted = new Table(collection, isWhole ? table.floor : floor, table.minTombstones)
  const { asOf, hasPast, health, healthRev, rev } = table
  Object.assign(fitted, { asOf, hasPast, health, healthRev, rev })
  for (const row of rows) fitted.restore(row)
  fitted.restored()
  return { table: fitted, misfits }
}

/** Rows that have a value of a field. */
export const valuesOf = (table: Table, name: string): number => {
  let count = 0
  for (const { gone, row } of table.kept()) if (gone === 0 && field(row, name) !== undefined) count++
  return count
}
