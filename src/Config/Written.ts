/** Collections that clients and backends write, and who has a say in it. */
import type { Duration, Effect } from "effect"
import type { HttpClient } from "effect/http"

import type { CollectionOptions, Headers, RowSchema, Source } from "../Config.ts"

/** A write as a hook sees it. */
export interface HookedWrite<A> {
  readonly op: "put" | "patch" | "append" | "delete"
  /** Of the collection, for a member of a family `support:17`. */
  readonly collection: string
  /** Empty where it is still to be given. */
  readonly key: string
  /** The row before it; none where it is new. */
  readonly before: A | undefined
  /** The row after it; none where it is deleted. */
  readonly row: A | undefined
  /** Who writes: the subject of their token. Nobody in particular with the API key, or without a token. */
  readonly sub: string | undefined
  /** By what they showed who they are. */
  readonly by: "nothing" | "token" | "api key"
}

/** What a hook says of a write that shall not be: told to whoever asked for it. */
export interface Refused {
  readonly _tag: "Refused"
  readonly detail: string
}

export const refuse = (detail: string): Refused => ({ _tag: "Refused", detail })

export const isRefused = (said: unknown): said is Refused =>
  typeof said === "object" && said !== null && "_tag" in said && said._tag === "Refused"

export type OnWrite<A> = (
  write: HookedWrite<A>
) => A | Refused | undefined | Effect.Effect<A | Refused | undefined, unknown>

export interface HookOptions {
  /** Is sent every write as JSON, with POST. */
  readonly url: string
  /** An Effect is run before every question: a token that renews. */
  readonly headers?: Headers | Effect.Effect<Headers, unknown, HttpClient.HttpClient>
  /** For one answer, to the last byte. Default 5 s. */
  readonly timeout?: Duration.Input
  /** Questions at once; others wait for their turn. Default 16. */
  readonly concurrency?: number
}

export interface Hook {
  readonly _tag: "Hook"
  readonly options: HookOptions
}

/**
 * A backend's say in writes, in any language: it answers `{ "row": … }` with the row to keep, `{}` or 204 to let the write
 * be, `{ "refuse": "why" }`. Anything else is no answer, and the write is not made.
 */
export const hook = (options: HookOptions): Hook => ({ _tag: "Hook", options })

/** Rows that are in somebody's database: with their keys in the key field. In an Effect there is an HTTP client. */
export type Load<A> = (asked: {
  /** For a member of a family `support:17`, and its `id` is `17`. */
  readonly collection: string
  readonly id: string | undefined
}) => Iterable<A> | Effect.Effect<Iterable<A>, unknown, HttpClient.HttpClient>

/** A page of history that a backend has. */
export interface OlderAsked {
  /** Of the collection, for a member of a family `support:17`. */
  readonly collection: string
  /** The key of the last row that is known here; none where there is none. */
  readonly before: string | undefined
  readonly limit: number
}

/** Rows older than the one at `before`, the newest first, `limit` at most. In an Effect there is an HTTP client. */
export type OnHistory<A> = (
  asked: OlderAsked
) => Iterable<A> | Effect.Effect<Iterable<A>, unknown, HttpClient.HttpClient>

export interface WrittenOptions<A> extends Omit<CollectionOptions<A>, "tolerance"> {
  readonly tolerance?: never
  readonly row: RowSchema<A>
  /** Largest row, as JSON, in bytes. Default 64 KiB. */
  readonly maxBytes?: number
  /**
   * What stays live; rows beyond it are evicted, the oldest first: history from then on. Default: 10,000 rows of any age.
   */
  readonly retain?: { readonly rows?: number; readonly age?: Duration.Input }
  /**
   * How much history there is beyond the live rows: so many `rows` (`Infinity` for all), and none that were born longer ago
   * than `age`. Of each member of a family. Default: 100,000 rows of any age.
   */
  readonly keep?: { readonly rows?: number; readonly age?: Duration.Input }
  /**
   * What an acknowledged write survives: `process` (the default) the death of the daemon, `power` a power cut as well, for
   * which each waits until the disk has it.
   */
  readonly durability?: "process" | "power"
  /**
   * Of a family: a member that nobody has read or written for this long leaves memory, not the journal, and is back when
   * somebody reads or writes it. Default 30 minutes.
   */
  readonly pageOutAfter?: Duration.Input
  /**
   * How often somebody may write to it, a family counting as one: once in this time for each subject, or address where
   * there is none; a backend as it likes. Default: as often as the limits of the daemon say.
   */
  readonly writeEvery?: Duration.Input
  /** Whether a live row may be changed or deleted once it is written. Default `true`. */
  readonly edits?: boolean
  /**
   * Where rows are that were there before: read once, while the collection, or the member of a family, has never had a row.
   * The newest are live, the others history. A function has 30 s.
   */
  readonly load?: Source | Load<A>
  /** A load with more bad rows than this does not count. Default 0.1. */
  readonly maxBad?: number
  /** Which row of what is loaded comes first. Default `oldest`. */
  readonly loadFirst?: "oldest" | "newest"
  /** Is asked for rows that are older than what is kept here; 5 s at most. */
  readonly onHistory?: OnHistory<A>
  /**
   * Has a say in every write: the row to keep, changed or not, or `refuse("why")`; 5 s at most. Or `hook({ … })`, which asks
   * a backend. Other writes do not wait for it; where the row has become another meanwhile, it is asked again.
   */
  readonly onWrite?: OnWrite<A> | Hook
}

export interface Written<A = unknown> {
  readonly _tag: "Written"
  readonly options: WrittenOptions<A>
}

/** A collection whose rows clients and backends write. */
export const written = <A>(options: WrittenOptions<A>): Written<A> => ({ _tag: "Written", options })
