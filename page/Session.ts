/**
 * What the page reads: which collections its caller may, and all of them that are no families over one connection of the
 * public client. Another road, interval or token is another connection, which goes on from the cursor of the one before.
 */
import {
  type Cast,
  type CastError,
  type Collection,
  connect,
  type Options,
  type RoadName,
  type Row,
  type Status
} from "../client/Cast.ts"
import { snapshotOf } from "../client/Snapshot.ts"
import { type Described, isFamily, prefixOf } from "./Described.ts"
import type { Heard } from "./Frame.ts"

export interface Asked {
  /** `auto`: the best that holds. */
  readonly road: "auto" | RoadName
  /** Empty: at once. */
  readonly interval: "" | NonNullable<Options<string>["interval"]>
}

interface Tells {
  /** Other collections, or another connection. */
  readonly opened: () => void
  readonly status: () => void
  readonly changed: (collection: Collection, keys: ReadonlySet<string>) => void
  readonly heard: (heard: Heard) => void
}

type Rows = { readonly [name: string]: Row }
type AnyCast = Cast<Rows, string>

/** Where the daemon is: its page stands at its root, or beside it. */
export const base = new URL(document.documentElement.dataset["base"] ?? "./", document.baseURI).href

/** As often as the daemon's metrics are read: sources and the age of what they said stand side by side. */
const lookEvery = 2_000

/** Tokens are JWTs; what is none can only be the API key, which a socket does not take. */
export const isToken = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)

export class Session {
  described: ReadonlyArray<Described> = []
  /** Why there is nothing to read, where `GET /v1/collections` does not say what there is. */
  problem: { readonly status: number | undefined; readonly detail: string } | undefined
  asked: Asked
  /** In memory alone: what is kept in a page can be read by whatever else runs in it. */
  token = ""
  /** The server's clock minus ours, where they are apart by more than the trip of a message explains. */
  ahead = 0
  private readonly tells: Tells
  private cast: AnyCast | undefined
  private stops: Array<() => void> = []
  private watched = new Set<string>()
  private family: string | undefined

  constructor(asked: Asked, tells: Tells) {
    this.asked = asked
    this.tells = tells
  }

  get status(): Status | undefined {
    return this.cast?.status
  }

  /** Whether it was there, and is not now. */
  get isLost(): boolean {
    return this.status?.retryAt !== undefined || this.status?.state === "offline"
  }

  get now(): number {
    return Date.now() + this.ahead
  }

  /** What the connection asks for. */
  get names(): ReadonlyArray<string> {
    const plain = this.described.map(({ name }) => name).filter((name) => !isFamily(name))
    return this.family === undefined ? plain : [...plain, this.family]
  }

  /** What is held of a collection; of a family, its members. */
  held(name: string): ReadonlyArray<Collection> {
    if (this.cast === undefined) return []
    if (!isFamily(name)) return [this.cast.collection(name)]
    const prefix = prefixOf(name)
    return this.all.filter((one) => one.name.startsWith(prefix))
  }

  /**
   * When the upstream of the oldest collection answered, ms since 1970. Where nothing changes, `GET /v1/collections` knows
   * before the next ping tells.
   */
  get asOf(): number | undefined {
    const told = new Map(this.described.map(({ asOf, name }) => [name, asOf]))
    const ages = this.all.flatMap(({ name, status: { asOf = 0, state } }) => {
      const known = Math.max(asOf, state === "live" ? (told.get(name) ?? 0) : 0)
      return known > 0 ? [known] : []
    })
    return ages.length === 0 ? undefined : Math.min(...ages)
  }

  get all(): ReadonlyArray<Collection> {
    return [...(this.cast?.collections.values() ?? [])]
  }

  async start(): Promise<void> {
    setInterval(() => document.hidden || void this.look(), lookEvery)
    await this.look()
  }

  /** The next connection asks otherwise. */
  ask(asked: Partial<Asked>): void {
    this.asked = { ...this.asked, ...asked }
    this.open()
  }

  async show(token: string): Promise<void> {
    this.token = token
    this.described = []
    this.leave()
    // What another token had shown is gone before anything else is.
    this.tells.opened()
    await this.look()
  }

  /** A family is read while somebody looks at it: that is what its members are polled for. Tells whether that is news. */
  read(name: string): boolean {
    const family = isFamily(name) ? name : undefined
    if (family === this.family) return false
    this.family = family
    this.open()
    return true
  }

  reconnect(): void {
    if (this.cast === undefined) void this.look()
    else this.cast.reconnect()
  }

  async refresh(name: string): Promise<string> {
    try {
      const { refreshed, retryAfterMs } = await this.cast!.collection(name).refresh()
      return refreshed
        ? `${name} was polled just now`
        : `${name} was polled a moment ago; again in ${Math.ceil(retryAfterMs / 1000)} s`
    } catch (error) {
      return (error as CastError).message || "The daemon cannot be reached."
    }
  }

  /** Of whatever else there is to ask. */
  fetch(path: string): Promise<Response> {
    const headers: { [name: string]: string } =
      this.token === "" ? {} : { authorization: `Bearer ${this.token}` }
    return fetch(base + path, { cache: "no-store", headers })
  }

  /** What there is to read, and how it is: also of what this connection does not read. */
  async look(): Promise<void> {
    const { token } = this
    try {
      const answer = await this.fetch("v1/collections")
      const apart = Date.parse(answer.headers.get("date") ?? "") - Date.now()
      this.ahead = Math.abs(apart) > 3_000 ? apart : 0
      const body = (await answer.json()) as { readonly collections: ReadonlyArray<Described> }
      // Another is shown meanwhile, and may be told otherwise.
      if (token !== this.token) return
      if (!answer.ok) {
        const { detail = "" } = body as { readonly detail?: string }
        this.problem = { status: answer.status, detail }
      } else {
        this.problem = undefined
        const before = this.names.join()
        this.described = body.collections
        if (this.cast === undefined || before !== this.names.join()) this.open()
      }
    } catch {
      // What is known stays; whether there is a connection says the connection.
      if (this.cast === undefined)
        this.problem = { status: undefined, detail: "The daemon cannot be reached." }
    }
    this.tells.status()
  }

  private open(): void {
    // Of families alone there is nothing to read until one is chosen.
    if (this.names.length === 0) {
      this.leave()
      return this.tells.opened()
    }
    const before = this.cast
    // Another query has another cursor.
    const isSame =
      before !== undefined && [...before.lane.names].toSorted().join() === this.names.toSorted().join()
    const from = isSame ? snapshotOf(before) : undefined
    this.leave()
    const { interval, road } = this.asked
    const offered: ReadonlyArray<RoadName> =
      isToken(this.token) || this.token === "" ? ["socket", "stream", "changes"] : ["stream", "changes"]
    const cast = connect<Rows, string>(base, {
      collections: this.names,
      roads: road === "auto" ? offered : [road],
      from,
      ...(interval === "" ? {} : { interval }),
      ...(this.token === "" ? {} : { token: this.token }),
      trace: (text, by) => this.tells.heard({ at: Date.now(), road: by, text })
    })
    this.cast = cast
    this.stops.push(
      cast.subscribe(() => {
        this.watch()
        this.tells.status()
      })
    )
    this.watch()
    this.tells.opened()
  }

  private leave(): void {
    for (const stop of this.stops.splice(0)) stop()
    this.cast?.close()
    this.cast = undefined
    this.watched = new Set()
  }

  /** Members of a family come as they are made. */
  private watch(): void {
    for (const collection of this.all) {
      if (this.watched.has(collection.name)) continue
      this.watched.add(collection.name)
      this.stops.push(collection.subscribe((keys) => this.tells.changed(collection, keys)))
    }
  }
}
