/** What clients ask for, and which rows of the truth that is: by the letter of docs/protocol.md, without the server's code. */
import { canonicalText } from "../Held.ts"
import { Digest } from "./Digest.ts"

export type Row = { readonly [field: string]: unknown }
export type Rows = ReadonlyMap<string, Row>

export interface Part {
  readonly collection: string
  readonly keys?: ReadonlyArray<string>
  readonly fields?: ReadonlyArray<string>
  readonly where?: readonly [field: string, value: string]
}

export interface Query {
  readonly search: string
  readonly parts: ReadonlyArray<Part>
}

/** The source that a collection's rows come from: what comes from one source changes together. */
export const sourceOf = (collection: string): string => (collection === "total" ? "pools" : collection)

/** All members of the family that anybody reads. */
const members = "order:*"

/** The collections that a query shows: those it names, and of these the ones that its pattern means. */
export const collectionsOf = ({ parts }: Query, known: Iterable<string>): ReadonlyArray<string> =>
  parts.flatMap(({ collection }) =>
    collection === members
      ? [...new Set(known)].filter((name) => name.startsWith("order:")).toSorted()
      : [collection]
  )

export const readsFamily = ({ parts }: Query): boolean =>
  parts.some(({ collection }) => collection === members)

/** What a query shows of one source. */
export const partsFrom = ({ parts }: Query, source: string): ReadonlyArray<Part> =>
  parts.flatMap((part) => {
    if (sourceOf(part.collection) === source) return [part]
    return part.collection === members && source.startsWith("order:") ? [{ ...part, collection: source }] : []
  })

const matches = (row: Row, where: Part["where"]): boolean => {
  if (where === undefined) return true
  const value = row[where[0]]
  return (typeof value === "string" ? value : JSON.stringify(value)) === where[1]
}

export const project = (rows: Rows, { fields, keys, where }: Part): Map<string, Row> => {
  const shown = new Map<string, Row>()
  for (const key of keys ?? rows.keys()) {
    const row = rows.get(key)
    if (row === undefined || !matches(row, where)) continue
    const asked = fields === undefined ? undefined : new Set(["id", ...fields])
    shown.set(
      key,
      asked === undefined ? row : Object.fromEntries(Object.entries(row).filter(([name]) => asked.has(name)))
    )
  }
  return shown
}

export const digestOf = (rows: Rows): string => {
  const digest = new Digest()
  for (const [key, row] of rows) digest.set(key, canonicalText(row))
  return digest.text
}

const query = (...parts: ReadonlyArray<Part>): Query => {
  const items = [`collections=${parts.map(({ collection }) => encodeURIComponent(collection)).join(",")}`]
  for (const { collection, fields, keys, where } of parts) {
    const prefix = parts.length === 1 ? "" : `${encodeURIComponent(collection)}.`
    if (keys !== undefined) for (const key of keys) items.push(`${prefix}key=${encodeURIComponent(key)}`)
    if (fields !== undefined) items.push(`${prefix}fields=${fields.join(",")}`)
    if (where !== undefined) items.push(`${prefix}where=${where.join(":")}`)
  }
  return { search: items.join("&"), parts }
}

export const queries: ReadonlyArray<Query> = [
  query({ collection: "pools" }),
  query({ collection: "pools" }, { collection: "total" }, { collection: "typed" }),
  query({ collection: "pools" }, { collection: "total" }),
  query({ collection: "pools", fields: ["rate"] }),
  query({ collection: "pools", fields: ["note"] }),
  query({ collection: "pools", where: ["type", "stable"] }),
  query({ collection: "pools", where: ["type", "volatile"], fields: ["rate", "n"] }),
  query({ collection: "pools", keys: ["p1", "p2", "__proto__", "a,b/c", "p17"] }),
  query({ collection: "pools", keys: ["p3", "p4", "🙂", "nobody"], fields: ["n"] }),
  query({ collection: "total" }),
  query({ collection: "typed" }),
  query({ collection: "typed", where: ["type", "a"] }),
  query({ collection: "typed", where: ["type", "null"], fields: ["n"] }),
  query({ collection: "order:1" }),
  query({ collection: "order:2" }, { collection: "pools", fields: ["n"] }, { collection: "typed" }),
  query({ collection: "order:3" }, { collection: "order:4" }),
  query({ collection: members }),
  query({ collection: members }, { collection: "total" })
]

/** So much of it every second that a reader who takes nothing is soon noticed. */
export const bulk = query({ collection: "bulk" })

/** As many more as are wanted, none like the other: who comes and goes with its own query must leave nothing behind. */
export const manyQueries = (count: number): ReadonlyArray<Query> => [
  ...queries,
  ...Array.from({ length: count }, (_, i) =>
    i % 3 === 0
      ? query({ collection: `order:${10 + i}` })
      : query({ collection: "pools", keys: [`p${i}`, `p${i * 7}`, `p${i + 5}`], fields: ["rate"] })
  )
]
