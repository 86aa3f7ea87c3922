/** How often a client hears: `interval` on streams and sockets, `interval`, `wait` and `Prefer` on long polls. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import type { Client } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { inTurn, Market, numbers, pool, sleep, timed } from "./Market.ts"

let market: Market
const many = numbers(40).map((i) => pool(`p${i}`))
/** ms. The clients live on the server's own loop: a message may be seen late, and the one after it then looks early. */
const late = 450
const early = 300

beforeAll(async () => {
  market = await Market.open(many)
})
afterEach(() => market.leave())
afterAll(() => market.close())

let rate = 0
const commit = () => market.commit("pools", [{ ...many[0]!, rate: String(++rate) }, ...many.slice(1)])
const rateOf = (client: Client) => client.rows.get("pools")!.get("p0")!.get("rate")

const openBoth = async (search: string, from?: Client): Promise<ReadonlyArray<Client>> => {
  const since = from === undefined ? "" : `&since=${from.cursor}`
  const clients = [
    await market.stream(`${search}${since}`, { ...(from && { from }) }),
    await market.socket(`${search}${since}`, [], from)
  ]
  await until("first messages", () => clients.every(({ messages }) => messages.length > 0))
  return clients
}

describe("interval", () => {
  it("the first change after a quiet time leaves at once, the next not before interval later, newest values win", async () => {
    const clients = await openBoth("collections=pools&interval=1s", await market.poll("collections=pools"))
    const began = performance.now()
    await inTurn(numbers(5), commit)
    await until("two changes", () => clients.every(({ changes }) => changes === 2))
    await sleep(1_100)
    const quiet = performance.now()
    await commit()
    await until("a third", () => clients.every(({ changes }) => changes === 3))
    for (const client of clients) {
      const [, first, second, third] = client.arrivals as [number, number, number, number]
      assert.isBelow(first - began, late, "the first leaves at once")
      assert.isAtLeast(second - first, 1_000 - early)
      assert.isBelow(second - first, 1_000 + late)
      assert.isBelow(third - quiet, late, "after a quiet time the next leaves at once")
      assert.deepStrictEqual(
        client.messages.map((message) => message["commits"]),
        [undefined, 1, 4, 1]
      )
      assert.strictEqual(rateOf(client), String(rate))
      assert.strictEqual(client.refused, 0)
    }
  })

  it("snapshots and pings do not count: a change right after one leaves at once", async () => {
    const fresh = await openBoth("collections=pools&interval=2s")
    const resumed = await openBoth("collections=pools&interval=2s", await market.poll("collections=pools"))
    const began = performance.now()
    await commit()
    const clients = [...fresh, ...resumed]
    await until("changes", () => clients.every(({ messages }) => messages.at(-1)!.type === "change"), late)
    assert.isBelow(performance.now() - began, late)
  })

  it("a change that a stream begins with counts", async () => {
    const from = await market.poll("collections=pools")
    await commit()
    const clients = await openBoth("collections=pools&interval=500ms", from)
    await commit()
    await until("changes", () => clients.every(({ changes }) => changes === 2))
    for (const client of clients) {
      assert.deepStrictEqual(client.types, ["change", "change"])
      assert.isAtLeast(client.arrivals[1]! - client.arrivals[0]!, 500 - early)
    }
  })

  it("a change that comes with the first snapshot counts", async () => {
    // Newcomers are given the last snapshot built and the change since then.
    await openBoth("collections=pools&fields=rate")
    await commit()
    const clients = await openBoth("collections=pools&fields=rate&interval=500ms")
    await until("snapshot and change", () => clients.every(({ changes }) => changes === 1))
    await commit()
    await until("changes", () => clients.every(({ changes }) => changes === 2))
    for (const client of clients) {
      assert.deepStrictEqual(client.types, ["snapshot", "change", "change"])
      assert.isAtLeast(client.arrivals[2]! - client.arrivals[1]!, 500 - early)
    }
  })

  it("readers of one query at different paces each get the newest values", async () => {
    const clients = (
      await inTurn(["50ms", "150ms", "400ms"], (pace) => openBoth(`collections=pools&interval=${pace}`))
    ).flat()
    const began = performance.now()
    await inTurn(numbers(40), () => commit())
    await until("the newest", () => clients.every((client) => rateOf(client) === String(rate)))
    for (const [i, client] of clients.entries()) {
      assert.strictEqual(client.refused, 0)
      const most = Math.ceil((client.arrivals.at(-1)! - began) / [50, 150, 400][i >> 1]!) + 1
      assert.isAtMost(client.changes, most)
    }
  })

  it("shows when a change comes too early: without interval every commit is a change", async () => {
    const clients = await openBoth("collections=pools", await market.poll("collections=pools"))
    await inTurn(numbers(3), async () => {
      await commit()
      await sleep(30)
    })
    for (const client of clients) {
      assert.strictEqual(client.changes, 3)
      assert.isBelow(client.arrivals[2]! - client.arrivals[1]!, 480)
    }
  })
})

const polling = async () => {
  const [poll, took] = await timed(market.poll("collections=pools"))
  assert.deepStrictEqual(poll.types, ["snapshot"])
  assert.isBelow(took, late, "without since a snapshot at once")
  return poll
}

describe("a long poll", () => {
  it("is answered as soon as something of the query changed after since", async () => {
    const poll = await polling()
    const asked = timed(poll.ask("wait=5s"))
    await sleep(200)
    await commit()
    const [answer, took] = await asked
    assert.strictEqual(answer.status, 200)
    assert.isAtLeast(took, 190)
    assert.isBelow(took, 200 + late)
    assert.strictEqual(answer.headers.get("ratecast-cursor"), poll.cursor!)
    assert.strictEqual(rateOf(poll), String(rate))
    assert.deepStrictEqual(poll.types, ["snapshot", "change"])
  })

  it("is not answered because of what is not of the query", async () => {
    const poll = await market.poll("collections=pools&keys=p1")
    const asked = timed(poll.ask("wait=400ms"))
    await sleep(50)
    await commit()
    const [answer, took] = await asked
    assert.strictEqual(answer.status, 204)
    assert.isAtLeast(took, 390)
    const revision = Number(poll.cursor!.split("-")[1])
    assert.strictEqual(revision, market.daemon.hub.revision(), "always the current cursor")
  })

  it("wait: 204 with the cursor when nothing changed in that time", async () => {
    const poll = await polling()
    for (const [wait, least] of await inTurn(["0s", "0ms", "300ms", "1s"], async (text) => {
      const before = poll.cursor
      const [answer, took] = await timed(poll.ask(`wait=${text}`))
      assert.strictEqual(answer.status, 204, text)
      assert.strictEqual(answer.headers.get("ratecast-cursor"), before!)
      assert.strictEqual(answer.headers.get("cache-control"), "no-store")
      assert.isNull(answer.headers.get("preference-applied"))
      return [took, parseInt(text, 10) * (text.endsWith("ms") ? 1 : 1_000)] as const
    })) {
      assert.isAtLeast(wait, least - 10)
      assert.isBelow(wait, least + late)
    }
  })

  it("Prefer: wait=N is honoured and said in Preference-Applied; wait= wins over it", async () => {
    const poll = await polling()
    const [preferred, took] = await timed(poll.ask("", { prefer: "respond-async, wait=1" }))
    assert.strictEqual(preferred.status, 204)
    assert.strictEqual(preferred.headers.get("preference-applied"), "wait=1")
    assert.isAtLeast(took, 990)
    assert.isBelow(took, 1_000 + late)
    const [wins, tookLess] = await timed(poll.ask("wait=100ms", { prefer: "wait=5" }))
    assert.strictEqual(wins.status, 204)
    assert.isNull(wins.headers.get("preference-applied"))
    assert.isBelow(tookLess, 100 + late)
    await commit()
    const long = await poll.ask("", { prefer: "wait=500" })
    assert.strictEqual(long.status, 200)
    assert.strictEqual(long.headers.get("preference-applied"), "wait=55", "no longer than wait may be")
  })

  it("interval: answered no earlier than that after the request came, with the newest values", async () => {
    const poll = await polling()
    await commit()
    const asked = timed(poll.ask("interval=500ms&wait=5s"))
    await sleep(100)
    await commit()
    const [answer, took] = await asked
    assert.strictEqual(answer.status, 200)
    assert.isAtLeast(took, 490)
    assert.isBelow(took, 500 + late)
    assert.strictEqual(poll.messages.at(-1)!["commits"], 2)
    assert.strictEqual(rateOf(poll), String(rate))
    const quiet = timed(poll.ask("interval=300ms&wait=5s"))
    await sleep(600)
    await commit()
    const [, tookQuiet] = await quiet
    assert.isBelow(tookQuiet, 600 + late, "after interval the first change leaves at once")
  })

  it("interval longer than wait: answered after wait, and what changed is not lost", async () => {
    const poll = await polling()
    await inTurn(numbers(5), async () => {
      await commit()
      const [answer, took] = await timed(poll.ask("interval=10s&wait=150ms"))
      assert.strictEqual(answer.status, 200)
      assert.isAtLeast(took, 140)
      assert.isBelow(took, 150 + late)
      assert.strictEqual(rateOf(poll), String(rate))
    })
    assert.strictEqual(poll.refused, 0)
  })

  it("held back by interval, it still tells of a change that only a snapshot can tell", async () => {
    // Fewer rows are left than went: the answer is a snapshot for the reason `smaller`.
    await inTurn(numbers(5), async (round) => {
      await market.commit("pools", [...many, ...numbers(600).map((i) => pool(`gone${round}-${i}`))])
      const poll = await polling()
      await market.commit("pools", many)
      const answer = await poll.ask("interval=10s&wait=150ms")
      assert.strictEqual(answer.status, 200, "204 says that nothing changed")
      assert.strictEqual(poll.reasons.at(-1), "smaller")
      assert.strictEqual(poll.rows.get("pools")!.size, many.length)
    })
  })
})
