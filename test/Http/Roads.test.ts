/** One query, four roads: the same rows at the same cursor, and a cursor is good on all of them. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { type Client, PollClient } from "../Clients.ts"
import { until } from "../Daemon.ts"
import type { Held } from "../Held.ts"
import {
  byId,
  heldRows,
  inTurn,
  Market,
  numbers,
  type Pool,
  pool,
  sleep,
  type Snapshot,
  textOf,
  timed
} from "./Market.ts"

let market: Market
const north = numbers(30).map((i) => pool(`n${i}`, { type: i % 3 === 0 ? "volatile" : "stable" }))

beforeAll(async () => {
  market = await Market.open(north)
})
afterEach(() => market.leave())
afterAll(() => market.close())

/** A repeatable stream of random numbers (mulberry32). */
const random = (seed: number) => (below: number) => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return (((t ^ (t >>> 14)) >>> 0) % 1e9) % below
}

/** Rows, states and errors as text, to be compared. */
const shown = (held: Held): string =>
  JSON.stringify([
    [...held.rows.keys()].toSorted().map((name) => [name, [...heldRows(held, name)]]),
    [...held.states].toSorted(),
    [...held.errors].toSorted()
  ])

/** What a client showed at every cursor it stood at. */
const record = (client: Client): Map<string, string> => {
  const history = new Map<string, string>()
  const note = () => client.cursor !== undefined && history.set(client.cursor, shown(client))
  note()
  client.onMessage = note
  return history
}

const openAll = async (query: string) => {
  const poll = await market.poll(query)
  const roads = {
    stream: await market.stream(`${query}`),
    gzip: await market.stream(`${query}`, {
      headers: { "accept-encoding": "gzip" }
    }),
    socket: await market.socket(`${query}`),
    poll
  }
  await until("first messages", () => Object.values(roads).every(({ messages }) => messages.length > 0))
  return roads
}

/** A client that is shown the whole state once. */
const truth = async (query: string): Promise<PollClient> => {
  const client = new PollClient(market.at(`/v1/snapshot?${query}`))
  await client.ask()
  return client
}

describe("one query, four roads", () => {
  it("show the same rows at the same cursor while the upstream changes", async () => {
    const query = "collections=pools,types,wide,silent"
    const next = random(7)
    const roads = await openAll(query)
    const histories = Object.values(roads).map(record)
    const following = roads.poll.follow(`wait=300ms`)
    const server = new Map<string, string>()
    let rows: ReadonlyArray<Pool> = north
    let born = 0
    await inTurn(numbers(60), async (step) => {
      const edited = rows.flatMap((row) => {
        const what = next(12)
        if (what === 0) return []
        if (what === 1) return [{ ...row, type: row.type === "stable" ? "volatile" : "stable" }]
        if (what === 2) return [{ ...row, rate: `${next(100)}.${next(10)}0`, volume: next(5) }]
        return [what === 3 ? pool(row.id, { note: [{ deep: next(3) }, null] }) : row]
      })
      rows = [...edited, ...numbers(next(4)).map(() => pool(`new${born++ % 20}`, { rate: String(next(9)) }))]
      rows = [...new Map(rows.map((row) => [row.id, row])).values()]
      await market.commit("pools", step % 20 === 13 ? 500 : rows)
      const now = await truth(query)
      server.set(now.cursor!, shown(now))
      assert.strictEqual(now.states.get("pools"), step % 20 === 13 ? "stale" : "live")
    })
    assert.deepStrictEqual(heldRows(await truth(query), "pools"), textOf(byId(rows)))
    const last = [...server.keys()].at(-1)
    await Promise.all(Object.values(roads).map((client) => client.reaches(last)))
    roads.poll.stop()
    await following
    for (const [i, [name, client]] of Object.entries(roads).entries()) {
      assert.strictEqual(client.refused, 0, name)
      assert.isAbove(client.changes, 20, name)
      assert.deepStrictEqual(client.reasons, ["initial"], name)
      const common = [...histories[i]!].filter(([cursor]) => server.has(cursor))
      assert.isAbove(common.length, 20, name)
      for (const [cursor, rows] of common)
        assert.strictEqual(rows, server.get(cursor), `${name} at ${cursor}`)
    }
  })

  it("shows when a client has not the server's rows: a change over a wrong base is refused", async () => {
    const roads = await openAll("collections=pools")
    await market.commit("pools", [...north, pool("wrong")])
    await until("a change", () => roads.stream.changes > 0)
    const change = JSON.stringify(roads.stream.messages.at(-1))
    const other = await market.poll("collections=types")
    const before = shown(other)
    other.take(change)
    assert.strictEqual(other.refused, 1)
    assert.strictEqual(shown(other), before)
    assert.notStrictEqual(shown(other), shown(roads.stream))
  })

  it("without collections= shows all that are not families, and collections= is the same in any order", async () => {
    const all = await market.snapshot()
    assert.deepStrictEqual(Object.keys(all.collections).toSorted(), ["pools", "silent", "types", "wide"])
    assert.deepStrictEqual({ ...all.collections["silent"] }, { state: "loading", rows: {} })
    for (const search of [
      "collections=wide,types,silent,pools",
      "collections=pools,pools&collections=silent,wide,types",
      "_cache=1&interval=1s&wait=3s"
    ]) {
      assert.strictEqual((await market.snapshot(`?${search}`)).cursor, all.cursor, search)
    }
  })

  it("a cursor of any road resumes on every other, without a snapshot", async () => {
    const query = "collections=pools,types"
    const roads = await openAll(query)
    const collections = (await (await market.get("/v1/collections")).json()) as { readonly cursor: string }
    const cursors = [
      (await market.snapshot(`?${query}`)).cursor,
      roads.poll.cursor!,
      roads.stream.events.at(-1)!.lastEventId,
      roads.socket.cursor!
    ]
    assert.strictEqual(new Set(cursors).size, 1)
    const [cursor] = cursors
    await market.commit("pools", [...north, pool(`resumed`, { type: "odd" })])
    const header = await market.stream(`${query}`, {
      headers: { "last-event-id": cursor! }
    })
    const stream = await market.stream(`${query}&since=${cursor}`)
    const socket = await market.socket(`${query}&since=${cursor}`)
    const poll = await market.poll(`${query}&since=${cursor}`)
    const subscribed = await market.socket()
    subscribed.say({ type: "subscribe", collections: ["pools", "types"], since: cursor })
    await until("ack and change", () => subscribed.messages.length > 1)
    assert.strictEqual(subscribed.messages.shift()!.type, "ack")
    for (const client of [header, stream, socket, poll, subscribed]) {
      const message = await client.first()
      assert.strictEqual(message.type, "change")
      assert.strictEqual(message.from, cursor)
      assert.deepStrictEqual(Object.keys(message.collections!["pools"]!["put"]!), ["resumed"])
      assert.deepStrictEqual(Object.keys(message.collections!["types"]!["put"]!), ["odd"])
    }
    const onward = await market.stream(`since=${collections.cursor}`)
    assert.strictEqual((await onward.first()).type, "change")
  })

  it("where nothing changed a stream begins with a ping, and a long poll waits", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    const search = `collections=pools&since=${cursor}`
    const stream = await market.stream(`${search}`)
    const socket = await market.socket(`${search}`)
    await until("first messages", () => stream.messages.length + socket.messages.length === 2)
    for (const { messages } of [stream, socket]) {
      assert.strictEqual(messages[0]!.type, "ping")
      assert.strictEqual(messages[0]!.from, cursor)
      assert.strictEqual(messages[0]!["interval"], 15_000)
      assert.hasAllKeys(messages[0]!.asOf, ["pools"])
    }
    const answer = await market.get(`/v1/changes?${search}&wait=50ms`)
    assert.strictEqual(answer.status, 204)
    assert.strictEqual(answer.headers.get("ratecast-cursor"), cursor)
  })

  it("since=now: no snapshot, the first message is a ping with the cursor", async () => {
    const search = "collections=pools&since=now"
    const stream = await market.stream(`${search}`)
    const socket = await market.socket(`${search}`)
    const polled = market.get(`/v1/changes?${search}&wait=5s`)
    await until("first messages", () => stream.messages.length + socket.messages.length === 2)
    const { cursor } = await market.snapshot("?collections=pools")
    await market.commit("pools", [...north, pool("now")])
    const answer = await polled
    assert.strictEqual(answer.status, 200)
    await until("changes", () => stream.messages.length + socket.messages.length === 4)
    const change = (await answer.json()) as { readonly type: string; readonly from: string }
    for (const { messages } of [stream, socket]) {
      assert.strictEqual(messages[0]!.type, "ping")
      assert.strictEqual(messages[0]!.cursor, cursor)
      assert.deepStrictEqual(messages[1], change)
    }
    assert.strictEqual(change.type, "change")
    assert.strictEqual(change.from, cursor)
    const quiet = await market.get(`/v1/changes?${search}&wait=0s`)
    assert.strictEqual(quiet.status, 204)
    assert.strictEqual(quiet.headers.get("ratecast-cursor"), answer.headers.get("ratecast-cursor"))
  })
})

describe("a cursor belongs to the query it was given for", () => {
  it("under another query the answer is a snapshot, whose reason says so", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    for (const other of ["types", "pools&keys=n1", "pools&fields=rate", "pools&where=type:stable"]) {
      const poll = new PollClient(market.at(`/v1/changes?collections=${other}`))
      poll.cursor = cursor
      await poll.ask()
      assert.deepStrictEqual(poll.reasons, ["query"], other)
    }
  })
})

/** A cursor of a revision that is yet to come; its proof cannot be known. */
const aheadBy = (cursor: string, by: number, proof = cursor.split("-")[2]!) => {
  const [epoch, revision] = cursor.split("-")
  return `${epoch}-${Number(revision) + by}-${proof}`
}

describe("a revision that is yet to come", () => {
  it("is waited for: the answer comes with the commit", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    const ahead = aheadBy(cursor, 1)
    const [epoch, revision] = ahead.split("-")
    const asked = [
      timed(market.get(`/v1/snapshot?collections=pools&since=${ahead}`)),
      timed(market.get(`/v1/changes?collections=pools&since=${ahead}`)),
      timed(market.get("/v1/snapshot?collections=pools", { "ratecast-min-revision": ahead })),
      timed(
        market.get("/v1/snapshot?collections=pools", { "ratecast-min-revision": `${epoch}-${revision}` })
      ),
      timed(market.get("/v1/snapshot?collections=pools", { "ratecast-min-revision": revision! })),
      timed(market.get("/v1/changes?collections=pools", { "ratecast-min-revision": ahead }))
    ]
    const stream = market.stream(`collections=pools&since=${ahead}`)
    const socket = market.socket(`collections=pools&since=${ahead}`)
    await sleep(300)
    await market.commit("pools", [...north, pool("ahead")])
    for (const [answer, took] of await Promise.all(asked)) {
      assert.strictEqual(answer.status, 200)
      assert.isAtLeast(took, 290)
      assert.isBelow(took, 1_500)
      assert.property(((await answer.json()) as Snapshot).collections["pools"]!.rows, "ahead")
    }
    const clients = [await stream, await socket]
    await until("snapshots", () => clients.every(({ messages }) => messages.length > 0))
    for (const client of clients) assert.isTrue(heldRows(client, "pools").has("ahead"))
  })

  it("is waited for where one row is asked, and the list of collections", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    const header = { "ratecast-min-revision": aheadBy(cursor, 1) }
    const row = timed(market.get("/v1/rows/pools/late", header))
    const list = timed(market.get("/v1/collections", header))
    await sleep(300)
    await market.commit("pools", [...north, pool("late")])
    const [answer, took] = await row
    assert.strictEqual(answer.status, 200, "GET /v1/rows/pools/late")
    assert.isAtLeast(took, 290)
    assert.isAtLeast((await list)[1], 290)
  })

  it("is waited for 2 s at most, and never of another epoch", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    const [[late, took], [foreign, tookForeign]] = await Promise.all([
      timed(market.get(`/v1/changes?collections=pools&since=${aheadBy(cursor, 1_000)}`)),
      timed(market.get(`/v1/changes?collections=pools&since=other-${cursor.split("-")[1]}9-000000000000`))
    ])
    assert.isAtLeast(took, 1_900)
    assert.isBelow(took, 2_600)
    assert.strictEqual(((await late.json()) as Snapshot).reason, "epoch")
    assert.isBelow(tookForeign, 500)
    assert.strictEqual(((await foreign.json()) as Snapshot).reason, "epoch")
  })
})
