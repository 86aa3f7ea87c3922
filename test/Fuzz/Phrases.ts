/** Queries, messages and requests that are almost right, which get further than noise does. */
import type { Dice } from "./Dice.ts"

export const collections = [
  "pools",
  "types",
  "chat",
  "ledger",
  "order:1",
  "support:7",
  "support:8",
  "support:*",
  "*"
]
const fields = ["id", "type", "rate", "note", "text", "count"]
const keys = ["a", "b", "10", "__proto__", "s1", "s2", "m1"]

const collection = (dice: Dice): string => (dice.chance(0.9) ? dice.one(collections) : dice.text())
const field = (dice: Dice): string => (dice.chance(0.9) ? dice.one(fields) : dice.text())
export const key = (dice: Dice): string => (dice.chance(0.7) ? dice.one(keys) : dice.name())
const where = (dice: Dice): string => `${field(dice)}:${dice.chance(0.5) ? "stable" : dice.text()}`

const duration = (dice: Dice): string =>
  dice.one(["50ms", "1s", "60s", "0s", "61s", "1m", "-1s", "1e3ms", "999999999s", "1.5s", "", "0ms"])

export const since = (dice: Dice): string =>
  dice.one([
    "now",
    "",
    "k3x-17-9f1c2a7b8d3e",
    "k3x-99999999999999999-9f1c2a7b8d3e",
    "0-0-000000000000",
    dice.text()
  ])

const parameter = (dice: Dice): readonly [name: string, value: string] => {
  const own = dice.chance(0.2) ? `${collection(dice)}.` : ""
  switch (dice.below(11)) {
    case 0:
    case 1:
      return ["collections", dice.some(5, () => collection(dice)).join()]
    case 2:
      return [`${own}keys`, dice.some(20, () => key(dice)).join()]
    case 3:
      return [`${own}key`, key(dice)]
    case 4:
      return [`${own}fields`, dice.some(6, () => field(dice)).join()]
    case 5:
      return [`${own}where`, where(dice)]
    case 6:
      return [dice.one(["since", "last_event_id", "lastEventId", "lastEventID", "lastEvent"]), since(dice)]
    case 7:
      return ["interval", duration(dice)]
    case 8:
      return ["wait", duration(dice)]
    case 9:
      return [dice.one(["ping", "ticket", "token", "_", "_x"]), dice.one(["client", "x", dice.text()])]
    default:
      return [own + dice.text(), dice.text()]
  }
}

/** Of a URL, behind the question mark. */
export const search = (dice: Dice): string => {
  const text = dice
    .some(8, () => parameter(dice))
    .map(([name, value]) => `${encoded(name)}=${dice.chance(0.9) ? encoded(value) : value}`)
    .join("&")
  return dice.chance(0.3) ? dice.mutated(text) : text
}

export const encoded = (text: string): string => encodeURIComponent(text.toWellFormed())

const list = (dice: Dice, make: () => string): string =>
  dice.chance(0.9) ? JSON.stringify(dice.some(20, make)) : dice.json()

const member = (dice: Dice): string => {
  switch (dice.below(12)) {
    case 0:
    case 1:
      return `"collections":${list(dice, () => collection(dice))}`
    case 2:
      return `"keys":${list(dice, () => key(dice))}`
    case 3:
      return `"fields":${list(dice, () => field(dice))}`
    case 4:
      return `"where":${list(dice, () => where(dice))}`
    case 5:
      return `"since":${JSON.stringify(since(dice))}`
    case 6:
      return `"interval":${dice.chance(0.9) ? JSON.stringify(duration(dice)) : dice.json()}`
    case 7:
      return `${JSON.stringify(collection(dice))}:{${dice.chance(0.5) ? `"keys":${list(dice, () => key(dice))}` : `"where":${list(dice, () => where(dice))}`}}`
    case 8:
      return `"key":${dice.chance(0.9) ? JSON.stringify(key(dice)) : dice.json()},"collection":${JSON.stringify(collection(dice))}`
    case 9:
      return `"op":${dice.one(['"put"', '"patch"', '"append"', '"delete"', dice.quoted()])},"collection":"chat"`
    case 10:
      return `${dice.one(['"row"', '"set"', '"unset"', '"ifMatch"', '"token"'])}:${dice.json()}`
    default:
      return `${JSON.stringify(dice.name())}:${dice.json()}`
  }
}

/** Of a WebSocket. */
export const message = (dice: Dice): string => {
  const type = dice.one([
    "subscribe",
    "subscribe",
    "write",
    "write",
    "unsubscribe",
    "ping",
    "token",
    dice.text()
  ])
  const ref = dice.chance(0.7) ? `,"ref":${dice.chance(0.9) ? '"r"' : dice.json()}` : ""
  const members = [`"type":${JSON.stringify(type)}${ref}`, ...dice.some(6, () => member(dice))]
  const text = `{${members.join()}}`
  return dice.chance(0.2) ? dice.mutated(text) : dice.chance(0.05) ? dice.json() : text
}
