/** A client in memory: what it was told, and what it holds. How it is told is its road's affair (Roads.ts). */
import { familyOf } from "../Collection.ts"
import { didYouMean } from "../Nearest.ts"
import { Held, type Message, type Part } from "./Held.ts"
import type { ProblemDetails } from "./Mistakes.ts"

export type Road = "stream" | "socket" | "changes" | "snapshot"

/** What a message says of one collection, without when that was read. */
export type News = Omit<Part, "asOf">

/** How a collection is, as a client was told. */
export interface CollectionState {
  readonly state: string
  /** The code, while it is `stale`. */
  readonly error?: string
}

/** What stands behind a client while it is there. */
export interface Connecting {
  readonly connect: (client: Client) => Promise<void>
  readonly disconnect: (client: Client) => Promise<void>
}

export class Client {
  readonly road: Road
  /** What it asked, without the question mark. */
  readonly query: string
  /** Why it was refused when it came back, if it was. */
  problem: ProblemDetails | undefined
  private readonly held = new Held()
  private readonly connecting: Connecting
  private inbox: Array<Message> = []

  constructor(road: Road, query: string, connecting: Connecting) {
    this.road = road
    this.query = query
    this.connecting = connecting
  }

  /** The messages since the last `take` or `news`, as JSON, pings and goodbyes among them. */
  take(): ReadonlyArray<Message> {
    const taken = this.inbox
    this.inbox = []
    return taken
  }

  /**
   * What the messages since the last `take` or `news` said of the collections, one entry for each snapshot or change, without
   * `asOf`. Pings and goodbyes are no news.
   */
  news(): ReadonlyArray<{ readonly [collection: string]: News }> {
    return this.take().flatMap(({ collections }) => (collections === undefined ? [] : [newsOf(collections)]))
  }

  /** The rows it holds now, by key. Throws where it holds no such collection. */
  rows(collection: string): { readonly [key: string]: { readonly [field: string]: unknown } } {
    this.know(collection)
    return this.held.rowsOf(collection)
  }

  /** `{ state: "live" }`, `{ state: "stale", error: "upstream_status" }`. Throws where it holds no such collection. */
  state(collection: string): CollectionState {
    this.know(collection)
    const state = this.held.states.get(collection) ?? "loading"
    const error = this.held.errors.get(collection)
    return error === undefined ? { state } : { state, error }
  }

  /** Where it stands; `undefined` before its first message. */
  get cursor(): string | undefined {
    return this.held.cursor
  }

  /** Goes away without a word, until `connect`. */
  disconnect(): Promise<void> {
    return this.connecting.disconnect(this)
  }

  /** Comes back with the cursor it has. */
  connect(): Promise<void> {
    return this.connecting.connect(this)
  }

  /** @internal */
  receive(text: string): void {
    this.inbox.push(this.held.receive(text))
  }

  /** @internal An empty answer to a long poll moves it too. */
  moveTo(cursor: string): void {
    this.held.cursor = cursor
  }

  private know(collection: string): void {
    const { rows } = this.held
    // A member of a family that has no rows need not be there.
    if (rows.has(collection) || familyOf(collection) !== undefined) return
    const names = [...rows.keys()]
    throw new Error(
      names.length === 0
        ? `this client has not been told anything yet: not of ${JSON.stringify(collection)}`
        : `this client holds no ${JSON.stringify(collection)}${didYouMean(collection, names)}; it holds ${names.join(", ")}`
    )
  }
}

const newsOf = (collections: { readonly [name: string]: Part }): { readonly [name: string]: News } =>
  Object.fromEntries(
    Object.entries(collections).map(([name, part]) => {
      const { asOf, ...news } = part
      return [name, asOf === undefined ? part : news]
    })
  )
