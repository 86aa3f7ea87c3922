/** `keys`, `fields`, `where` and a collection's own forms: which rows and fields a client is shown, on every road. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import type { Client, PollClient } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { byId, heldRows, inTurn, Market, type Pool, pool, textOf } from "./Market.ts"

const commas = "a,b"
const before: ReadonlyArray<Pool> = [
  pool("p1"),
  pool("p2", { type: "volatile" }),
  pool("p3", { venue: null, note: { deep: [1, null] } }),
  pool("p4", { venue: "null", volume: 4 }),
  pool("p5", { type: "a:b" }),
  pool("p6", { type: "", venue: "south" }),
  pool(commas, { volume: 1 }),
  pool("", { rate: "9" }),
  pool("__proto__", { type: "volatile" }),
  pool("line\r\nid: 1\n\ndata: {}\u2028\0\ud800", { venue: "south" })
]
/** Rows come in and go out of every `where`, change, lose fields, go and are born. */
const after: ReadonlyArray<Pool> = [
  pool("p1", { type: "volatile" }),
  pool("p2", { rate: "2.50" }),
  pool("p3", { venue: "north", note: null }),
  pool("p4", { venue: null }),
  pool("p6", { type: "a:b" }),
  pool(commas, { volume: 2, note: [] }),
  pool("", { rate: "9", volume: 0 }),
  pool("__proto__", { type: "stable" }),
  pool("line\r\nid: 1\n\ndata: {}\u2028\0\ud800", { rate: "3" }),
  pool("p7", { type: "volatile", venue: null })
]

interface Case {
  readonly search: string
  /** The same in a `subscribe`. */
  readonly message: object
  readonly rows: (row: Pool) => boolean
  readonly fields?: ReadonlyArray<keyof Pool>
}

const keyed =
  (...keys: ReadonlyArray<string>) =>
  (row: Pool) =>
    keys.includes(row.id)

const cases: ReadonlyArray<Case> = [
  { search: "", message: {}, rows: () => true },
  { search: "keys=p1,p7", message: { keys: ["p1", "p7"] }, rows: keyed("p1", "p7") },
  { search: "keys=p1&keys=p2,p1", message: { keys: ["p1", "p2", "p1"] }, rows: keyed("p1", "p2") },
  { search: "keys=", message: { keys: [] }, rows: () => false },
  { search: "key=a%2Cb", message: { keys: [commas] }, rows: keyed(commas) },
  { search: "key=a,b&keys=p1", message: { keys: [commas, "p1"] }, rows: keyed(commas, "p1") },
  { search: "key=", message: { keys: [""] }, rows: keyed("") },
  {
    search: "key=__proto__&key=constructor",
    message: { keys: ["__proto__", "constructor"] },
    rows: keyed("__proto__")
  },
  { search: "fields=rate", message: { fields: ["rate"] }, rows: () => true, fields: ["rate"] },
  { search: "fields=", message: { fields: [] }, rows: () => true, fields: [] },
  {
    search: "fields=note,volume&fields=id",
    message: { fields: ["note", "volume"] },
    rows: () => true,
    fields: ["note", "volume"]
  },
  { search: "where=type:stable", message: { where: ["type:stable"] }, rows: ({ type }) => type === "stable" },
  {
    search: "where=type%3Avolatile",
    message: { where: ["type:volatile"] },
    rows: ({ type }) => type === "volatile"
  },
  { search: "where=type:a:b", message: { where: ["type:a:b"] }, rows: ({ type }) => type === "a:b" },
  { search: "where=type:", message: { where: ["type:"] }, rows: ({ type }) => type === "" },
  {
    search: "where=venue:null",
    message: { where: ["venue:null"] },
    rows: ({ venue }) => venue === null || venue === "null"
  },
  {
    search: "where=type:stable&where=venue:north",
    message: { where: ["type:stable", "venue:north"] },
    rows: ({ type, venue }) => type === "stable" && venue === "north"
  },
  {
    search: "where=type:stable&keys=p1,p2,p4&fields=venue",
    message: { where: ["type:stable"], keys: ["p1", "p2", "p4"], fields: ["venue"] },
    rows: (row) => row.type === "stable" && keyed("p1", "p2", "p4")(row),
    fields: ["venue"]
  },
  {
    search: "where=type:none&pools.where=type:volatile&keys=p9&pools.keys=p1,p2,p7&pools.key=p5",
    message: {
      where: ["type:none"],
      keys: ["p9"],
      pools: { where: ["type:volatile"], keys: ["p1", "p2", "p7", "p5"] }
    },
    rows: (row) => row.type === "volatile" && keyed("p1", "p2", "p5", "p7")(row)
  },
  {
    search: "fields=note&pools.fields=rate,type",
    message: { fields: ["note"], pools: { fields: ["rate", "type"] } },
    rows: () => true,
    fields: ["rate", "type"]
  },
  { search: "pools.keys=", message: { pools: { keys: [] } }, rows: () => false }
]

const expected = ({ fields, rows }: Case, upstream: ReadonlyArray<Pool>) =>
  textOf(
    byId(
      upstream.filter(rows).map((row) => {
        if (fields === undefined) return row
        const shown = Object.entries(row).filter(
          ([name]) => name === "id" || fields.includes(name as keyof Pool)
        )
        return Object.fromEntries(shown) as unknown as Pool
      })
    )
  )

let market: Market
beforeAll(async () => {
  market = await Market.open(before)
})
afterAll(() => market.close())

interface Open {
  readonly one: Case
  readonly clients: { readonly [road: string]: Client }
  readonly poll: PollClient
}

const open = async (one: Case): Promise<Open> => {
  const search = `collections=pools&${one.search}`
  const poll = await market.poll(search)
  const stream = await market.stream(`${search}`)
  const gzip = await market.stream(`${search}`, {
    headers: { "accept-encoding": "gzip" }
  })
  const socket = await market.socket(`${search}`)
  const subscribed = await market.socket()
  subscribed.say({ type: "subscribe", collections: ["pools"], ...one.message })
  const clients = { poll, stream, gzip, socket, subscribed }
  await until(`snapshots of ${search}`, () =>
    Object.values(clients).every(({ cursor }) => cursor !== undefined)
  )
  return {
    one,
    clients,
    poll
  }
}

describe("which rows and fields of a collection are shown", () => {
  let opened: ReadonlyArray<Open>

  it("in a snapshot: what was asked for, and no more", async () => {
    opened = await inTurn(cases, open)
    for (const { clients, one } of opened) {
      for (const [road, client] of Object.entries(clients)) {
        assert.deepStrictEqual(heldRows(client, "pools"), expected(one, before), `${road} ${one.search}`)
        assert.strictEqual(client.cursor, clients["poll"]!.cursor, `${road} ${one.search}`)
        assert.isTrue(client.rows.has("pools"), "a collection is never left out of a snapshot")
      }
    }
  })

  it("and in a change, where rows come in and go out", async () => {
    await market.commit("pools", after)
    await inTurn(opened, async ({ clients, one, poll }) => {
      const now = expected(one, after)
      const answer = await poll.ask("wait=0s")
      assert.include([200, 204], answer.status, one.search)
      for (const [road, client] of Object.entries(clients)) {
        await until(
          `${road} ${one.search}`,
          () => JSON.stringify([...heldRows(client, "pools")]) === JSON.stringify([...now])
        )
        assert.strictEqual(client.refused, 0, `${road} ${one.search}`)
        assert.deepStrictEqual(client.reasons, ["initial"], `${road} ${one.search}`)
      }
    })
    const whole = await market.snapshot("?collections=pools")
    assert.deepStrictEqual(textOf(whole.collections["pools"]!.rows), textOf(byId(after)))
  })

  it("a query of which nothing changed is told nothing, and its long poll waits", async () => {
    const poll = await market.poll("collections=pools&keys=p1&fields=rate")
    await market.commit(
      "pools",
      after.map((row) => (row.id === "p1" ? { ...row, volume: 77 } : { ...row, rate: "5" }))
    )
    const held = poll.cursor
    assert.strictEqual((await poll.ask("wait=100ms")).status, 204)
    assert.notStrictEqual(poll.cursor, held)
  })

  it("shows where a row is missing: the comparison tells two queries apart", async () => {
    const [all, stable] = [cases[0]!, cases.find(({ search }) => search === "where=type:stable")!]
    assert.notDeepEqual(expected(all, after), expected(stable, after))
    const poll = await market.poll("collections=pools")
    assert.notDeepEqual(heldRows(poll, "pools"), expected(stable, after))
  })
})

describe("a query over several collections", () => {
  it("keys, fields and where apply to every collection that has the field", async () => {
    await market.commit("pools", before)
    const { collections } = await market.snapshot(
      "?collections=pools,types&where=type:volatile&fields=count,rate"
    )
    assert.deepStrictEqual(
      textOf(collections["pools"]!.rows),
      textOf({
        p2: { id: "p2", rate: "1.0" },
        ["__proto__"]: { id: "__proto__", rate: "1.0" }
      })
    )
    assert.deepStrictEqual(collections["types"]!.rows, { volatile: { type: "volatile", count: 2 } })
  })

  it("a collection that has none of the fields is shown whole", async () => {
    const { collections } = await market.snapshot("?collections=pools,types&fields=venue&where=venue:south")
    assert.deepStrictEqual(Object.keys(collections["pools"]!.rows), [
      "p6",
      "line\r\nid: 1\n\ndata: {}\u2028\0\ud800"
    ])
    assert.deepStrictEqual(
      textOf(collections["types"]!.rows),
      textOf({
        stable: { type: "stable", count: 6 },
        volatile: { type: "volatile", count: 2 },
        "a:b": { type: "a:b", count: 1 },
        "": { type: "", count: 1 }
      })
    )
  })

  it("own forms are of one collection alone", async () => {
    const { collections } = await market.snapshot(
      "?collections=pools,types&types.keys=stable&pools.where=type:volatile"
    )
    assert.deepStrictEqual(Object.keys(collections["types"]!.rows), ["stable"])
    assert.sameMembers(Object.keys(collections["pools"]!.rows), ["p2", "__proto__"])
  })
})
