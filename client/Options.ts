/** What is given to `connect`, and what it gives. */
import type { NameOf, RowOf } from "./Api.ts"
import type { CastError } from "./CastError.ts"
import type { Collection } from "./Collection.ts"
import type { Token } from "./Link.ts"
import type { Road } from "./Road.ts"
import type { SnapshotMessage } from "./Wire.ts"

export type RoadName = "socket" | "stream" | "changes"

export type Interval = `${number}ms` | `${number}s`

export interface Options<Name extends string> {
  readonly collections: ReadonlyArray<Name>
  /** The best first; another is taken where one does not hold. Default: all three. */
  readonly roads?: ReadonlyArray<RoadName>
  /** At most one change in this time, from `50ms` to `60s`. */
  readonly interval?: Interval
  /** Other parameters of the query: `keys`, `fields`, `where`, or of one collection `pools.where`. */
  readonly query?: { readonly [parameter: string]: string }
  /** A JWT, or what gets one: asked again when it has expired or is refused. */
  readonly token?: Token
  /** What goes on while the page is hidden. The others rest after 30 s. */
  readonly keepAlive?: ReadonlyArray<Name>
  /** What is shown at first, and gone on with: of `inlined()`, or of `snapshotOf` that was kept. */
  readonly from?: SnapshotMessage | undefined
  readonly fetch?: typeof fetch
  readonly WebSocket?: typeof WebSocket
  /** Whether cookies go to another origin. */
  readonly credentials?: "omit" | "same-origin" | "include"
  /** One road for several casts. */
  readonly share?: Share
  /** Is told every message as it came. */
  readonly trace?: (text: string, road: string) => void
}

/** A road in place of another, for a cast that may follow what somebody else's road brings. */
export type Share = (road: Road, cast: Holding) => Road

/** What is asked for now, how far it has come, and whose rows it has given: of one query, so of one cursor. */
export interface Lane {
  readonly query: { readonly [parameter: string]: string }
  readonly cursor?: string | undefined
  readonly names: ReadonlySet<string>
}

/** What a cast has. */
export interface Holding {
  /** Whatever is held: with patterns (`support:*`) there are more as they come. */
  readonly collections: ReadonlyMap<string, Collection>
  readonly lane: Lane
}

export interface Status {
  /**
   * `connecting`: there are no rows yet. `live`: rows are as new as they can be. `stale`: they may be old, since the
   * connection or an upstream is lost. `offline`: so says the browser. `failed`: for good, see `error`.
   */
  readonly state: "live" | "stale" | "connecting" | "offline" | "failed"
  readonly road: string
  readonly cursor: string | undefined
  /** When the upstream of the oldest collection last answered well, ms since 1970. */
  readonly asOf: number | undefined
  /** When it is tried again, ms since 1970. */
  readonly retryAt: number | undefined
  /** What stood in the way last, while the connection is lost; for good where `state` is `failed`. */
  readonly error: CastError | undefined
}

export interface Casting<A> extends Holding {
  /** Of any name, also one that nothing is known of yet, such as a member of a family. */
  readonly collection: <Name extends NameOf<A>>(name: Name) => Collection<RowOf<A, Name>>
  /** The same object until it changes. */
  readonly status: Status
  /** As it was before anything was read: what a server has rendered. */
  readonly initial: Status
  /** Tells when the status changes, gathered as rows are; reads for as long as it is subscribed. */
  readonly subscribe: (changed: () => void) => () => void
  /** When there are rows. Fails with a `CastError` where there will be none. */
  readonly ready: () => Promise<void>
  /** Tries again now: after a login, or where it had failed. */
  readonly reconnect: () => void
  /** Ends it for good. */
  readonly close: () => void
}

export type Cast<A, Name extends string = NameOf<A>> = Casting<A> & {
  readonly [N in Exclude<Name, keyof Casting<A>>]: Collection<RowOf<A, N>>
}
