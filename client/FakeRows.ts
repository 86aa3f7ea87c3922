/** What a server makes of what it is asked, for the fake. */
import { CastError } from "./CastError.ts"
import type { Row } from "./Wire.ts"

interface Patch {
  readonly set?: Row
  readonly unset?: ReadonlyArray<string>
}

export const patched = (row: Row, { set, unset = [] }: Patch): Row => {
  const next: { [field: string]: unknown } = { ...row, ...set }
  for (const name of unset) delete next[name]
  return next
}

/** With its key in the field of keys; throws where that says another. `isNew`: its key is the server's to give. */
export const keyed = (row: Row, field: string, key: string, isNew: boolean): Row => {
  const own = row[field]
  if (own !== undefined && (isNew || own !== key))
    throw new CastError({
      status: 400,
      code: "invalid_row",
      detail: `"${field}" is ${isNew ? "given by the server" : "another than the key it is written to"}`
    })
  return { ...row, [field]: key }
}

/** The newest first, as keys that the server gives are sorted. */
export const pageOf = (
  { get, keys }: { readonly get: (key: string) => Row | undefined; readonly keys: () => Iterable<string> },
  query: URLSearchParams
) => {
  const before = query.get("before")
  const all = [...keys()].toSorted().toReversed()
  const older = before === null ? all : all.filter((key) => key < before)
  const page = older.slice(0, Number(query.get("limit")))
  return {
    rows: page.map((key) => ({ key, row: get(key)! })),
    before: older.length > page.length ? page.at(-1)! : null
  }
}
