/**
 * The wire of version 1, as in docs/protocol.md: what a server sends, by hand, so that a page needs nothing of the server
 * to read it.
 */
export type Row = { readonly [field: string]: unknown }

export interface Failure {
  readonly code: string
  readonly detail: string
}

/** `loading`: no poll has succeeded yet. `stale`: the last one failed. */
export type CollectionState = "loading" | "live" | "stale"

interface Part {
  /** ms since 1970: when the upstream last answered well. */
  readonly asOf?: number
  readonly state?: CollectionState
  readonly error?: Failure
}

/** A whole collection. */
export interface Whole extends Part {
  readonly rows: { readonly [key: string]: Row }
  /** How many rows stay live, where only a window of them does. */
  readonly retain?: { readonly rows: number; readonly age?: number }
  /** Whether there are older ones: in history. */
  readonly more?: boolean
}

/** What a collection has become, in this order. */
export interface Change extends Part {
  readonly rows?: never
  readonly remove?: ReadonlyArray<string>
  readonly evict?: ReadonlyArray<string>
  readonly put?: { readonly [key: string]: Row }
  readonly set?: { readonly [key: string]: Row }
  readonly unset?: { readonly [key: string]: ReadonlyArray<string> }
  /** Rows that were appended and evicted unseen. */
  readonly skipped?: number
}

export interface SnapshotMessage {
  readonly type: "snapshot"
  readonly cursor: string
  readonly reason: "initial" | "epoch" | "query" | "diverged" | "forgotten" | "smaller"
  /** Of the newest commit in it, ms since 1970. */
  readonly at: number
  readonly collections: { readonly [name: string]: Whole & { readonly state: CollectionState } }
}

export interface ChangeMessage {
  readonly type: "change"
  readonly from: string
  readonly cursor: string
  readonly commits: number
  readonly at: number
  readonly collections: { readonly [name: string]: Change | Whole }
}

export interface PingMessage {
  readonly type: "ping"
  readonly from: string
  readonly cursor: string
  readonly at?: number
  /** When the next one comes at the latest, ms. */
  readonly interval?: number
  readonly asOf?: { readonly [name: string]: number }
}

export interface GoodbyeMessage {
  readonly type: "goodbye"
  readonly code: string
  readonly retryAfterMs?: number
  readonly problem?: Problem
}

export type Message = SnapshotMessage | ChangeMessage | PingMessage | GoodbyeMessage

/** RFC 9457, with a code of ours. */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly code?: string
  readonly detail?: string
  readonly retryAfterMs?: number
}

/** What a write is answered. */
export interface Written {
  readonly epoch: string
  readonly revision: number
  readonly key: string
  readonly row?: Row
}

/** What a refresh is answered. `refreshed`: whether the upstream was asked. */
export interface Refreshed {
  readonly epoch: string
  readonly revision: number
  /** None where the upstream has never answered. */
  readonly asOf?: number
  readonly refreshed: boolean
  /** When it will be asked again at the earliest, ms. */
  readonly retryAfterMs: number
}
