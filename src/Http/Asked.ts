/**
 * What a client asked for, in its own words: from a query string or from a `subscribe` message, before any name is looked
 * up. Everything that is not understood is said, with the nearest known name.
 */
import { Duration } from "effect"

import { didYouMean } from "../Nearest.ts"
import { Problem } from "./Problem.ts"

export interface Narrowing {
  readonly keys: ReadonlyArray<string> | undefined
  readonly fields: ReadonlyArray<string> | undefined
  readonly where: ReadonlyArray<string>
}

export interface Asked extends Narrowing {
  /** `undefined`: all that may be read. */
  readonly collections: ReadonlyArray<string> | undefined
  /** A collection's own form of `keys`, `fields`, `where`. */
  readonly own: ReadonlyMap<string, Partial<Narrowing>>
  /** An empty one is none. */
  readonly since: string | undefined
  /** ms, 0 for none */
  readonly interval: number
  /** ms, of a long poll */
  readonly wait: number | undefined
  /** Whether the client says now and then that it is there (`ping=client`). */
  readonly pings: boolean
}

const nothing: Narrowing = { keys: undefined, fields: undefined, where: [] }

const lists = ["collections", "keys", "fields"]
const narrowings = ["keys", "key", "fields", "where"]
/** Names of the cursor in the wild; the later ones win, since they are what a reconnecting library adds to a URL. */
const sinceNames = ["since", "last_event_id", "lastEventId", "lastEventID", "lastEvent"]
/** A ticket has been read before. */
const scalars = [...sinceNames, "interval", "wait", "ping", "ticket"]
const known = [...lists, "key", "where", ...scalars]

const bounds = {
  interval: [50, 60_000],
  wait: [0, 55_000]
} as const

const invalid = (detail: string) => new Problem({ code: "invalid_query", detail })

const durationShape = /^(\d{1,9})(ms|s)$/

/** ms. Throws a Problem on anything but `500ms` or `2s` within the bounds. */
export const duration = (name: keyof typeof bounds, text: string): number => {
  const [least, most] = bounds[name]
  const match = durationShape.exec(text)
  const ms = match === null ? NaN : Number(match[1]) * (match[2] === "s" ? 1000 : 1)
  if (ms >= least && ms <= most) return ms
  throw invalid(
    `"${name}" is ${JSON.stringify(text.slice(0, 40))}; expected a duration such as 500ms or 2s, from ${Duration.format(Duration.millis(least))} to ${Duration.format(Duration.millis(most))}`
  )
}

/** Throws a Problem where a list has more items than `most`. */
export const bound = (asked: Asked, most: number): void => {
  const own = [...asked.own].map(([name, narrowing]) => [`${name}.`, narrowing] as const)
  for (const [prefix, { fields, keys, where }] of [["", asked] as const, ...own])
    for (const [name, all] of Object.entries({ keys, fields, where }))
      if (all !== undefined && all.length > most) throw tooMany(prefix + name, most)
  if (asked.collections !== undefined && asked.collections.length > most) throw tooMany("collections", most)
}

const tooMany = (name: string, most: number): Problem =>
  invalid(`"${name.slice(0, 80)}" has more than ${most} items; leave it out and read all`)

/** Lists split at commas after decoding; a list that is there with nothing in it is empty, and no item may be. */
const items = (name: string, values: ReadonlyArray<string>): ReadonlyArray<string> => {
  const all = values.flatMap((value) => (value === "" ? [] : value.split(",")))
  if (all.includes(""))
    throw invalid(
      `"${name.slice(0, 80)}" has an empty item; for a key with commas or without characters use key=`
    )
  return all
}

const narrowing = (all: ReadonlyMap<string, ReadonlyArray<string>>, prefix: string): Partial<Narrowing> => {
  const of = (name: string) => all.get(prefix + name)
  const keys =
    of("keys") === undefined && of("key") === undefined
      ? undefined
      : [...items(`${prefix}keys`, of("keys") ?? []), ...(of("key") ?? [])]
  const fields = of("fields")
  const where = of("where")
  return {
    ...(keys === undefined ? {} : { keys }),
    ...(fields === undefined ? {} : { fields: items(`${prefix}fields`, fields) }),
    ...(where === undefined ? {} : { where })
  }
}

/** Throws a Problem. `header`: `Last-Event-ID`, which wins over all. */
export const askedInUrl = (search: URLSearchParams, header: string | undefined): Asked => {
  const all = new Map<string, Array<string>>()
  const own = new Set<string>()
  for (const [name, value] of search) {
    if (name.startsWith("_")) continue
    const dot = name.lastIndexOf(".")
    const isOwn = dot > 0 && narrowings.includes(name.slice(dot + 1))
    if (!isOwn && !known.includes(name))
      throw invalid(
        `unknown parameter "${name.slice(0, 80)}"${didYouMean(name, known.concat(ownForms(name)))}`
      )
    if (isOwn) own.add(name.slice(0, dot))
    const values = all.get(name) ?? []
    if (values.length > 0 && scalars.includes(name)) throw invalid(`"${name}" is given twice`)
    values.push(value)
    all.set(name, values)
  }
  const scalar = (name: string) => all.get(name)?.[0]
  const collections = all.get("collections")
  if (collections !== undefined && collections.every((value) => value === ""))
    throw invalid(`"collections" names none`)
  const since = [header, ...sinceNames.toReversed().map(scalar)].find(
    (value) => value !== undefined && value !== ""
  )
  const interval = scalar("interval")
  const wait = scalar("wait")
  const ping = scalar("ping")
  if (ping !== undefined && ping !== "client")
    throw invalid(`"ping" is ${JSON.stringify(ping.slice(0, 40))}; expected client`)
  return {
    ...nothing,
    ...narrowing(all, ""),
    collections: collections === undefined ? undefined : items("collections", collections),
    own: new Map([...own].map((name) => [name, narrowing(all, `${name}.`)])),
    since,
    interval: interval === undefined ? 0 : duration("interval", interval),
    wait: wait === undefined ? undefined : duration("wait", wait),
    pings: ping === "client"
  }
}

/** `pools.wheres` may have meant `pools.where`. */
const ownForms = (name: string): ReadonlyArray<string> => {
  const dot = name.lastIndexOf(".")
  return dot > 0 ? narrowings.map((own) => name.slice(0, dot + 1) + own) : []
}

/** `wait` means nothing here, and is accepted as on any road. */
const members = ["type", "ref", "collections", "keys", "fields", "where", "since", "interval", "wait"]

const strings = (name: string, value: unknown): ReadonlyArray<string> | undefined => {
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value
  throw invalid(`"${name.slice(0, 80)}" is not an array of strings`)
}

const narrowingInMessage = (
  value: { readonly [name: string]: unknown },
  prefix: string
): Partial<Narrowing> => {
  const keys = strings(`${prefix}keys`, value["keys"])
  const fields = strings(`${prefix}fields`, value["fields"])
  const where = strings(`${prefix}where`, value["where"])
  return {
    ...(keys === undefined ? {} : { keys }),
    ...(fields === undefined ? {} : { fields }),
    ...(where === undefined ? {} : { where })
  }
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The same from a `subscribe` message, whose lists are arrays. Throws a Problem. */
export const askedInMessage = (message: { readonly [name: string]: unknown }): Asked => {
  const own = new Map<string, Partial<Narrowing>>()
  for (const [name, value] of Object.entries(message)) {
    if (members.includes(name) || name.startsWith("_")) continue
    if (!isObject(value)) throw invalid(`unknown member "${name.slice(0, 80)}"${didYouMean(name, members)}`)
    const odd = Object.keys(value).find((inner) => !["keys", "fields", "where"].includes(inner))
    if (odd !== undefined)
      throw invalid(`unknown member "${`${name}.${odd}`.slice(0, 80)}"${didYouMean(odd, narrowings)}`)
    own.set(name, narrowingInMessage(value, `${name}.`))
  }
  const { interval, since } = message
  if (since !== undefined && typeof since !== "string") throw invalid(`"since" is not a string`)
  if (interval !== undefined && typeof interval !== "string")
    throw invalid(`"interval" is not a string such as "500ms"`)
  const collections = strings("collections", message["collections"])
  if (collections?.length === 0) throw invalid(`"collections" names none`)
  return {
    ...nothing,
    ...narrowingInMessage(message, ""),
    collections,
    own,
    since: since === "" ? undefined : since,
    interval: interval === undefined ? 0 : duration("interval", interval),
    wait: undefined,
    pings: false
  }
}
