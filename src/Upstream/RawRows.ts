/**
 * The rows of one collection as they stand in a body, their decimals with the digits the upstream sent. A body is read
 * a second time, exactly, only where that can make a difference.
 */
import { atPath, own } from "../BodyPath.ts"
import type { Declared } from "../Catalog.ts"
import type { Row } from "../Collection.ts"
import type { Keyed, PolledOptions } from "../Config.ts"
import { Digits } from "./Digits.ts"
import type { JsonBody } from "./Json.ts"

export interface RawRow {
  readonly key: unknown
  readonly row: unknown
}

/** Bodies that lose digits between two looks at which fields it is: a look costs several parses. */
const lookEvery = 100

export class RawRows {
  private readonly key: string
  private readonly rows: NonNullable<PolledOptions<Row>["rows"]> | undefined
  private readonly digits: Digits
  /** Fields that lost digits when it was last looked, and how many bodies lost some since. */
  private inexact: ReadonlySet<string> = new Set()
  private sinceLook = lookEvery

  constructor({ made, row }: Declared) {
    const { key, rows, source } = made.options as PolledOptions<Row>
    this.key = key
    this.rows = rows ?? source.options.rows
    this.digits = new Digits(row.ast, typeof this.rows === "function")
  }

  /** `undefined` where there are none to be found. `inexact`: fields, not declared decimal, that lose digits. */
  find(
    body: JsonBody
  ): { readonly rows: Iterable<RawRow>; readonly inexact: ReadonlySet<string> } | undefined {
    const { key, rows } = this
    if (typeof rows === "function") {
      const { inexact, values } = this.resolve(body, (value) => [value])
      return { rows: withKeys(rows(values[0]), key), inexact }
    }
    if (!Array.isArray(atPath(body.value, rows))) return undefined
    const { inexact, values } = this.resolve(body, (value) => atPath(value, rows) as ReadonlyArray<unknown>)
    return { rows: keyed(values, key), inexact }
  }

  private resolve(body: JsonBody, part: (value: unknown) => ReadonlyArray<unknown>) {
    const plain = part(body.value)
    const values = plain.map((value) => this.digits.resolve(value))
    const asNumbers = values.some((value, i) => value !== plain[i])
    const look = body.losesDigits && ++this.sinceLook > lookEvery
    if (!look && (!asNumbers || body.isPlain)) {
      return { values, inexact: body.losesDigits ? this.inexact : nothing }
    }
    const inexact = new Set<string>()
    this.inexact = inexact
    this.sinceLook = 0
    return { values: part(body.exact).map((value) => this.digits.resolve(value, inexact)), inexact }
  }
}

const nothing: ReadonlySet<string> = new Set()

const keyed = function* (list: ReadonlyArray<unknown>, keyField: string): Generator<RawRow> {
  for (const row of list) yield { key: own(row, keyField), row }
}

/** A row function gives the key beside the row; the row holds it too. */
const withKeys = function* (rows: Iterable<Keyed>, keyField: string): Generator<RawRow> {
  for (const { key, row } of rows) {
    yield { key, row: own(row, keyField) === undefined ? { ...(row as object), [keyField]: key } : row }
  }
}
