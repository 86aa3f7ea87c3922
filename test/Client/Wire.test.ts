/**
 * client/Wire.ts is written by hand. It is held to the contract by the type checker, and the contract to what a real daemon
 * says on every road: nothing that the contract does not know, and all that it does.
 */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Schema } from "effect"

import type {
  ChangeMessage,
  GoodbyeMessage,
  PingMessage,
  Problem,
  Refreshed,
  SnapshotMessage,
  Written
} from "../../client/Cast.ts"
import { defineConfig, polled, source, written } from "../../src/Config.ts"
import * as Contract from "../../src/Http/Api/Messages.ts"
import { Wrote } from "../../src/Http/Api/Write.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"

/** A client reads a row as `unknown`, which is JSON. */
type Said<A> = unknown extends A ? Schema.Json : A extends object ? { [K in keyof A]: Said<A[K]> } : A
type Fits<A extends B, B> = A

/** Each is good where the other is; a client's may leave out what it does without. */
export type Held = [
  Fits<typeof Contract.Snapshot.Type, SnapshotMessage>,
  Fits<Said<SnapshotMessage>, typeof Contract.Snapshot.Type>,
  Fits<typeof Contract.Change.Type, ChangeMessage>,
  Fits<Said<ChangeMessage>, typeof Contract.Change.Type>,
  Fits<typeof Contract.Ping.Type, PingMessage>,
  Fits<Required<PingMessage>, typeof Contract.Ping.Type>,
  Fits<typeof Contract.Goodbye.Type, GoodbyeMessage>,
  Fits<Omit<GoodbyeMessage, "problem">, Omit<typeof Contract.Goodbye.Type, "problem">>,
  Fits<typeof Contract.ProblemDetails.Type, Problem>,
  Fits<Required<Problem>, typeof Contract.ProblemDetails.Type>,
  Fits<typeof Wrote.Type, Written>,
  Fits<Said<Written>, typeof Wrote.Type>,
  Fits<typeof Contract.Refreshed.Type, Refreshed>,
  Fits<Refreshed, typeof Contract.Refreshed.Type>,
  // @ts-expect-error -- and this notices a member that the server does not send
  Fits<typeof Contract.Ping.Type, PingMessage & { readonly late: boolean }>,
  // @ts-expect-error -- and one that it sends otherwise
  Fits<Said<Omit<SnapshotMessage, "at"> & { readonly at: string }>, typeof Contract.Snapshot.Type>
]

const { Change, Goodbye, Ping, Snapshot } = Contract
const contract = { snapshot: Snapshot, change: Change, ping: Ping, goodbye: Goodbye }
type Kind = keyof typeof contract
const strictly = <A>(schema: Schema.ConstraintDecoder<A>) =>
  Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })

const backend = new Backend()
let daemon: Daemon

beforeAll(async () => {
  backend.body = [{ id: "a", usd: 1 }]
  await backend.start()
  daemon = await startDaemon(
    defineConfig({
      collections: {
        prices: polled({
          source: source({
            url: backend.url,
            every: "1 hour",
            idleEvery: "1 hour",
            refreshEvery: "0 millis",
            retries: 0
          }),
          key: "id",
          row: Schema.Struct({
            id: Schema.String,
            usd: Schema.optional(Schema.Finite),
            by: Schema.optional(Schema.String)
          }),
          minKeep: 0
        }),
        chat: written({
          key: "id",
          row: Schema.Struct({ id: Schema.String, text: Schema.String }),
          retain: { rows: 2, age: "1 hour" }
        })
      }
    }) as never,
    { ANONYMOUS_WRITE: "*" },
    { tips: 1_000, tombstones: 4, idleMembers: 10 }
  )
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

/** By the message's type: every member that a message had, those of collections as `collections.put`. */
const seen = new Map<string, Set<string>>()
const note = (text: string): { readonly type: Kind; readonly cursor: string } => {
  const message = JSON.parse(text) as { readonly type: Kind; readonly cursor: string; collections?: object }
  assert.property(contract, message.type)
  strictly<unknown>(contract[message.type])(message)
  const names = seen.get(message.type) ?? new Set()
  seen.set(message.type, names)
  for (const name of Object.keys(message)) names.add(name)
  for (const part of Object.values(message.collections ?? {}))
    for (const name of Object.keys(part as object)) names.add(`collections.${name}`)
  return message
}

const get = async (path: string) => {
  const response = await fetch(`${daemon.url}/v1/${path}`)
  return { text: await response.text(), cursor: response.headers.get("ratecast-cursor") }
}
const snapshot = async (collections: string) => note((await get(`snapshot?collections=${collections}`)).text)
const since = async (collections: string, cursor: string) =>
  note((await get(`changes?collections=${collections}&since=${cursor}&wait=0s`)).text)
const refresh = async (body: unknown, status = 200) => {
  backend.handler =
    status === 200
      ? undefined
      : (_, response) => {
          response.statusCode = status
          response.end()
        }
  backend.body = body
  const response = await fetch(`${daemon.url}/v1/refresh/prices`, { method: "POST" })
  if (status === 200) strictly(Contract.Refreshed)(await response.json())
}
const append = async (text: string) => {
  const response = await fetch(`${daemon.url}/v1/rows/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text })
  })
  assert.strictEqual(response.status, 201)
  strictly(Wrote)(await response.json())
}
/** Everything that a socket says until it is closed, or has said so much. */
const socket = async (query: string, count = Infinity) => {
  const told: Array<string> = []
  const line = new WebSocket(`${daemon.url.replace("http", "ws")}/v1/socket?${query}`)
  line.addEventListener("message", ({ data }) => told.push(String(data)))
  await until(
    "what a socket says",
    () => told.length >= count || (count === Infinity && line.readyState === 3)
  )
  line.close()
  return told.map(note)
}

const all = (kind: Kind) => [...seen.get(kind)!].toSorted()
const part = (...names: ReadonlyArray<string>) =>
  ["asOf", "error", "rows", "state", ...names].map((name) => `collections.${name}`)

it("all that the daemon sends is of the contract, and all of the contract is sent", async () => {
  await until("rows", async () => (await get("snapshot")).text.includes('"usd":1'))
  const begun = await snapshot("prices")
  await refresh([{ id: "a", usd: 2 }, { id: "b" }])
  const born = await since("prices", begun.cursor)
  await refresh([{ id: "a", by: "x" }])
  await since("prices", born.cursor)
  await refresh([{ id: "a", by: "x" }], 500)
  await snapshot("prices")
  await since("prices", born.cursor)

  const quiet = await snapshot("chat,prices")
  await append("1")
  const one = await snapshot("chat")
  for (const text of ["2", "3", "4"]) await append(text)
  await since("chat", one.cursor)
  for (const text of ["5", "6", "7", "8", "9"]) await append(text)
  // Of so many that went, the state has forgotten some: the one collection comes whole.
  await since("chat,prices", quiet.cursor)
  await snapshot("chat")

  assert.strictEqual((await socket("collections=prices&since=now", 1))[0]!.type, "ping")
  assert.strictEqual((await socket("collections=prizes"))[0]!.type, "goodbye")
  const stream = await fetch(`${daemon.url}/v1/stream?collections=prices&ping=client`)
  let text = ""
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('"connection"') && text.endsWith("\n\n")) break
  }
  for (const [, data] of text.matchAll(/^data: (.*)$/gm)) note(data!)

  const common = ["at", "collections", "cursor", "type"]
  assert.deepStrictEqual(all("snapshot"), [...common, "reason", ...part("more", "retain")].toSorted())
  assert.deepStrictEqual(
    all("change"),
    [...common, "commits", "from", ...part("evict", "put", "remove", "set", "skipped", "unset")].toSorted()
  )
  // A ticket is for whoever came with one.
  assert.deepStrictEqual(all("ping"), ["asOf", "at", "connection", "cursor", "from", "interval", "type"])
  assert.deepStrictEqual(all("goodbye"), ["code", "problem", "type"])
})
