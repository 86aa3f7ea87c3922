/** All roads through a real nginx and a real HAProxy: as they come, and as docs/operations.md says. */
import * as http2 from "node:http2"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import type { Commit } from "../src/Collection.ts"
import { Disk, layerMemory } from "../src/Hub/Journal/Memory.ts"
import { until } from "./Daemon.ts"
import { EventFollower, type Follower, Http2Follower, PollFollower, SocketFollower } from "./Followers.ts"
import { RawSocket } from "./Frames.ts"
import { canonicalText } from "./Held.ts"
import { alone, Market, numbers, pool, sleep, textOf } from "./Http/Market.ts"
import { type Kind, Proxy } from "./Proxy.ts"
import { documented, hastily, hasty, missing, overHttp2, plain, unless } from "./ProxyConfig.ts"

const query = "collections=pools"
const rowsAt = (step: number) =>
  numbers(100).map((i) =>
    pool(`p${i}`, { rate: i === step % 100 ? `${step}` : "1", note: "n".repeat(2_000) })
  )

let market: Market
let step = 0
/** The rows from each revision on, as the daemon itself has them. */
const truth: Array<{ readonly revision: number; readonly rows: string }> = []

const note = () => {
  const { board, revision } = market.daemon.hub
  const rows = canonicalText([["pools", [...textOf(Object.fromEntries(board.rows("pools")))]]])
  truth.push({ revision: revision(), rows })
}

/** Notes them with every commit from now on. */
const watch = () => {
  const { board } = market.daemon.hub
  const { commit } = board
  Object.assign(board, { commit: (made: Commit) => Effect.tap(commit(made), () => Effect.sync(note)) })
  note()
}

const rowsAtCursor = (cursor: string) =>
  truth.findLast(({ revision }) => revision <= Number(cursor.split("-")[1]))!.rows

/** One more change, after which this many have been made. */
const commit = async (): Promise<number> => {
  await market.commit("pools", rowsAt(++step))
  return step
}

interface Road {
  readonly name: string
  readonly isDocumented: boolean
  readonly client: Follower
}

const kinds = ["nginx", "haproxy"] as const
const proxies: Array<Proxy> = []
const roads: Array<Road> = []
const clients = () => roads.map(({ client }) => client)

const open = async (kind: Kind, isDocumented: boolean) => {
  const config = isDocumented ? documented(kind) : plain[kind]
  const proxy = await Proxy.open(kind, (port) => config(port, market.port))
  proxies.push(proxy)
  const to = (path: string) => `${proxy.url}/v1/${path}?${query}`
  const by: { [road: string]: Follower } = {
    "event stream": new EventFollower(to("stream")),
    "gzip event stream": new EventFollower(to("stream"), "gzip"),
    "long poll": new PollFollower(to("changes"))
  }
  if (isDocumented || kind === "haproxy") by["WebSocket"] = new SocketFollower(to("socket"))
  for (const [road, client] of Object.entries(by))
    roads.push({ name: `${road} through ${kind}${isDocumented ? "" : " as it comes"}`, isDocumented, client })
}

/** Every client comes to know of the last change, and none is held back for long. */
const reached = async (last: number, of: ReadonlyArray<Road> = roads, ms = 5_000) => {
  for (const { client, name } of of) {
    const isThere = () =>
      client.rows
        .get("pools")
        ?.get(`p${last % 100}`)
        ?.get("rate") === String(last)
    await until(`change ${last}, ${name}`, isThere, ms)
  }
}

const checkRows = (of: ReadonlyArray<Road> = roads) => {
  for (const { client, name } of of) {
    assert.isAbove(client.history.length, 0, name)
    for (const [cursor, rows] of client.history)
      assert.strictEqual(rows, rowsAtCursor(cursor), `${name} at ${cursor}`)
    assert.strictEqual(client.refused, 0, name)
    assert.deepStrictEqual(client.reasons, ["initial"], `${name}: one snapshot, the first`)
  }
}

describe.skipIf(missing.length > 0)(`through a proxy${unless}`, () => {
  beforeAll(async () => {
    market = await Market.open(rowsAt(0), { journal: layerMemory(new Disk()) })
    watch()
    for (const kind of kinds) for (const isDocumented of [true, false]) await open(kind, isDocumented)
    for (const client of clients()) client.follow()
  })
  afterAll(async () => {
    await Promise.all(clients().map((client) => client.stop()))
    for (const proxy of proxies) await proxy.close()
    await market.close()
  })

  it("every change comes at once on every road, and the rows are right at every cursor", async () => {
    await reached(step)
    // Nothing follows until it is there: what a buffer holds back would never come.
    for (const _ of numbers(6)) await reached(await commit(), roads, 3_000)
    for (const _ of numbers(6)) await commit()
    await reached(await commit())
    checkRows()
  })

  it("a proxy that is stopped and started again: everybody comes back by a change", async () => {
    const before = clients().map(({ connections }) => connections)
    for (const proxy of proxies) await proxy.stop()
    await commit()
    await sleep(300)
    await commit()
    for (const proxy of proxies) await proxy.start()
    await reached(await commit())
    checkRows()
    for (const [i, { client, name }] of roads.entries()) assert.isAbove(client.connections, before[i]!, name)
  })

  it("a proxy that is reloaded cuts nobody", async () => {
    const through = roads.filter(({ client }) => !(client instanceof PollFollower))
    const before = through.map(({ client }) => client.connections)
    for (const proxy of proxies) await proxy.reload()
    await sleep(300)
    await reached(await commit())
    assert.deepStrictEqual(
      through.map(({ client }) => client.connections),
      before
    )
  })

  it("a daemon that is away: as the docs say everybody comes back by a change, else a page gives up", async () => {
    const pages = roads.filter(({ client }) => client instanceof EventFollower)
    const lost = pages.filter(({ isDocumented }) => !isDocumented)
    const rest = roads.filter((road) => !lost.includes(road))
    const attempts = pages.map(({ client }) => client.connections + 2)
    // Long enough that every page has tried in vain.
    await market.restart(() =>
      until(
        "refusals",
        () =>
          pages.every(({ client }, i) => client.gaveUp !== undefined || client.connections >= attempts[i]!),
        15_000
      )
    )
    for (const { client, name } of lost)
      assert.strictEqual(client.gaveUp, name.includes("nginx") ? "502" : "503", name)
    watch()
    await reached(await commit(), rest, 15_000)
    checkRows()
    for (const { client, name } of rest) assert.isUndefined(client.gaveUp, name)
  })

  it("a WebSocket of a page of another origin passes nowhere, one of its own only where upgrades do", async () => {
    for (const { kind, port } of proxies) {
      const refused = await upgraded(port, "https://elsewhere.example")
      assert.match(refused, /HTTP\/1\.1 403 /, kind)
    }
    const own = await Promise.all(proxies.map(({ port, url }) => upgraded(port, url)))
    assert.deepStrictEqual(
      own.map((answer) => /HTTP\/1\.1 (\d+)/.exec(answer)![1]),
      ["101", "403", "101", "101"]
    )
  })

  for (const kind of kinds) {
    it(`thirty streams on one connection of HTTP/2 through ${kind}`, async () => {
      const config = overHttp2(documented(kind))
      const proxy = await Proxy.open(kind, (port) => config(port, market.port))
      const connection = http2.connect(proxy.url)
      const url = `${proxy.url}/v1/stream?${query}`
      const tabs = numbers(30).map((tab) => ({
        name: `HTTP/2, ${tab}`,
        isDocumented: true,
        client: new Http2Follower(url, connection).follow()
      }))
      for (const _ of numbers(3)) await reached(await commit(), tabs)
      checkRows(tabs)
      await Promise.all(tabs.map(({ client }) => client.stop()))
      connection.destroy()
      await proxy.close()
    })
  }

  it("shows when a proxy holds events back: one that buffers whatever the daemon says", async () => {
    const proxy = await Proxy.open("nginx", (port) =>
      plain.nginx(port, market.port).replace("location", "proxy_ignore_headers X-Accel-Buffering; location")
    )
    const client = new EventFollower(`${proxy.url}/v1/stream?${query}`).follow()
    await sleep(200)
    const last = await commit()
    await sleep(300)
    const held = client.rows
      .get("pools")
      ?.get(`p${last % 100}`)
      ?.get("rate")
    assert.notStrictEqual(held, String(last))
    await client.stop()
    await proxy.close()
  })
})

/** The head of the answer to an upgrade. */
const upgraded = async (port: number, origin: string): Promise<string> =>
  RawSocket.open(port, `/v1/socket?${query}`, { headers: { origin } }).then(
    (socket) => {
      socket.vanish()
      return socket.head
    },
    (error: Error) => error.message
  )

describe.skipIf(missing.length > 0)(`a long poll that waits long, all times shortened${unless}`, () => {
  const cases: ReadonlyArray<readonly [Kind, isDocumented: boolean, seconds: number, status: number]> = [
    ["nginx", true, 55, 204],
    ["haproxy", true, 55, 204],
    ["nginx", false, 45, 204],
    ["haproxy", false, 55, 504],
    ["haproxy", false, 25, 204]
  ]
  it("is answered after 55 s where proxies are as the docs say, and as HAProxy comes after 25 s", () =>
    alone([pool("a")], {}, async (own) => {
      const { cursor } = await own.snapshot(`?${query}`)
      const answers = cases.map(async ([kind, isDocumented, seconds, status]) => {
        const config = hasty(isDocumented ? documented(kind) : plain[kind])
        const proxy = await Proxy.open(kind, (port) => config(port, own.port))
        const answer = await fetch(
          `${proxy.url}/v1/changes?${query}&since=${cursor}&wait=${hastily(seconds)}`
        )
        await answer.text()
        await proxy.close()
        assert.strictEqual(answer.status, status, `${kind}, ${seconds} s`)
      })
      await Promise.all(answers)
    }))
})
