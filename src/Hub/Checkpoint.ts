/**
 * State as text, in pieces: small enough that writing and reading one leaves the loop to others. The first piece is about
 * the hub, then come the tips, then of each collection its head and its rows.
 *
 * What is kept of a row is more than its values: the revision of every field, of its birth, and of the death before it;
 * without them a client that comes back would be told too little.
 */
import { type Collection, familyOf, type Health, type Row } from "../Collection.ts"
import { commitOf } from "./CommitText.ts"
import type { Kept as KeptHub } from "./Journal.ts"
import { type Memory, State } from "./State.ts"
import { type Kept, Table } from "./Table.ts"

const format = 3
const rowsInPiece = 500
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

/** A collection as JSON. */
export type Described = Omit<Collection, "fixed"> & { readonly fixed: ReadonlyArray<string> }

/** A collection or a family as a config declares it. */
export interface Declaration extends Described {
  readonly family?: boolean
  /** Of the schema of its rows. */
  readonly shape?: string
}

export const describedOf = (collection: Collection): Described => ({
  ...collection,
  fixed: [...collection.fixed]
})
export const collectionOf = ({ fields, fixed, key, kind, loads, name, retain }: Declaration): Collection => ({
  name,
  kind,
  key,
  fields,
  fixed: new Set(fixed),
  ...(retain === undefined ? {} : { retain }),
  ...(loads === undefined ? {} : { loads })
})

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

interface TablePiece {
  readonly collection: Described
  readonly floor: number
  readonly rev: number
  readonly asOf: number
  readonly health: Health
  readonly healthRev: number
  readonly hasPast: boolean
}

/** In order of birth, and of death for those that have died. Revisions of the fields in the order of `fields`. */
type RowLine = readonly [
  key: string,
  row: Row,
  rev: number,
  born: number,
  before: number,
  gone: number,
  evicted: 0 | 1,
  /** One number where all fields have the same. */
  fieldRevs: number | ReadonlyArray<number>,
  bornAt: number
]

interface RowsPiece {
  readonly rows: ReadonlyArray<RowLine>
}

export function* checkpointOf(state: State): Generator<string> {
  const { at, epoch, floor, revision } = state
  yield JSON.stringify({ format, epoch, revision, at, floor } satisfies Head)
  for (let first = state.firstTip; first <= revision; first += tipsInPiece) {
    const last = Math.min(revision, first + tipsInPiece - 1)
    yield JSON.stringify({ first, tips: state.tipsText(first, last) } satisfies TipsPiece)
  }
  for (const table of state.tables.values()) {
    const { asOf, collection, floor, hasPast, health, healthRev, rev } = table
    yield JSON.stringify({
      collection: describedOf(collection),
      floor,
      rev,
      asOf,
      health,
      healthRev,
      hasPast
    } satisfies TablePiece)
    let rows: Array<RowLine> = []
    for (const entry of table.kept()) {
      rows.push(lineOf(entry))
      if (rows.length < rowsInPiece) continue
      yield JSON.stringify({ rows } satisfies RowsPiece)
      rows = []
    }
    if (rows.length > 0) yield JSON.stringify({ rows } satisfies RowsPiece)
  }
}

const lineOf = ({ before, born, bornAt, evicted, fieldRevs, gone, key, rev, row }: Kept): RowLine => [
  key,
  row,
  rev,
  born,
  before,
  gone,
  evicted ? 1 : 0,
  fieldRevs.every((each) => each === fieldRevs[0]) ? (fieldRevs[0] ?? rev) : fieldRevs,
  bornAt
]

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
    const parsed = JSON.parse(piece) as Head | TipsPiece | TablePiece | RowsPiece
    if ("format" in parsed) {
      if (parsed.format !== format) throw new RangeError(`a checkpoint of format ${String(parsed.format)}`)
      const { at, epoch, floor, revision } = parsed
      this.state = new State({ epoch, describe: this.describe, memory: this.memory })
      this.state.restore({ revision, at, floor })
      return
    }
    const state = this.begun()
    if ("tips" in parsed) state.restoreTips(parsed.first, parsed.tips)
    else if ("collection" in parsed) {
      this.table?.restored()
      const { asOf, collection, floor, hasPast, health, healthRev, rev } = parsed
      this.table = new Table(collectionOf(collection), floor, this.memory.tombstones)
      Object.assign(this.table, { asOf, hasPast, health, healthRev, rev })
      state.tables.set(collection.name, this.table)
    } else {
      for (const [key, row, rev, born, before, gone, evicted, revs, bornAt] of parsed.rows) {
        const fieldRevs = typeof revs === "number" ? this.table!.collection.fields.map(() => revs) : revs
        this.table!.restore({ key, row, rev, born, bornAt, before, gone, evicted: evicted === 1, fieldRevs })
      }
    }
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
    state.apply(
      commitOf(text, (name, key) => state.rows(name).get(key)),
      text
    )
    yield
  }
  return state
}
