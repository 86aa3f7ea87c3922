/** History: rows of written collections that have left the live window, as far back as the journal keeps them. */
import { Clock, Duration, Effect } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import { type Commit, knownOf, type Row } from "../Collection.ts"
import { isGivenKey } from "../GivenKey.ts"
import type { Beside } from "../RateEngine.ts"
import type { OlderRows } from "../Upstream.ts"
import {
  type Entry as Kept,
  Journal,
  type Keep,
  type Left,
  type Page,
  type Past,
  type PastAsked
} from "./Journal.ts"
import type { State } from "./State.ts"
import type { Entry, Table } from "./Table.ts"

/** What the journal is told of a commit beside its text. */
export const keeping = (
  catalog: Catalog["Service"],
  state: State,
  { deltas }: Commit,
  loaded: ReadonlyArray<Left>
): Pick<Kept, "durability" | "history"> => {
  const history: Array<Left> = [...loaded]
  let outlivesPower = false
  for (const [collection, { evict }] of deltas) {
    const made = declares(catalog, collection)?.made
    if (made?._tag !== "Written") continue
    outlivesPower ||= made.options.durability === "power"
    const live = state.tables.get(collection)?.live
    for (const key of evict) {
      const entry = live?.get(key)
      if (entry !== undefined)
        history.push({ collection, key, row: JSON.stringify(entry.row), at: entry.bornAt })
    }
  }
  return {
    ...(history.length === 0 ? {} : { history }),
    ...(outlivesPower ? { durability: "power" } : {})
  }
}

/** Rows that become history without ever having been live, as they are kept; born when they were loaded, for all we know. */
export const loadedPast = Effect.fnUntraced(function* (
  at: number,
  past: Beside["past"]
): Effect.fn.Return<ReadonlyArray<Left>> {
  const left: Array<Left> = []
  for (const [key, row] of past?.rows ?? []) {
    left.push({ collection: past!.collection, key, row: JSON.stringify(row), at })
    // Readers are served between the rows of a large table.
    if (left.length % 1_000 === 0) yield* Effect.yieldNow
  }
  return left
})

/** Rows beyond the live ones that a collection, or each member of a family, keeps where nothing is said. */
const defaultKept = 100_000
const expireEvery = "1 minute"

const keepsOf = ({ declared }: Catalog["Service"]): ReadonlyArray<Keep> =>
  [...declared.values()].flatMap(({ made, name }) => {
    if (made._tag !== "Written") return []
    const { age, rows = defaultKept } = made.options.keep ?? {}
    const ms = age === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(age))
    return [{ family: name, rows, ...(ms === undefined ? {} : { age: ms }) }]
  })

/** Lets go of history that is kept no longer, step by step, for as long as it runs. */
export const expire = Effect.fnUntraced(function* (catalog: Catalog["Service"]) {
  const journal = yield* Journal
  const keeps = keepsOf(catalog)
  if (keeps.length === 0) return
  const step = Clock.currentTimeMillis.pipe(Effect.flatMap((now) => journal.expire({ keeps, now })))
  yield* Effect.sleep(expireEvery).pipe(
    Effect.andThen(Effect.repeat(step, { while: (more) => more })),
    // Whether anything more can be kept is another's to say.
    Effect.catch((failure) =>
      Effect.logWarning(`history is kept longer than it should be: ${failure.message}`)
    ),
    Effect.forever
  )
})

const pastIn = (journal: Journal["Service"], asked: PastAsked): Effect.Effect<Page> =>
  journal
    .past(asked)
    .pipe(
      Effect.catch(({ message }) =>
        Effect.as(
          Effect.logError(`history of ${asked.collection} cannot be read: ${message}`),
          "unavailable" as const
        )
      )
    )

/** Rows that are history: as far as the journal keeps them, then as far as a backend has them. */
export const older =
  (journal: Journal["Service"], backend: typeof OlderRows.Service) =>
  (asked: PastAsked): Effect.Effect<Page> =>
    Effect.flatMap(pastIn(journal, asked), (found): Effect.Effect<Page> => {
      if (found === "unavailable") return Effect.succeed(found)
      const { before, collection, end = before, limit } = asked
      const missing = limit - (found?.length ?? 0)
      const asking =
        missing <= 0 ? undefined : backend({ collection, before: found?.at(-1)?.key ?? end, limit: missing })
      return asking === undefined
        ? Effect.succeed(found)
        : asking.pipe(
            Effect.map((rows) => [...(found ?? []), ...rows.map((row) => ({ ...row, collection }))]),
            Effect.catch(() => Effect.succeed("unavailable" as const))
          )
    })

/** So often a page is begun anew because rows have left the live window meanwhile. */
const maxLooks = 8

/** Live rows first, from the newest on, then those that are history. */
export const past =
  (state: State, older: (asked: PastAsked) => Effect.Effect<Page>) =>
  (collection: string, before: string | undefined, limit: number): Effect.Effect<Page> => {
    const looked = (tries: number): Effect.Effect<Page> =>
      Effect.suspend((): Effect.Effect<Page> => {
        const table = state.tables.get(collection)
        const from = before === undefined ? undefined : (table?.live.get(before) ?? table?.dead.get(before))
        const born =
          before === undefined
            ? Infinity
            : from?.evicted === true
              ? undefined
              : (from?.born ?? placed(table, before))
        const isLive = born !== undefined
        const rows = isLive ? newest(state, collection, born, limit) : []
        if (rows.length === limit) return Effect.succeed(rows)
        return Effect.flatMap(
          older({
            collection,
            before: isLive ? undefined : before,
            limit: limit - rows.length,
            end: rows.at(-1)?.key ?? before
          }),
          (found): Effect.Effect<Page> => {
            if (typeof found !== "object") return Effect.succeed(found)
            const told = new Set(rows.map(({ key }) => key))
            // Some have left since we looked: they are in both, and take the places of others.
            const moved = found.findLastIndex(({ key }) => key === before || told.has(key)) + 1
            if (moved > 0 && tries > 1) return looked(tries - 1)
            const others = found.slice(moved)
            const known = new Set(state.describe(collection).fields)
            return Effect.map(declaredOf(others, known), (others) => [...rows, ...others])
          }
        )
      })
    return looked(maxLooks)
  }

/** Characters of rows that are read between two turns of the loop. */
const readAtOnce = 256 * 1024

/** As they are declared now: they are kept as they were last, which may be from before a field was taken out of the schema. */
const declaredOf = Effect.fnUntraced(function* (
  rows: ReadonlyArray<Past>,
  known: ReadonlySet<string>
): Effect.fn.Return<ReadonlyArray<Past>> {
  const fitted: Array<Past> = []
  let size = 0
  for (const past of rows) {
    const kept = JSON.parse(past.row) as Row
    const row = knownOf(kept, known)
    fitted.push(row === kept ? past : { ...past, row: JSON.stringify(row) })
    size += past.row.length
    if (size < readAtOnce) continue
    size = 0
    yield* Effect.yieldNow
  }
  return fitted
})

/** Of a row that is forgotten, whose key tells when it was: one more than the birth of the live row before it. */
const placed = (table: Table | undefined, before: string): number | undefined => {
  if (!isGivenKey(before)) return undefined
  let older: Entry | undefined
  for (const entry of table?.live.values() ?? [])
    if (isGivenKey(entry.key) && entry.key < before) older = entry
  return older === undefined ? undefined : older.born + 1
}

const newest = (state: State, collection: string, born: number, limit: number): ReadonlyArray<Past> => {
  const rows: Array<Past> = []
  for (const entry of [...(state.tables.get(collection)?.live.values() ?? [])].toReversed()) {
    if (rows.length >= limit) break
    if (entry.born < born) rows.push({ collection, key: entry.key, row: JSON.stringify(entry.row) })
  }
  return rows
}
