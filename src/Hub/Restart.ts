/**
 * How a run begins: with the state that the journal kept, fitted to the config of today. What a client may hold that the
 * config no longer describes is taken back by raising floors, so that it is told the collection whole.
 */
import { createHash } from "node:crypto"

import { Effect, Schema } from "effect"

import type { Answered } from "../Answered.ts"
import { type Catalog, type Declared, declares } from "../Catalog.ts"
import { type Commit, type Delta, familyOf, firstHealth } from "../Collection.ts"
import { checkpointOf, type Declaration, describedOf, describer, replayed, tableOf } from "./Checkpoint.ts"
import { fitting, refitted, valuesOf } from "./Fitting.ts"
import { Forgettable } from "./Forgettable.ts"
import { Journal, JournalFailed } from "./Journal.ts"
import { counted, Lost } from "./Lost.ts"
import type { Memory, State } from "./State.ts"

export interface Restarted {
  readonly state: State
  /** To be made before anybody reads; `undefined` where nothing was kept. */
  readonly first: Commit | undefined
  /** Writes of the last day that may come again. */
  readonly answered: ReadonlyArray<Answered>
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
  const collections = declarationsOf(catalog)
  const fresh = { epoch, collections }
  const kept = yield* journal.open(fresh)
  const state = yield* Effect.try({
    try: () => replayed(kept, memory),
    catch: (error) => new JournalFailed({ file: journal.file, trouble: "corrupt", detail: String(error) })
  }).pipe(
    Effect.catch((failure) =>
      journal.abandon === undefined
        ? Effect.fail(failure)
        : Effect.map(journal.abandon(failure), () => replayed({ ...fresh, pieces: [], entries: [] }, memory))
    )
  )
  state.describe = describer(collections)
  yield* bringChanged(state, kept.collections, collections, memory)
  const { lost, notes } = fit(state, catalog, changedShapes(kept.collections, collections))
  const forgettable = yield* Forgettable
  const dear = [...lost.names()].filter((name) => !forgettable.has(name))
  if (dear.length > 0)
    return yield* new JournalFailed({
      file: journal.file,
      trouble: "unfit",
      detail: `${dear.map((name) => lost.said(name)).join("; ")}; FORGET_WRITTEN=${dear.join()} starts without them`
    })
  const idle = [...forgettable].filter((name) => !dear.includes(name) && !lost.has(name))
  if (idle.length > 0)
    yield* Effect.logWarning(`FORGET_WRITTEN names ${idle.join(", ")}, of which there is nothing to forget`)
  // Also where only what the journal holds was otherwise: it would be said, and done, at every start.
  if (notes.length > 0 || JSON.stringify(kept.collections) !== JSON.stringify(collections))
    yield* journal.replace({ collections, pieces: [...checkpointOf(state)] })
  for (const note of notes) yield* Effect.logWarning(note)
  if (state.revision === 0 && journal.outlives()) yield* Effect.logInfo(`begins anew in ${journal.file}`)
  if (state.revision > 0) {
    const rows = [...state.names()].reduce((sum, name) => sum + state.size(name), 0)
    yield* Effect.logInfo(`goes on at revision ${state.revision}, with ${counted(rows)}`)
  }
  const deltas = new Map([...stale(state, catalog), ...unloaded(state)])
  const first = state.revision === 0 ? undefined : { at, deltas, asOf: new Map<string, number>() }
  return { state, first, answered: kept.answered ?? [] }
})

/** Members that are paged out have to be fitted, too, where their family is declared otherwise now. */
const bringChanged = Effect.fnUntraced(function* (
  state: State,
  before: ReadonlyArray<Declaration>,
  now: ReadonlyArray<Declaration>,
  memory: Memory
): Effect.fn.Return<void, JournalFailed, Journal> {
  const journal = yield* Journal
  const declared = new Map(before.map((each) => [each.name, JSON.stringify(each)]))
  const same = new Set(
    now.filter((each) => declared.get(each.name) === JSON.stringify(each)).map(({ name }) => name)
  )
  for (const name of state.away.keys()) {
    if (same.has(familyOf(name)!.family)) continue
    const text = yield* journal.member(name)
    const failed = (detail: string) => new JournalFailed({ file: journal.file, trouble: "corrupt", detail })
    if (text === undefined) return yield* failed(`nothing is kept of ${name}`)
    const table = yield* Effect.try({
      try: () => tableOf(text, memory),
      catch: (error) => failed(String(error))
    })
    state.pageIn(name, () => table)
  }
})

/** Nobody knows whether what was live then is so now; what needs no upstream still is. */
const stale = (state: State, catalog: Catalog["Service"]): ReadonlyMap<string, Delta> =>
  new Map(
    [...state.tables]
      .filter(([name, { health }]) => health.state === "live" && declares(catalog, name)!.sources.length > 0)
      .map(([name]) => [name, { ...unchanged, health: { state: "stale" } }])
  )

/** What was waiting for rows from elsewhere, and has no elsewhere any more. */
const unloaded = (state: State): ReadonlyMap<string, Delta> =>
  new Map(
    [...state.tables]
      .filter(
        ([, { collection, health }]) => firstHealth(collection).state === "live" && health.state !== "live"
      )
      .map(([name]) => [name, { ...unchanged, health: { state: "live" } }])
  )

const unchanged = { put: new Map(), set: new Map(), remove: [], evict: [] }

/** Collections as the journal keeps them, with what tells whether the rows kept fit the config of another day. */
export const declarationsOf = ({ declared }: Catalog["Service"]): ReadonlyArray<Declaration> =>
  [...declared.values()].map(declarationOf)

const declarationOf = ({ collection, family, row }: Declared): Declaration => ({
  ...describedOf(collection),
  ...(family ? { family } : {}),
  shape: createHash("sha1")
    .update(JSON.stringify(Schema.toJsonSchemaDocument(Schema.toType(row))))
    .digest("base64url")
})

const changedShapes = (
  before: ReadonlyArray<Declaration>,
  now: ReadonlyArray<Declaration>
): ReadonlySet<string> => {
  const shapes = new Map(before.map(({ name, shape }) => [name, shape]))
  return new Set(now.filter(({ name, shape }) => shapes.get(name) !== shape).map(({ name }) => name))
}

/** What the config declares otherwise now. Whoever stands at the newest revision, too, has to be told it whole. */
const fit = (
  state: State,
  catalog: Catalog["Service"],
  otherShapes: ReadonlySet<string>
): { readonly notes: ReadonlyArray<string>; readonly lost: Lost } => {
  const notes: Array<string> = []
  const lost = new Lost()
  const floor = state.revision + 1
  const forget = (name: string, why: string) => {
    state.tables.delete(name)
    state.floor = floor
    notes.push(`${name} ${why}`)
  }
  for (const [name, table] of state.tables) {
    const declared = declares(catalog, name)
    const before = table.collection
    const loses = (rows: number, why: string) => {
      if (before.kind === "written" && rows > 0) lost.add(name, rows, why)
    }
    if (declared === undefined) {
      loses(table.live.size, "of a collection that is no longer declared")
      forget(name, "is no longer in the config: its rows are forgotten")
      continue
    }
    const now = { ...declared.collection, name }
    if (now.key !== before.key || now.kind !== before.kind) {
      loses(table.live.size, "under another key, or of another kind of collection")
      forget(name, "has another key or kind than in the last run: its rows are read anew")
      continue
    }
    const isOtherwise = otherShapes.has(declared.name)
    if (!isOtherwise && JSON.stringify(describedOf(now)) === JSON.stringify(describedOf(before))) continue
    const fits = isOtherwise ? fitting(declared) : () => undefined
    const { misfits, table: fitted } = refitted(table, now, floor, fits)
    state.tables.set(name, fitted)
    loses(misfits.rows, `that its schema does not take any more: ${misfits.why}`)
    const known = new Set(now.fields)
    for (const name of before.fields)
      if (!known.has(name))
        loses(valuesOf(table, name), `with a value of "${name}", which its schema has no more`)
    if (misfits.rows > 0)
      notes.push(
        `${name}: ${counted(misfits.rows)} do not fit its schema any more, and are ${before.kind === "written" ? "deleted" : "read anew"}`
      )
    else if (fitted.floor === floor)
      notes.push(`${name} has lost fields since the last run: readers get it whole`)
  }
  // In the order of the config's: what is derived from what is forgotten here is forgotten, too.
  const isUnread = (input: string) =>
    (state.tables.get(input)?.health ?? firstHealth(catalog.declared.get(input)!.collection)).state ===
    "loading"
  for (const { inputs, name } of catalog.declared.values()) {
    const lost = [...inputs.values()].find(isUnread)
    const table = state.tables.get(name)
    const isLoading = table === undefined || (table.health.state === "loading" && table.live.size === 0)
    if (lost !== undefined && !isLoading)
      forget(name, `is derived from ${lost}, which is read anew: so are its rows`)
  }
  return { notes, lost }
}
