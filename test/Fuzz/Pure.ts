/** Targets that are functions: what reads queries, messages, cursors and rows. They may refuse, and nothing else. */
import assert from "node:assert/strict"

import { type Catalog, makeCatalog } from "../../src/Catalog.ts"
import { anonymous } from "../../src/Http/Auth/Caller.ts"
import { type Asked, askedInMessage, askedInUrl } from "../../src/Http/Asked.ts"
import { Problem, problemDetails } from "../../src/Http/Problem.ts"
import { resolve } from "../../src/Http/Resolve.ts"
import { writeInMessage } from "../../src/Http/WriteAsked.ts"
import { formatCursor, parseCursor } from "../../src/Hub/Cursor.ts"
import { Writing } from "../../src/RateEngine/Writing.ts"
import type { Write } from "../../src/RateEngine.ts"
import { configOf } from "./Config.ts"
import type { Dice } from "./Dice.ts"
import type { Input, Target } from "./Fuzz.ts"
import { message, search } from "./Phrases.ts"
import { tellsTooMuch } from "./Told.ts"

const catalog = makeCatalog(configOf("http://upstream.example")) as Catalog["Service"]
const caller = anonymous({
  read: ["pools", "types", "chat", "order:*", "support:7"],
  write: ["*"],
  refresh: []
})

/** No longer URL is read. */
const maxUrl = 8 * 1024

/** ms of CPU that anything may take to be read or refused; it holds up everybody. */
const within = 60

/** Runs what may throw a Problem; fails where it throws anything else, tells too much, or takes too long. */
const refusing = <A>(run: () => A): A | undefined => {
  for (let chances = 3; ; chances--) {
    const before = process.threadCpuUsage()
    const made = attempt(run)
    const { system, user } = process.threadCpuUsage(before)
    const ms = (user + system) / 1_000
    if (ms <= within) return made
    // Somebody else's garbage may have been collected.
    assert.ok(chances > 0, `it took ${ms.toFixed(0)} ms of CPU`)
  }
}

const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    assert.ok(
      error.detail !== "" && error.detail.length < 1_000,
      `a detail of ${error.detail.length} characters`
    )
    assert.equal(tellsTooMuch(JSON.stringify(problemDetails(error))), undefined)
    return undefined
  }
}

/** The same query in a URL, from what has been understood of one. */
const spelt = (asked: Asked): string => {
  const search = new URLSearchParams()
  const narrow = (prefix: string, { fields, keys, where = [] }: Partial<Asked>) => {
    if (keys?.length === 0) search.append(`${prefix}keys`, "")
    for (const key of keys ?? []) search.append(`${prefix}key`, key)
    if (fields !== undefined) search.append(`${prefix}fields`, fields.join())
    for (const each of where) search.append(`${prefix}where`, each)
  }
  narrow("", asked)
  for (const [name, own] of asked.own) narrow(`${name}.`, own)
  if (asked.collections !== undefined) search.append("collections", asked.collections.join())
  if (asked.since !== undefined) search.append("since", asked.since)
  if (asked.interval > 0) search.append("interval", `${asked.interval}ms`)
  if (asked.wait !== undefined) search.append("wait", `${asked.wait}ms`)
  if (asked.pings) search.append("ping", "client")
  return String(search)
}

/** Which of a caller's collections a query may reach; throws where it is another. */
const staysWithin = (asked: Asked): void => {
  const query = resolve(catalog, asked, caller, 1_000)
  for (const name of [...query.parts.keys(), ...query.patterns.keys()])
    assert.ok(/^(pools|types|chat|order:.+|support:7)$/su.test(name), `it reaches ${JSON.stringify(name)}`)
}

export const queryTarget = (read = askedInUrl): Target => ({
  name: "query",
  make: (dice) => [search(dice).slice(0, maxUrl)],
  check: ([text = ""]) => {
    const asked = refusing(() => read(new URLSearchParams(text), undefined))
    if (asked === undefined) return
    const again = read(new URLSearchParams(spelt(asked)), undefined)
    assert.deepEqual(again, asked, "what was understood is not understood again")
    refusing(() => staysWithin(asked))
  }
})

export const messageTarget: Target = {
  name: "message",
  make: (dice) => [message(dice)],
  check: ([text = ""]) => {
    const said = parsed(text)
    if (said === undefined) return
    const asked = refusing(() => askedInMessage(said))
    if (asked !== undefined) refusing(() => staysWithin(asked))
    refusing(() => writeInMessage(said))
  }
}

const parsed = (text: string): { readonly [name: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as { readonly [name: string]: unknown })
      : undefined
  } catch {
    return undefined
  }
}

const cursor = (dice: Dice): string =>
  `${dice.one(["k3x", "0", "z".repeat(32)])}-${dice.one(["17", "0", "9007199254740991", "9007199254740993"])}-9f1c2a7b8d3e`

/** What is read as a cursor is written as the same one, so that no two texts are one place. */
export const cursorTarget = (read = parseCursor): Target => ({
  name: "cursor",
  make: (dice) => [
    dice.chance(0.7) ? dice.mutated(cursor(dice)) : dice.chance(0.5) ? cursor(dice) : dice.text()
  ],
  check: ([text = ""]) => {
    const made = refusing(() => read(text))
    if (made === undefined) return
    assert.ok(Number.isSafeInteger(made.revision) && made.revision >= 0)
    assert.equal(formatCursor(made), text)
  }
})

const writing = new Writing(catalog.declared.get("chat")!)
const held = { id: "a", text: "before", note: { deep: [1] } }

/** What a write makes of a row is what JSON says, under its key, and nothing on any prototype. */
export const rowTarget: Target = {
  name: "row",
  make: (dice) => {
    const note = dice.json()
    const text = dice.quoted()
    const row = dice.chance(0.7) ? `{"text":${text},"note":${note}}` : dice.json()
    const whole = dice.chance(0.2) ? dice.mutated(row) : row
    return [dice.one(["put", "append", "patch"]), dice.chance(0.5) ? "a" : dice.text(), whole]
  },
  check: ([op = "put", key = "a", text = ""]: Input) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return
    }
    const write = asked(op, key, value)
    const draft = refusing(() => writing.draft(write, key === "a" ? held : undefined, false))
    assert.equal(({} as { polluted?: unknown })["polluted"], undefined)
    assert.equal(Object.getPrototypeOf({}), Object.prototype)
    if (draft?._tag !== "Draft") return
    const { row } = draft
    assert.equal(JSON.stringify(JSON.parse(JSON.stringify(row))), JSON.stringify(row))
    for (const [name, given] of Object.entries(op === "patch" ? {} : (value as object)))
      assert.equal(JSON.stringify(row![name]), JSON.stringify(given), name)
  }
}

const asked = (op: string, key: string, value: unknown): Write => {
  if (op === "append") return { op, collection: "chat", row: value }
  if (op === "put") return { op, collection: "chat", key, row: value }
  const set = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}
  return {
    op: "patch",
    collection: "chat",
    key,
    set: set as { readonly [name: string]: unknown },
    unset: ["note"]
  }
}
