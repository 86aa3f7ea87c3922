/**
 * Messages as text, the same on every road (docs/protocol.md, *Messages*). Written piece by piece and never through an
 * object with the rows' keys as its names: assigning `__proto__` would lose it.
 */
import type { Collection, Health, Row } from "../Collection.ts"
import type { Change, Changes } from "./Changes.ts"
import type { Reason } from "./State.ts"

/** A client without any other message for this long gets a ping, ms. */
export const pingEvery = 15_000

export type GoodbyeCode =
  | "rotation"
  | "shutdown"
  | "stalled"
  | "expired"
  | "revoked"
  | "unauthenticated"
  | "forbidden"
  | "unknown_collection"
  | "bad_message"
  | "too_large"
  | "too_many"
  | "idle"

const object = (members: Iterable<readonly [string, string]>): string => {
  let text = ""
  for (const [name, value] of members) text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${value}`
  return `{${text}}`
}

const rowsText = (rows: Iterable<readonly [string, Row]>): string => {
  let text = ""
  for (const [key, row] of rows)
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${JSON.stringify(row)}`
  return `{${text}}`
}

/** `error` goes with `state`: a part that names a state without an error has none. */
export const healthMembers = (health: Health): ReadonlyArray<readonly [string, string]> =>
  health.error === undefined
    ? [["state", JSON.stringify(health.state)]]
    : [
        ["state", JSON.stringify(health.state)],
        ["error", JSON.stringify({ code: health.error.code, detail: health.error.detail })]
      ]

const asOfMember = (asOf: number | undefined): ReadonlyArray<readonly [string, string]> =>
  asOf === undefined || asOf === 0 ? [] : [["asOf", String(asOf)]]

/** Written without lists in between: a reader whose query is its own has this done for it alone, at every commit. */
export const changeText = (change: Change, asOf: number | undefined): string => {
  let text = ""
  if (change.health !== undefined) text += `,${object(healthMembers(change.health)).slice(1, -1)}`
  if (asOf !== undefined && asOf !== 0) text += `,"asOf":${asOf}`
  if (change.rows !== undefined) text += `,"rows":${rowsText(change.rows)}`
  if (change.remove.length > 0) text += `,"remove":${JSON.stringify(change.remove)}`
  if (change.evict.length > 0) text += `,"evict":${JSON.stringify(change.evict)}`
  if (change.skipped !== undefined) text += `,"skipped":${change.skipped}`
  if (change.put.size > 0) text += `,"put":${rowsText(change.put)}`
  if (change.set.size > 0) text += `,"set":${rowsText(change.set)}`
  if (change.unset.size > 0) {
    const names = [...change.unset].map(([key, names]) => [key, JSON.stringify(names)] as const)
    text += `,"unset":${object(names)}`
  }
  return `{${text.slice(1)}}`
}

export const collectionsText = (
  changes: Changes,
  asOf: (collection: string) => number | undefined
): string => {
  let text = ""
  for (const [name, change] of changes)
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${changeText(change, asOf(name))}`
  return `{${text}}`
}

export const changeMessage = (options: {
  readonly from: string
  readonly cursor: string
  /** revisions passed, of any collection */
  readonly commits: number
  readonly at: number
  readonly changes: Changes
  readonly asOf: (collection: string) => number | undefined
}): string => {
  // A cursor holds nothing that JSON would write otherwise (Cursor.ts).
  const { asOf, at, changes, commits, cursor, from } = options
  return `{"type":"change","from":"${from}","cursor":"${cursor}","commits":${commits},"at":${at},"collections":${collectionsText(changes, asOf)}}`
}

export const pingMessage = (options: {
  readonly from: string
  readonly cursor: string
  readonly at: number
  readonly asOf: Iterable<readonly [collection: string, asOf: number]>
  /** For a client that pings, too: its connection. */
  readonly connection?: string
  /** For a client that came with a ticket: another one. */
  readonly ticket?: string
}): string =>
  object([
    ["type", '"ping"'],
    ["from", JSON.stringify(options.from)],
    ["cursor", JSON.stringify(options.cursor)],
    ["at", String(options.at)],
    ["interval", String(pingEvery)],
    ["asOf", object([...options.asOf].map(([name, at]) => [name, String(at)]))],
    ...(options.connection === undefined
      ? []
      : [["connection", JSON.stringify(options.connection)] as const]),
    ...(options.ticket === undefined ? [] : [["ticket", JSON.stringify(options.ticket)] as const])
  ])

/** What stands before the collections of a snapshot; a `}` closes it after them. */
export const snapshotHead = (options: {
  readonly cursor: string
  readonly reason: Reason
  readonly at: number
}): string =>
  `{"type":"snapshot","cursor":${JSON.stringify(options.cursor)},"reason":"${options.reason}","at":${options.at},"collections":`

/** What stays live of a written collection, and whether there is history behind it. */
export interface Window {
  readonly retain: NonNullable<Collection["retain"]>
  readonly more: boolean
}

const windowMembers = ({ more, retain }: Window): ReadonlyArray<readonly [string, string]> => [
  ["retain", JSON.stringify(retain)],
  ...(more ? [["more", "true"] as const] : [])
]

/** What stands before the rows of one collection in a snapshot; a `}` closes it after them. */
export const snapshotPartHead = (health: Health, asOf: number, window?: Window): string =>
  `${object([...healthMembers(health), ...asOfMember(asOf), ...(window === undefined ? [] : windowMembers(window))]).slice(0, -1)},"rows":`

export const goodbyeMessage = (code: GoodbyeCode, retryAfterMs: number | undefined, extra?: object): string =>
  JSON.stringify({ type: "goodbye", code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }), ...extra })
