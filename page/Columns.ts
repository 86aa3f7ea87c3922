/** How the fields of a collection are shown, from the shapes that the daemon tells, and from what its rows hold. */
import type { Row } from "../client/Cast.ts"
import { aligned, compact, givenPlaces, iso, mostPlaces, none, placesOf, short, when } from "./Format.ts"
import { type Described, isFamily, prefixOf, type Shape } from "./Described.ts"

export type Kind = "number" | "numbers" | "time" | "text" | "list"

/** `of`: the name of the collection that a row is in, which in a family is that of its member. */
export interface Column {
  readonly field: string
  readonly title: string
  readonly kind: Kind
  /** Whether it may change while its row stays. */
  readonly isLive: boolean
  /** In characters, of the longest among the rows that were looked at. */
  readonly width: number
  readonly text: (row: Row, of: string) => string
  /** To the last digit, for whoever wants to know. */
  readonly exact: (row: Row, of: string) => string
  /** What it is sorted by: of a number, the number. */
  readonly value: (row: Row, of: string) => number | string
}

export interface Columns {
  readonly columns: ReadonlyArray<Column>
  /** Beside the key: what people call a row. */
  readonly label: (row: Row, key: string) => string
  readonly icon: (row: Row) => string | undefined
}

const labels = ["symbol", "name", "title", "label", "subject"]
const isDecimal = (shape: Shape) => shape.$ref?.endsWith("/Decimal") === true
/** Also where it may be null. */
const isNumeric = (shape: Shape): boolean =>
  shape.type === "number" ||
  shape.type === "integer" ||
  isDecimal(shape) ||
  (shape.anyOf ?? []).some(isNumeric)

const numberOf = (value: unknown): number =>
  value === undefined || value === null || value === "" ? NaN : Number(value)
const numbersOf = (value: unknown): ReadonlyArray<number> => (Array.isArray(value) ? value.map(numberOf) : [])
const textOf = (value: unknown): string =>
  value === undefined || value === null
    ? none
    : typeof value === "string"
      ? value
      : Array.isArray(value)
        ? value.map(textOf).join(", ")
        : typeof value === "object"
          ? JSON.stringify(value)
          : String(value)

const isPicture = (value: unknown): value is string =>
  typeof value === "string" && value.startsWith("data:image/")

/** Rows that are looked at to choose a form for a column, and those of which it is made as wide. */
const looked = 2_000
const measured = 200
const isMoment = (value: number) => Number.isInteger(value) && value > 1e12 && value < 4e12

const kindOf = (shape: Shape, field: string, rows: ReadonlyArray<Row>): Kind => {
  if (shape.type === "array") return isNumeric(shape.items ?? {}) ? "numbers" : "list"
  if (!isNumeric(shape)) return "text"
  if (isDecimal(shape)) return "number"
  // What has not happened yet has no time.
  const known = rows.map((row) => numberOf(row[field])).filter((value) => !Number.isNaN(value))
  return known.length > 0 && known.every(isMoment) ? "time" : "number"
}

/** Digits after the point for all of a column, and no more than it has, or so large that letters say it better. */
const formOf = (field: string, rows: ReadonlyArray<Row>): ((value: number) => string) => {
  let places = 0
  let most = 0
  for (const row of rows) {
    const value = numberOf(row[field])
    if (!Number.isFinite(value)) continue
    places = Math.max(places, Math.min(placesOf(value), givenPlaces(String(row[field]))))
    most = Math.max(most, Math.abs(value))
  }
  // An integer among others gets the places that they have.
  if (most >= 1e9) return compact
  return (value) => aligned(value, Math.min(places, mostPlaces))
}

const column = (field: string, shape: Shape, isLive: boolean, rows: ReadonlyArray<Row>): Column => {
  const made = formed(field, shape, isLive, rows)
  const width = rows.slice(0, measured).reduce((most, row) => Math.max(most, made.text(row, "").length), 0)
  return { ...made, title: field, width }
}

const formed = (
  field: string,
  shape: Shape,
  isLive: boolean,
  rows: ReadonlyArray<Row>
): Omit<Column, "title" | "width"> => {
  const kind = kindOf(shape, field, rows)
  const exact = (row: Row) => textOf(row[field])
  const common = { field, kind, isLive, exact }
  if (kind === "number") {
    const form = formOf(field, rows)
    return { ...common, text: (row) => form(numberOf(row[field])), value: (row) => numberOf(row[field]) }
  }
  if (kind === "time")
    return {
      ...common,
      text: (row) => when(numberOf(row[field])),
      exact: (row) => iso(numberOf(row[field])),
      value: (row) => numberOf(row[field])
    }
  if (kind === "numbers")
    return {
      ...common,
      text: (row) => numbersOf(row[field]).map(compact).join(" / "),
      value: (row) => numbersOf(row[field]).reduce((sum, each) => sum + each, 0)
    }
  return { ...common, text: exact, value: (row) => exact(row).toLowerCase() }
}

/** Of the rows of a family: the id of the member that they are in. No field has this name. */
const member = (prefix: string): Column => {
  const exact = (_: Row, of: string) => of.slice(prefix.length)
  return {
    field: "*",
    title: "member",
    kind: "text",
    isLive: false,
    width: 16,
    exact,
    text: exact,
    value: exact
  }
}

/** `nameOf`: what another row is called, of which this one has the key; `undefined` where it is nobody's. */
export const columnsOf = (
  { fixed, key, live, name }: Pick<Described, "fixed" | "key" | "live" | "name">,
  all: ReadonlyArray<Row>,
  nameOf: (key: string) => string | undefined,
  iconOf: (key: string) => string | undefined
): Columns => {
  const rows = all.slice(0, looked)
  const shapes = [
    ...Object.entries(fixed.properties ?? {}).map(([field, shape]) => [field, shape, false] as const),
    ...Object.entries(live.properties ?? {}).map(([field, shape]) => [field, shape, true] as const)
  ].filter(([field]) => field !== key)
  const pictures = shapes
    .map(([field]) => field)
    .filter((field) => rows.length > 0 && isPicture(rows[0]![field]))
  const label = labels.find((name) => shapes.some(([field]) => field === name))
  /** A row that joins others is called by them. */
  const joins = shapes.find(
    ([field, { type }]) =>
      type === "array" &&
      rows.length > 0 &&
      rows.slice(0, 20).every((row) => {
        const keys = row[field]
        return (
          Array.isArray(keys) && keys.length > 0 && keys.every((each) => nameOf(String(each)) !== undefined)
        )
      })
  )?.[0]
  const joined = (row: Row) =>
    (row[joins!] as ReadonlyArray<string>).map((each) => nameOf(each) ?? short(each)).join(" / ")
  const own = shapes
    .filter(([field]) => !pictures.includes(field) && field !== label && field !== joins)
    .map(([field, shape, isLive]) => column(field, shape, isLive, rows))
    // What stays is read once; what moves is looked at.
    .toSorted((a, b) => Number(a.isLive) - Number(b.isLive))
  return {
    columns: isFamily(name) ? [member(prefixOf(name)), ...own] : own,
    label: (row, id) => (label !== undefined ? textOf(row[label]) : joins !== undefined ? joined(row) : id),
    icon: (row) => {
      const own = pictures[0] === undefined ? undefined : row[pictures[0]]
      return isPicture(own) ? own : iconOf(String(row[key] ?? ""))
    }
  }
}

/** What other rows are called by their keys, and how they look. */
export const namesIn = (
  held: ReadonlyArray<{ readonly get: (key: string) => Row | undefined }>
): {
  readonly nameOf: (key: string) => string | undefined
  readonly iconOf: (key: string) => string | undefined
} => {
  const find = <A>(key: string, take: (row: Row) => A | undefined): A | undefined => {
    for (const { get } of held) {
      const row = get(key)
      const found = row === undefined ? undefined : take(row)
      if (found !== undefined) return found
    }
    return undefined
  }
  return {
    nameOf: (key) =>
      find(key, (row) => {
        const label = labels.find((name) => typeof row[name] === "string")
        return label === undefined ? undefined : String(row[label])
      }),
    iconOf: (key) => find(key, (row) => Object.values(row).find(isPicture))
  }
}
