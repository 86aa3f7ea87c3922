/**
 * State as text, in pieces: small enough that writing and reading one leaves the loop to others. The first piece is about
 * the hub, then come the tips, then of each collection its head and its rows.
 *
 * What is kept of a row is more than its values: the revision of every field, of its birth, and of the death before it;
 * without them a client that comes back would be told too little.
 */
import { type Collection, familyOf } from "../Collection.ts"
import type { Away } from "./Away.ts"
import { commitOf } from "./CommitText.ts"
import type { Kept as KeptHub } from "./Journal.ts"
import { type Memory, State } from "./State.ts"
import type { Table } from "./Table.ts"
import {
  collectionOf,
  type Described,
  restoreRows,
  type RowsPiece,
  type TablePiece,
  tableOf,
  tableOfHead,
  tablePieces
} from "./TableText.ts"

export { describedOf, tableOf, tableText } from "./TableText.ts"

const format = 3
const awayInPiece = 1_000
const tipsInPiece = 8_192

interface Head {
  readonly format: typeof format
  readonly epoch: string
  readonly revision: number
  readonly at: number
  readonly floor: number
}

/** Consecutive, 12 hex digits each; the first is of this revision. */
interface TipsPiece {
  readonly first: number
  readonly tips: string
}

/** A collection or a family as a config declares it. */
export interface Declaration extends Described {
  readonly family?: boolean
  /** Of the schema of its rows. */
  readonly shape?: string
}

/** What a collection is, by its name, or by that of its family for a member. */
export const describer = (collections: ReadonlyArray<Declaration>): ((name: string) => Collection) => {
  const named = new Map(collections.map((described) => [described.name, collectionOf(described)]))
  return (name) => {
    const found = named.get(familyOf(name)?.family ?? name)
    if (found === undefined)
      throw new RangeError(`a commit to ${JSON.stringify(name)}, which is not declared`)
    return { ...found, name }
  }
}

/** Members that are paged out; their tables are kept beside the checkpoint. */
interface AwayPiece {
  readonly away: ReadonlyArray<readonly [name: string, rev: number, rows: number, oldestAt?: number]>
}

export function* checkpointOf(state: State): Generator<string> {
  const { at, epoch, floor, revision } = state
  yield JSON.stringify({ format, epoch, revision, at, floor } satisfies Head)
  for (let first = state.firstTip; first <= revision; first += tipsInPiece) {
    const last = Math.min(revision, first + tipsInPiece - 1)
    yield JSON.stringify({ first, tips: state.tipsText(first, last) } satisfies TipsPiece)
  }
  for (const table of state.tables.values()) yield* tablePieces(table)
  yield* awayPieces(state.away)
}

function* awayPieces(all: ReadonlyMap<string, Away>): Generator<string> {
  let away: Array<AwayPiece["away"][number]> = []
  for (const [name, { oldestAt, rev, rows }] of all) {
    away.push(oldestAt === undefined ? [name, rev, rows] : [name, rev, rows, oldestAt])
    if (away.length < awayInPiece) continue
    yield JSON.stringify({ away } satisfies AwayPiece)
    away = []
  }
  if (away.length > 0) yield JSON.stringify({ away } satisfies AwayPiece)
}

/** Reads a checkpoint piece by piece. Throws on what is none. */
export class Restoring {
  private readonly describe: (name: string) => Collection
  private readonly memory: Memory
  private state: State | undefined
  private table: Table | undefined

  /** `describe` is for collections that are committed to later; those of the checkpoint are as they were. */
  constructor(describe: (name: string) => Collection, memory: Memory) {
    this.describe = describe
    this.memory = memory
  }

  add(piece: string): void {
    const parsed = JSON.parse(piece) as Head | TipsPiece | TablePiece | RowsPiece | AwayPiece
    if ("format" in parsed) {
      if (parsed.format !== format) throw new RangeError(`a checkpoint of format ${String(parsed.format)}`)
      const { at, epoch, floor, revision } = parsed
      this.state = new State({ epoch, describe: this.describe, memory: this.memory })
      this.state.restore({ revision, at, floor })
      return
    }
    const state = this.begun()
    if ("tips" in parsed) state.restoreTips(parsed.first, parsed.tips)
    else if ("away" in parsed) {
      for (const [name, rev, rows, oldestAt] of parsed.away) state.away.set(name, { rev, rows, oldestAt })
    } else if ("collection" in parsed) {
      this.table?.restored()
      this.table = tableOfHead(parsed, this.memory)
      state.tables.set(parsed.collection.name, this.table)
    } else restoreRows(this.table!, parsed)
  }

  /** The state, when every piece has been added. */
  done(): State {
    this.table?.restored()
    const state = this.begun()
    state.restored()
    return state
  }

  private begun(): State {
    if (this.state === undefined) throw new RangeError("a checkpoint without a head")
    return this.state
  }
}

/** The state of what a journal kept, at once. */
export const replayed = (kept: KeptHub, memory: Memory): State => {
  const steps = replay(kept, memory)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/**
 * The state of what a journal kept, in steps between which others may run. Throws on what no journal of ours wrote.
 */
export function* replay(kept: KeptHub, memory: Memory): Generator<void, State> {
  const describe = describer(kept.collections)
  const restoring = new Restoring(describe, memory)
  for (const piece of kept.pieces) {
    restoring.add(piece)
    yield
  }
  const state =
    kept.pieces.length === 0 ? new State({ epoch: kept.epoch, describe, memory }) : restoring.done()
  for (const { revision, text } of kept.entries) {
    if (revision !== state.revision + 1) throw new RangeError(`revision ${revision} after ${state.revision}`)
    const here = (name: string): string => {
      if (state.away.has(name)) state.pageIn(name, () => tableOf(memberIn(kept, name), memory))
      return name
    }
    const commit = commitOf(text, (name, key) => state.rows(here(name)).get(key))
    for (const name of commit.deltas.keys()) here(name)
    state.apply(commit, text)
    yield
  }
  return state
}

const memberIn = ({ members }: KeptHub, name: string): string => {
  const text = members?.get(name)
  if (text === undefined) throw new RangeError(`a commit to ${name}, of which nothing is kept`)
  return text
}

/** Names of the members that are paged out, in a piece of a checkpoint. */
export const awayIn = (piece: string): ReadonlyArray<string> =>
  piece.startsWith('{"away":') ? (JSON.parse(piece) as AwayPiece).away.map(([name]) => name) : []

/** Names of the members of families in a commit. */
export const membersIn = (text: string): ReadonlyArray<string> =>
  Object.keys((JSON.parse(text) as { readonly collections: object }).collections).filter(
    (name) => familyOf(name) !== undefined
  )

/**
 * Before a checkpoint is made of a replay: members that are kept by themselves just as they are here need not stand in
 * it. Those that it returns are kept by themselves as they were once, and need not be any more.
 */
export const settleMembers = (
  state: State,
  members: Iterable<readonly [name: string, rev: number]>
): ReadonlyArray<readonly [name: string, rev: number]> => {
  const over: Array<readonly [name: string, rev: number]> = []
  for (const [name, rev] of members) {
    const table = state.tables.get(name)
    if (table?.rev === rev) state.pageOut(name)
    else if (rev <= state.revision && !state.away.has(name)) over.push([name, rev])
  }
  return over
}
