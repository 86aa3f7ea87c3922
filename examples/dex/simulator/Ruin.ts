/** Bodies that came out wrong: valid JSON, 200, and not what the reader should believe. */
import type { FaultKind } from "./Fault.ts"

type Row = { readonly [field: string]: unknown }

const renamed = new Map([
  ["reserves", "balances"],
  ["decimals", "precision"]
])

const other = (row: Row): Row =>
  Array.isArray(row["reserves"])
    ? { ...row, lt: `${row["lt"]}1`, reserves: row["reserves"].map((reserve) => `${reserve}1`) }
    : { ...row, name: `${row["name"]} (copy)`, decimals: Number(row["decimals"]) + 1 }

const ruins: { readonly [Kind in FaultKind]?: (rows: ReadonlyArray<Row>) => unknown } = {
  duplicate: (rows) => [...rows, ...rows.filter((_, index) => index % 10 === 0).map(other)],
  shape: (rows) => ({
    result: rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [renamed.get(name) ?? name, value]))
    )
  }),
  empty: () => [],
  half: (rows) => rows.filter((_, index) => index % 5 < 2)
}

export const ruin = (kind: FaultKind, text: string): string => {
  const change = ruins[kind]
  return change === undefined ? text : JSON.stringify(change(JSON.parse(text) as ReadonlyArray<Row>))
}

export const brokenPage =
  "<!doctype html><html><head><title>502 Bad Gateway</title></head>" +
  "<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>\n"
