/** The cursor of a client that comes back to a daemon that was restarted: wherever it stands, and which one wins. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import type { Headers, PollClient } from "../Clients.ts"
import type { Message } from "../Held.ts"
import { heldRows, inTurn, Market, numbers, pool } from "./Market.ts"

/** The later one wins, as the header does over all of them. */
const names = ["since", "last_event_id", "lastEventId", "lastEventID", "lastEvent"]
const query = "collections=pools"

let market: Market
/** One client for each name and one for the header, each at a cursor of its own, the oldest first. */
let held: ReadonlyArray<PollClient>
const rowsAt = (step: number) =>
  numbers(8).map((i) => pool(`p${i}`, { rate: i === step % 8 ? `${step}` : "1" }))

beforeAll(async () => {
  market = await Market.open(rowsAt(0), { journal: layerMemory(new Disk()) })
  held = await inTurn(numbers(names.length + 1), async (step) => {
    await market.commit("pools", rowsAt(step + 1))
    return market.poll(query)
  })
  await market.commit("pools", rowsAt(7))
  await market.restart()
})
afterAll(() => market.close())

/** What the first message says, on both roads that take the header. */
const answers = async (search: string, headers: Headers = {}): Promise<ReadonlyArray<Message>> => {
  const stream = await market.stream(`${query}&${search}`, { headers })
  const first = await stream.first()
  stream.close()
  const answer = await market.get(`/v1/changes?${query}&${search}`, headers)
  return [first, (await answer.json()) as Message]
}

const cursors = () => held.map(({ cursor }) => cursor!)

describe("after a restart", () => {
  it("all cursors differ", () => {
    assert.strictEqual(new Set(cursors()).size, names.length + 1)
  })

  for (const name of names) {
    it(`${name}= in the URL is what the client has: it is told what changed since`, async () => {
      const client = held[names.indexOf(name)]!
      for (const message of await answers(`${name}=${client.cursor}`)) {
        assert.strictEqual(message.type, "change")
        assert.strictEqual(message.from, client.cursor)
      }
    })
  }

  it("so is the header Last-Event-ID, in any case of its letters", async () => {
    const client = held.at(-1)!
    for (const name of ["Last-Event-ID", "last-event-id", "LAST-EVENT-ID"]) {
      for (const message of await answers("", { [name]: client.cursor! })) {
        assert.strictEqual(message.type, "change")
        assert.strictEqual(message.from, client.cursor)
      }
    }
  })

  it(`of several the first counts of: header, ${names.toReversed().join(", ")}`, async () => {
    // Of all of them, then without the strongest, and so on: whatever order they stand in.
    for (const strongest of numbers(names.length).toReversed()) {
      const given = names.slice(0, strongest + 1).map((name, i) => `${name}=${cursors()[i]}`)
      for (const search of [given.join("&"), given.toReversed().join("&")]) {
        for (const { from } of await answers(search)) assert.strictEqual(from, cursors()[strongest], search)
        for (const { from } of await answers(search, { "last-event-id": cursors().at(-1)! }))
          assert.strictEqual(from, cursors().at(-1))
      }
    }
  })

  it("an empty one is none, so the next one counts", async () => {
    const search = `since=${cursors()[0]}&last_event_id=${cursors()[1]}&lastEvent=&lastEventID=`
    for (const { from } of await answers(search, { "last-event-id": "" }))
      assert.strictEqual(from, cursors()[1])
  })

  it("what is told makes of the rows of then the rows of now", async () => {
    const now = await market.poll(query)
    for (const client of held) {
      const stream = await market.stream(query, {
        headers: { "last-event-id": client.cursor! },
        from: client
      })
      await stream.reaches(now.cursor)
      assert.deepStrictEqual(heldRows(stream, "pools"), heldRows(now, "pools"))
      assert.deepStrictEqual(stream.reasons, [], "without a snapshot")
    }
  })
})
