/**
 * The client: what a server casts, as rows that are always those of some cursor. `connect` gives a cast; it is connected
 * while somebody has subscribed.
 *
 * @example
 * const cast = connect<Api>("/", { collections: ["rates"] })
 * cast.rates.subscribe(() => show(cast.rates.rows))
 */
import type { NameOf } from "./Api.ts"
import { type Init, makeCalls } from "./Calls.ts"
import { type CastError } from "./CastError.ts"
import { changes } from "./Changes.ts"
import { type Held, makeCollection, same } from "./Collection.ts"
import { host } from "./Host.ts"
import { makeLink } from "./Link.ts"
import { type Listener, subscribed, tellAll } from "./Listeners.ts"
import type { Cast, Casting, Lane, Options, RoadName, Status } from "./Options.ts"
import { type Reached, request, type Road } from "./Road.ts"
import { socket } from "./Socket.ts"
import { stream } from "./Stream.ts"
import type { ChangeMessage, Message, PingMessage } from "./Wire.ts"

const roads: { readonly [name in RoadName]: Road } = { socket, stream, changes }

/** A write is seen at once where somebody reads it; what `where`, `keys` or a long `interval` keep back is not waited for. */
const seenWithin = 2_000
/** Before a request that nobody answered is made again, ms. */
const pause = 500

/** `url`: where Ratecast is, such as `/` or `https://live.example.com/`. */
export const connect = <A = { readonly [name: string]: object }, Name extends NameOf<A> = NameOf<A>>(
  url: string,
  options: Options<Name>
): Cast<A, Name> => {
  const { collections, from, interval, keepAlive = [], share, token, trace } = options
  const reached: Reached = {
    // As of the global object, and as it is when it is called.
    fetch: (...asked) => fetch(...asked),
    WebSocket: globalThis.WebSocket,
    ...options,
    url: url.endsWith("/") ? url : `${url}/`
  }
  const held = new Map<string, Held>()
  const listeners = new Set<Listener>()
  let hasNews = false
  let isGathering = false
  /** The newest cursor that any row is of. */
  let newest = ""
  let status: Status | undefined

  /** A query, how far it has come, and what it has given. One that rests goes on from where it was. */
  const makeLane = (names: ReadonlyArray<string>) => {
    const query: { [parameter: string]: string } = { ...options.query, collections: names.join() }
    if (interval) query["interval"] = interval
    // What narrows a collection that rests would be refused.
    for (const form in query)
      if (collections.some((name) => !names.includes(name) && form.startsWith(name + "."))) delete query[form]
    // What is no pattern is loading until it is there; what a pattern stands for is known then.
    const own = new Set<string>(names.filter((name) => !name.includes("*")))
    return { query, names: own } as Going
  }
  const lanes = [makeLane(collections), makeLane(keepAlive)] as const
  let lane = lanes[0]

  const holding = (name: string): Held => {
    let one = held.get(name)
    if (one === undefined) {
      const initial = from?.collections[name]?.rows
      one = makeCollection({ ...makeCalls(name, ask, seen(name)), name, initial, cast }, link.read, gather)
      held.set(name, one)
    }
    return one
  }

  const gather = () => {
    // A hidden page has no frames, nor the one that was asked for before, and is to be told all the same.
    const isHidden = host.document?.hidden
    if (isGathering && !isHidden) return
    isGathering = true
    ;((!isHidden && host.requestAnimationFrame) || setTimeout)(tell, 16)
  }
  const tell = () => {
    isGathering = false
    for (const { tell } of held.values()) tell()
    if (!hasNews) return
    hasNews = false
    tellAll(listeners)
  }
  const changed = () => {
    hasNews = true
    gather()
  }

  const receive = (message: Message): boolean => {
    const { asOf = {}, collections = {}, cursor, from, type } = message as Told
    if (type === "snapshot") {
      // What a pattern gave before and gives no more is empty.
      for (const name of lane.names) if (!(name in collections)) holding(name).apply({ rows: {} })
      lane.names.clear()
    } else {
      if (!cursor || cursor === lane.cursor) return true
      if (from !== lane.cursor) return false
      lane.cursor = undefined
      // It may meet newer rows than it starts from, and none that are newer than it: then only a snapshot helps.
      if (isBehind(cursor, newest)) return false
    }
    for (const [name, part] of Object.entries(collections)) {
      lane.names.add(name)
      if (!holding(name).apply(part)) return false
    }
    for (const [name, at] of Object.entries(asOf)) holding(name).apply({ asOf: at })
    lane.cursor = newest = cursor!
    return true
  }

  const link = makeLink({
    roads: options.roads ?? Object.keys(roads),
    token,
    keepAlive,
    receive,
    changed,
    open: (name, token, isAsleep, hear, end) => {
      lane = lanes[isAsleep ? 1 : 0]
      const { cursor, query } = lane
      const road = roads[name as RoadName]
      return (share?.(road, cast) ?? road)(
        { ...reached, query, since: cursor, token },
        (text) => {
          if (text) trace?.(text, name)
          hear(text)
        },
        end
      )
    }
  })

  const ask = async (path: string, init?: Init, tries = 3, refused?: Promise<unknown>): Promise<never> => {
    const token = link.token(refused)
    try {
      const response = await request({ ...reached, token: await token }, `${reached.url}v1/${path}`, init)
      return (await response.json()) as never
    } catch (error) {
      const { retryAfterMs = 0, status } = error as CastError
      const isOld = status === 401 && !refused
      // Whoever waits for longer than that should know.
      if (!--tries || retryAfterMs > seenWithin || (status && status !== 503 && !isOld)) throw error
      await new Promise((done) => setTimeout(done, isOld ? 0 : retryAfterMs || pause))
      return ask(path, init, tries, isOld ? token : undefined)
    }
  }

  const until = (isMet: () => boolean, within: number) =>
    new Promise<void>((done) => {
      const stop = cast.subscribe(() => isMet() && end())
      const end = () => {
        clearTimeout(late)
        stop()
        done()
      }
      const late = setTimeout(end, within)
      changed()
    })

  const seen =
    (name: string) =>
    async <B extends { readonly epoch: string; readonly revision: number }>(answer: B): Promise<B> => {
      if (link.state().isUp && (lane.names.has(name) || name.includes(":")))
        await until(() => !isBehind(newest, `${answer.epoch}-${answer.revision}`), seenWithin)
      return answer
    }

  const statuses = () => [...lanes[0].names].map((name) => holding(name).status)
  const isAny = (state: string) => statuses().some((status) => status.state === state)
  const isLoading = () => !newest || isAny("loading")

  const cast: Omit<Casting<A>, "initial"> = {
    collection: holding as never,
    collections: held,
    get lane() {
      return lane
    },
    get status() {
      const { failed, isUp, ...more } = link.state()
      const asOf = Math.min(...statuses().map(({ asOf }) => asOf || Infinity))
      const next: Status = {
        ...more,
        state: failed
          ? "failed"
          : host.navigator?.onLine === false
            ? "offline"
            : isLoading()
              ? "connecting"
              : isUp && !isAny("stale")
                ? "live"
                : "stale",
        cursor: lane.cursor,
        asOf: asOf < Infinity ? asOf : undefined
      }
      return same(status, next) ? status! : (status = next)
    },
    subscribe: (changed) => subscribed(listeners, { told: changed }, link.read),
    ready: async () => {
      await until(() => !isLoading() || link.state().failed, 2 ** 31 - 1)
      if (isLoading()) throw link.state().error
    },
    reconnect: link.reconnect,
    close: link.close
  }
  const named: { [name: string]: unknown } = cast
  for (const name of collections) named[name] ??= holding(name)
  if (from) receive(from)
  named["initial"] = cast.status
  return named as Cast<A, Name>
}

/** A lane, as it goes on. */
type Going = { -readonly [member in keyof Lane]: Lane[member] } & { readonly names: Set<string> }
/** Whichever it is. */
type Told = Partial<Omit<ChangeMessage, "type"> & Pick<PingMessage, "asOf">> & Pick<Message, "type">

/** Of the same epoch, and an earlier revision. */
const isBehind = (cursor: string, other: string): boolean => {
  const [epoch, revision] = cursor.split("-")
  const [otherEpoch, otherRevision] = other.split("-")
  return epoch === otherEpoch && Number(revision) < Number(otherRevision)
}

export type { Api, NameOf, RowOf, RowsOf } from "./Api.ts"
export type { Calls, WriteOptions } from "./Calls.ts"
export { CastError } from "./CastError.ts"
export type { Collection, CollectionStatus } from "./Collection.ts"
export type { Token } from "./Link.ts"
export type { Cast, Holding, Lane, Options, RoadName, Share, Status } from "./Options.ts"
export type { Asked, End, Opened, Road } from "./Road.ts"
export type * from "./Wire.ts"
