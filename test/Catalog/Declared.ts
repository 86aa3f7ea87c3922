/** Small configs, right and wrong, for the tests of the catalog. */
import { Schema } from "effect"

import { makeCatalog, type Problem } from "../../src/Catalog.ts"
import { Decimal, derived, polled, source } from "../../src/Config.ts"

export const Pool = Schema.Struct({ id: Schema.String, name: Schema.String, rate: Decimal })
export const from = (options: object = {}) => source({ url: "http://up/pools", ...options } as never)
export const pools = (options: object = {}) =>
  polled({ source: from(), key: "id", row: Pool, ...options } as never)
export const rows = () => []
export const rates = (options: object = {}, inputs: object = {}) =>
  derived({ from: inputs, key: "id", row: Pool, rows, ...options } as never)

export const problemsIn = (config: unknown): ReadonlyArray<Problem> => {
  const made = makeCatalog(config as never)
  return Array.isArray(made) ? (made as ReadonlyArray<Problem>) : []
}
