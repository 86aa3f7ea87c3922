/** The body that an upstream of many rows answers with: 12 fields a row, some 310 bytes. */
import { keyOf, rate } from "./Event.ts"

/** One row in 50 is another with every version: 2 %. */
const isTouched = (i: number, version: number): boolean => (i + version * 7) % 50 === 0

export type MarketRow = { readonly [field: string]: string | number | boolean }

export const marketRow = (i: number, version: number): MarketRow => ({
  id: keyOf(i),
  name: `Pool of token ${i} and token ${(i * 31) % 9973}`,
  type: i % 3 === 0 ? "stable" : "volatile",
  token0: `0x${String(i * 48_271).padStart(20, "a")}`,
  token1: `0x${String(i * 69_621).padStart(20, "b")}`,
  reserve0: rate(i, version),
  reserve1: rate(i + 1, version),
  supply: rate(i + 2, version),
  price: Number(rate(i, version)),
  apr: (i % 977) / 100,
  fee: 30,
  active: i % 10 !== 0
})

/** The rows of version 0 to `version`, each as of the last version that touched it. */
export const marketRows = (rows: number, version: number): ReadonlyArray<MarketRow> =>
  Array.from({ length: rows }, (_, i) => {
    let last = version
    while (last > 0 && !isTouched(i, last)) last--
    return marketRow(i, last)
  })

export const marketBody = (rows: number, version: number): Buffer =>
  Buffer.from(JSON.stringify({ stamp: "", rows: marketRows(rows, version) }))
