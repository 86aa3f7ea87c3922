/**
 * How a run begins: with the state that the journal kept, fitted to the config of today. What a client may hold that the
 * config no longer describes is taken back by raising floors, so that it is told the collection whole.
 */
import { Effect } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import type { Collection, Commit, Delta } from "../Collection.ts"
import { checkpointOf, describedOf, describer, replay } from "./Checkpoint.ts"
import { Journal, JournalFailed } from "./Journal.ts"
import type { Memory, State } from "./State.ts"
import { Table } from "./Table.ts"

export interface Restarted {
  readonly state: State
  /** To be made before anybody reads; `undefined` where nothing was kept. */
  readonly first: Commit | undefined
}

/** `at`: ms since 1970. `epoch`: for a journal that is empty. */
export const restart = Effect.fnUntraced(function* (options: {
  readonly catalog: Catalog["Service"]
  readonly memory: Memory
  readonly epoch: string
  readonly at: number
}): Effect.fn.Return<Restarted, JournalFailed, Journal> {
  const { at, catalog, epoch, memory } = options
  const journal = yield* Journal
  const collections = [...catalog.declared.values()].map(({ collection }) => describedOf(collection))
  const fresh = { epoch, collections }
  const kept = yield* journal.open(fresh)
  const state = yield* Effect.try({
    try: () => lastOf(replay(kept, memory)),
    catch: (error) => new JournalFailed({ file: journal.file, trouble: "corrupt", detail: String(error) })
  }).pipe(
    Effect.catch((failure) =>
      journal.abandon === undefined
        ? Effect.fail(failure)
        : Effect.map(journal.abandon(failure), () =>
            lastOf(replay({ ...fresh, pieces: [], entries: [] }, memory))
          )
    )
  )
  state.describe = describer(collections)
  const notes = fit(state, (name) => {
    const found = declares(catalog, name)?.collection
    return found === undefined ? undefined : { ...found, name }
  })
  if (JSON.stringify(kept.collections) !== JSON.stringify(collections))
    yield* journal.replace({ collections, pieces: [...checkpointOf(state)] })
  for (const note of notes) yield* Effect.logWarning(note)
  if (state.revision > 0) {
    const rows = [...state.tables.values()].reduce((sum, { size }) => sum + size, 0)
    yield* Effect.logInfo(`goes on at revision ${state.revision}, with ${rows} rows`)
  }
  return { state, first: state.revision === 0 ? undefined : { at, deltas: stale(state), asOf: new Map() } }
})

const lastOf = <A>(steps: Generator<void, A>): A => {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** Nobody knows whether what was live then is so now. */
const stale = (state: State): ReadonlyMap<string, Delta> =>
  new Map(
    [...state.tables]
      .filter(([, { health }]) => health.state === "live")
      .map(([name]) => [
        name,
        { put: new Map(), set: new Map(), remove: [], evict: [], health: { state: "stale" } }
      ])
  )

/** What the config declares otherwise now. Whoever stands at the newest revision, too, has to be told it whole. */
const fit = (state: State, declared: (name: string) => Collection | undefined): ReadonlyArray<string> => {
  const notes: Array<string> = []
  const floor = state.revision + 1
  for (const [name, table] of state.tables) {
    const now = declared(name)
    const before = table.collection
    if (now !== undefined && JSON.stringify(describedOf(now)) === JSON.stringify(describedOf(before)))
      continue
    if (now === undefined || now.key !== before.key || now.kind !== before.kind) {
      state.tables.delete(name)
      state.floor = floor
      notes.push(
        now === undefined
          ? `${name} is no longer in the config: its rows are forgotten`
          : `${name} has another key or kind than in the last run: its rows are read anew`
      )
    } else {
      state.tables.set(name, refitted(table, now, floor))
      notes.push(`${name} has other fields than in the last run: readers get it whole`)
    }
  }
  return notes
}

const refitted = (table: Table, collection: Collection, floor: number): Table => {
  const { asOf, health, healthRev, minTombstones, rev } = table
  const fitted = new Table(collection, floor, minTombstones)
  Object.assign(fitted, { asOf, health, healthRev, rev })
  const known = new Set(collection.fields)
  for (const kept of table.kept()) {
    const row = Object.fromEntries(Object.entries(kept.row).filter(([name]) => known.has(name)))
    fitted.restore({ ...kept, row, fieldRevs: collection.fields.map(() => kept.rev) })
  }
  fitted.restored()
  return fitted
}
