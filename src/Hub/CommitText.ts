/** A commit as text: what the chain of tips is made over, and what the journal keeps. */
import { type Commit, type Delta, type Edit, field, type Health, type Json, type Row } from "../Collection.ts"
import { changeText } from "./Message.ts"

/** Rows that are written between two pieces: a few ms of the loop that serves readers. */
const rowsAtOnce = 1_000

/** The text, in pieces that make it together: a first commit of 42,000 rows takes 100 ms to write. */
export const commitPieces = function* ({ asOf, at, deltas }: Commit): Generator<string> {
  yield `{"at":${at},"collections":{`
  let isFirst = true
  for (const [name, { evict, health, put, remove, set }] of deltas) {
    yield `${isFirst ? "" : ","}${JSON.stringify(name)}:{`
    isFirst = false
    const nothing = { put: new Map(), set: new Map(), unset: new Map(), remove: [], evict: [] }
    const before = changeText(
      { ...nothing, ...(health === undefined ? {} : { health }), remove: [...remove], evict: [...evict] },
      asOf.get(name)
    ).slice(1, -1)
    yield before
    let comma = before === "" ? "" : ","
    if (put.size > 0) {
      yield `${comma}"put":{`
      yield* rowPieces(put)
      yield "}"
      comma = ","
    }
    const after = changeText(
      {
        ...nothing,
        set: new Map([...set].map(([key, edit]) => [key, present(edit)])),
        unset: new Map(
          [...set].map(([key, edit]) => [key, absent(edit)] as const).filter(([, names]) => names.length > 0)
        )
      },
      undefined
    ).slice(1, -1)
    yield `${after === "" ? "" : comma}${after}}`
  }
  yield "}}"
}

const rowPieces = function* (rows: Iterable<readonly [string, Row]>): Generator<string> {
  let text = ""
  let written = 0
  for (const [key, row] of rows) {
    text += `${written === 0 ? "" : ","}${JSON.stringify(key)}:${JSON.stringify(row)}`
    if (++written % rowsAtOnce !== 0) continue
    yield text
    text = ""
  }
  yield text
}

export const commitText = (commit: Commit): string => [...commitPieces(commit)].join("")

interface Told {
  readonly state?: Health["state"]
  readonly error?: Health["error"]
  readonly asOf?: number
  readonly remove?: ReadonlyArray<string>
  readonly evict?: ReadonlyArray<string>
  readonly put?: { readonly [key: string]: Row }
  readonly set?: { readonly [key: string]: Row }
  readonly unset?: { readonly [key: string]: ReadonlyArray<string> }
}

/** The commit of a text, over the rows as they were before it. */
export const commitOf = (
  text: string,
  rowAt: (collection: string, key: string) => Row | undefined
): Commit => {
  const { at, collections } = JSON.parse(text) as {
    readonly at: number
    readonly collections: { readonly [name: string]: Told }
  }
  const told = Object.entries(collections)
  return {
    at,
    deltas: new Map(told.map(([name, part]) => [name, deltaOf(part, (key) => rowAt(name, key))])),
    asOf: new Map(told.flatMap(([name, { asOf }]) => (asOf === undefined ? [] : [[name, asOf] as const])))
  }
}

const deltaOf = (part: Told, rowAt: (key: string) => Row | undefined): Delta => {
  const sets = new Map(Object.entries(part.set ?? {}))
  const unsets = new Map(Object.entries(part.unset ?? {}))
  const edits = new Map<string, Edit>()
  for (const key of new Set([...sets.keys(), ...unsets.keys()])) {
    const before = rowAt(key)
    // Of a row that is not there: an edit of it does nothing.
    if (before === undefined) continue
    const set = Object.entries(sets.get(key) ?? {})
    const unset = unsets.get(key) ?? []
    const values = new Map<string, Json>([...Object.entries(before), ...set])
    for (const name of unset) values.delete(name)
    edits.set(key, { row: Object.fromEntries(values), fields: [...set.map(([name]) => name), ...unset] })
  }
  return {
    put: new Map(Object.entries(part.put ?? {})),
    set: edits,
    remove: part.remove ?? [],
    evict: part.evict ?? [],
    ...(part.state === undefined
      ? {}
      : { health: { state: part.state, ...(part.error === undefined ? {} : { error: part.error }) } })
  }
}

const present = ({ fields, row }: Edit): Row =>
  Object.fromEntries(
    fields.map((name) => [name, field(row, name)]).filter(([, value]) => value !== undefined)
  )

const absent = ({ fields, row }: Edit): ReadonlyArray<string> =>
  fields.filter((name) => field(row, name) === undefined)
