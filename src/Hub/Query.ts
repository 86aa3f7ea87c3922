/**
 * What one reader asked for, resolved: which collections, which of their rows, which fields. Two readers with the same
 * `id` ask for the same and share every frame; a cursor is salted with it, so it proves nothing under another query.
 */
import { type Collection, field, type Row } from "../Collection.ts"
import { saltOf } from "./Tips.ts"

export interface Part {
  readonly collection: Collection
  /** Only these rows; an empty set is no rows. */
  readonly keys: ReadonlySet<string> | undefined
  /** Only these fields, the key field among them. */
  readonly fields: ReadonlySet<string> | undefined
  /** All must hold: field, and the text its value must equal. */
  readonly where: ReadonlyArray<readonly [field: string, text: string]>
}

export interface Query {
  readonly id: string
  /** What its cursors are salted with. */
  readonly salt: number
  /** By collection name, sorted. */
  readonly parts: ReadonlyMap<string, Part>
  /** By pattern over the members of a family, such as `order:*`; members appear and go. */
  readonly patterns: ReadonlyMap<string, Part>
}

const canonical = (parts: ReadonlyMap<string, Part>) =>
  [...parts].map(([name, part]) => [
    name,
    part.keys === undefined ? null : [...part.keys].toSorted(),
    part.fields === undefined ? null : [...part.fields].toSorted(),
    part.where.map(([name, text]) => [name, text]).toSorted()
  ])

const byName = (parts: Iterable<readonly [string, Part]>): ReadonlyMap<string, Part> =>
  new Map([...parts].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

export const makeQuery = (
  parts: Iterable<readonly [string, Part]>,
  patterns: Iterable<readonly [string, Part]> = []
): Query => {
  const sortedParts = byName(parts)
  const sortedPatterns = byName(patterns)
  const id = JSON.stringify([canonical(sortedParts), canonical(sortedPatterns)])
  return {
    id,
    salt: saltOf(id),
    parts: sortedParts,
    patterns: sortedPatterns
  }
}

/** `*` is any run of characters, nothing else is special. */
export const matchesPattern = (pattern: string, name: string): boolean => {
  const pieces = pattern.split("*")
  const first = pieces[0]!
  const last = pieces.at(-1)!
  if (pieces.length === 1) return name === pattern
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length)
    return false
  let from = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, from)
    if (found === -1 || found + piece.length > name.length - last.length) return false
    from = found + piece.length
  }
  return true
}

/** A string itself, or the JSON text of a number, boolean or null. */
export const equalsText = (row: Row, name: string, text: string): boolean => {
  const value = field(row, name)
  return typeof value === "string"
    ? value === text
    : value !== undefined && (value === null || typeof value !== "object") && JSON.stringify(value) === text
}

export const inside = (part: Part, row: Row): boolean => {
  for (const [name, text] of part.where) if (!equalsText(row, name, text)) return false
  return true
}

/** The fields of a row that were asked for; the row itself where all were. */
export const project = (part: Part, row: Row): Row => {
  if (part.fields === undefined) return row
  const kept: Array<[string, Row[string]]> = []
  for (const name of part.collection.fields) {
    const value = part.fields.has(name) ? field(row, name) : undefined
    if (value !== undefined) kept.push([name, value])
  }
  return Object.fromEntries(kept)
}
