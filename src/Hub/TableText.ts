/** One collection as text, in pieces: its head, then its rows. What a checkpoint is made of, and what is kept of a member that is paged out. */
import type { Collection, Health, Row } from "../Collection.ts"
import type { Memory } from "./State.ts"
import { type Kept, Table } from "./Table.ts"

const rowsInPiece = 500

/** A collection as JSON. */
export type Described = Omit<Collection, "fixed"> & { readonly fixed: ReadonlyArray<string> }

export const describedOf = (collection: Collection): Described => ({
  ...collection,
  fixed: [...collection.fixed]
})

export const collectionOf = ({ fields, fixed, key, kind, loads, name, retain }: Described): Collection => ({
  name,
  kind,
  key,
  fields,
  fixed: new Set(fixed),
  ...(retain === undefined ? {} : { retain }),
  ...(loads === undefined ? {} : { loads })
})

export interface TablePiece {
  readonly collection: Described
  readonly floor: number
  readonly rev: number
  readonly asOf: number
  readonly health: Health
  readonly healthRev: number
  readonly hasPast: boolean
}

/** In order of birth, and of death for those that have died. Revisions of the fields in the order of `fields`. */
type RowLine = readonly [
  key: string,
  row: Row,
  rev: number,
  born: number,
  before: number,
  gone: number,
  evicted: 0 | 1,
  /** One number where all fields have the same. */
  fieldRevs: number | ReadonlyArray<number>,
  bornAt: number
]

export interface RowsPiece {
  readonly rows: ReadonlyArray<RowLine>
}

export function* tablePieces(table: Table): Generator<string> {
  const { asOf, collection, floor, hasPast, health, healthRev, rev } = table
  yield JSON.stringify({
    collection: describedOf(collection),
    floor,
    rev,
    asOf,
    health,
    healthRev,
    hasPast
  } satisfies TablePiece)
  let rows: Array<RowLine> = []
  for (const entry of table.kept()) {
    rows.push(lineOf(entry))
    if (rows.length < rowsInPiece) continue
    yield JSON.stringify({ rows } satisfies RowsPiece)
    rows = []
  }
  if (rows.length > 0) yield JSON.stringify({ rows } satisfies RowsPiece)
}

/** A table by itself, as text: of a member that is paged out. */
export const tableText = (table: Table): string => [...tablePieces(table)].join("\n")

/** Throws on what is none. */
export const tableOf = (text: string, memory: Memory): Table => {
  const [head, ...rows] = text.split("\n").map((piece) => JSON.parse(piece) as TablePiece | RowsPiece)
  const table = tableOfHead(head as TablePiece, memory)
  for (const piece of rows) restoreRows(table, piece as RowsPiece)
  table.restored()
  table.keptAt = table.rev
  return table
}

export const tableOfHead = (piece: TablePiece, memory: Memory): Table => {
  const { asOf, collection, floor, hasPast, health, healthRev, rev } = piece
  const table = new Table(collectionOf(collection), floor, memory.tombstones)
  return Object.assign(table, { asOf, hasPast, health, healthRev, rev })
}

export const restoreRows = (table: Table, { rows }: RowsPiece): void => {
  for (const [key, row, rev, born, before, gone, evicted, revs, bornAt] of rows) {
    const fieldRevs = typeof revs === "number" ? table.collection.fields.map(() => revs) : revs
    table.restore({ key, row, rev, born, bornAt, before, gone, evicted: evicted === 1, fieldRevs })
  }
}

const lineOf = ({ before, born, bornAt, evicted, fieldRevs, gone, key, rev, row }: Kept): RowLine => [
  key,
  row,
  rev,
  born,
  before,
  gone,
  evicted ? 1 : 0,
  fieldRevs.every((each) => each === fieldRevs[0]) ? (fieldRevs[0] ?? rev) : fieldRevs,
  bornAt
]
