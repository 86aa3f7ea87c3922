/** History: rows of written collections that have left the live window, as far back as the journal keeps them. */
import { Effect } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import type { Commit } from "../Collection.ts"
import type { Entry, Past, PastAsked } from "./Journal.ts"
import type { State } from "./State.ts"

/** What the journal is told of a commit beside its text. */
export const keeping = (
  catalog: Catalog["Service"],
  state: State,
  { deltas }: Commit
): Pick<Entry, "durability" | "history"> => {
  const history: Array<Past> = []
  let outlivesPower = false
  for (const [collection, { evict }] of deltas) {
    const made = declares(catalog, collection)?.made
    if (made?._tag !== "Written") continue
    outlivesPower ||= made.options.durability === "power"
    const rows = state.rows(collection)
    for (const key of evict) history.push({ collection, key, row: JSON.stringify(rows.get(key)) })
  }
  return {
    ...(history.length === 0 ? {} : { history }),
    ...(outlivesPower ? { durability: "power" } : {})
  }
}

/** Live rows first, from the newest on, then those that are history. */
export const past =
  (state: State, older: (asked: PastAsked) => Effect.Effect<ReadonlyArray<Past> | undefined>) =>
  (
    collection: string,
    before: string | undefined,
    limit: number
  ): Effect.Effect<ReadonlyArray<Past> | undefined> =>
    Effect.suspend(() => {
      const table = state.tables.get(collection)
      const from = before === undefined ? undefined : (table?.live.get(before) ?? table?.dead.get(before))
      const isLive = before === undefined || (from !== undefined && !from.evicted)
      const rows = isLive ? newest(state, collection, from?.born ?? Infinity, limit) : []
      if (rows.length === limit) return Effect.succeed(rows)
      return Effect.map(
        older({ collection, before: isLive ? undefined : before, limit: limit - rows.length }),
        (found) => {
          // One that has left since we looked is in both.
          const told = new Set(rows.map(({ key }) => key))
          return found && [...rows, ...found.filter(({ key }) => !told.has(key))]
        }
      )
    })

const newest = (state: State, collection: string, born: number, limit: number): ReadonlyArray<Past> => {
  const rows: Array<Past> = []
  for (const entry of [...(state.tables.get(collection)?.live.values() ?? [])].toReversed()) {
    if (rows.length >= limit) break
    if (entry.born < born) rows.push({ collection, key: entry.key, row: JSON.stringify(entry.row) })
  }
  return rows
}
