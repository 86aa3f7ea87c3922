/** Messages as text, as they come over any road, and what of the page takes them. */
import { join } from "node:path"

export const folder = join(import.meta.dirname, "../../../examples/dex/page")

export const load = <A>(name: string): Promise<A> => import(join(folder, name)) as Promise<A>

export interface Collection {
  readonly state: string
  readonly error: { readonly code: string } | undefined
  readonly asOf: number | undefined
  readonly rows: Map<string, Map<string, unknown>>
}

export interface Receipt {
  readonly type: string
  readonly outcome: "applied" | "ignored" | "again"
  readonly size: number
  readonly rows: number
  readonly fields: number
  readonly touched: Map<string, "all" | Set<string>>
}

export interface Cast {
  readonly cursor: string | undefined
  readonly collections: Map<string, Collection>
  readonly take: (text: string) => Receipt
  readonly pass: (cursor: string) => void
}

export const { Cast } = await load<{ readonly Cast: new () => Cast }>("cast.js")

export const snapshot = (cursor: string, collections: object) =>
  JSON.stringify({ type: "snapshot", cursor, reason: "initial", at: 1, collections })
export const change = (from: string, cursor: string, collections: object) =>
  JSON.stringify({ type: "change", from, cursor, commits: 1, at: 2, collections })
export const ping = (from: string, cursor: string, asOf = {}) =>
  JSON.stringify({ type: "ping", from, cursor, at: 3, interval: 15_000, asOf })
