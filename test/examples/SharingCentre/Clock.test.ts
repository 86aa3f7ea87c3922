/** What the sharing centre promises, on the virtual clock. */
import { join } from "node:path"

import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import config from "../../../examples/sharing-centre/ratecast.config.ts"
import { type Cast, type Client, testing } from "../../../src/Testing.ts"

interface News {
  readonly take: (rows: ReadonlyMap<string, object>, now: number) => ReadonlyArray<{ readonly id: string }>
}
const page = join(import.meta.dirname, "../../../examples/sharing-centre/page")
const { News } = (await import(join(page, "news.js"))) as { readonly News: new () => News }

const query = (order: string) => `?collections=jobs&where=order:${order}&interval=3s`
let cast: Cast

type State = "queued" | "running" | "done" | "failed"
const put = (id: string, order: string, state: State, progress = 0) =>
  cast.write({
    op: "put",
    collection: "jobs",
    key: id,
    row: { id, order, what: "PDF", state, progress, at: cast.now }
  })
const statesOf = (client: Client) =>
  Object.fromEntries(Object.entries(client.rows("jobs")).map(([key, row]) => [key, row["state"]]))
/** What the page would pop up. */
const popsUp = (client: Client, news: News) => {
  const held = new Map(Object.entries(client.rows("jobs")))
  return news.take(held, cast.now).map(({ id }) => id)
}

beforeEach(() => {
  cast = testing(config)
})
afterEach(() => cast.close())

describe("the sharing centre", () => {
  it("tells several browsers of one order the same, and nothing of another order", async () => {
    const browsers = [
      await cast.stream(query("1001")),
      await cast.socket(query("1001")),
      await cast.changes(query("1001"))
    ]
    const other = await cast.stream(query("1002"))
    for (const client of [...browsers, other]) client.take()
    await put("a", "1001", "running", 10)
    await cast.advance("3 seconds")
    for (const client of browsers) assert.deepStrictEqual(statesOf(client), { a: "running" })
    assert.deepStrictEqual(other.rows("jobs"), {})
    assert.deepStrictEqual(other.news(), [])
  })

  it("gathers updates for three seconds, so that nothing flickers", async () => {
    const client = await cast.stream(query("1001"))
    client.take()
    await put("a", "1001", "queued")
    assert.strictEqual(client.news().length, 1)
    for (let i = 1; i <= 14; i++) {
      await cast.advance("200 millis")
      await put("a", "1001", "running", i)
      assert.deepStrictEqual(client.news(), [])
    }
    await cast.advance("200 millis")
    assert.deepStrictEqual(client.news(), [
      { jobs: { set: { a: { state: "running", progress: 14, at: cast.now - 200 } } } }
    ])
    await cast.advance("1 minute")
    assert.deepStrictEqual(client.news(), [])
  })

  for (const restarted of [false, true])
    it(`tells only the newest after a reconnect${restarted ? ", over a restart of the server too" : ""}`, async () => {
      const client = await cast.stream(query("1001"))
      await put("a", "1001", "queued")
      client.take()
      await client.disconnect()
      for (let i = 1; i <= 50; i++) await put("a", "1001", "running", i)
      await put("a", "1001", "done", 100)
      await put("b", "1001", "queued")
      if (restarted) await cast.restart()
      await client.connect()
      const told = client.news()
      assert.strictEqual(told.length, 1)
      assert.deepStrictEqual(statesOf(client), { a: "done", b: "queued" })
      assert.notInclude(JSON.stringify(told), "running")
    })

  it("pops up what has ended, once", async () => {
    const news = new News()
    const client = await cast.stream(query("1001"))
    await put("a", "1001", "running")
    await cast.advance("3 seconds")
    assert.deepStrictEqual(popsUp(client, news), [])
    await put("a", "1001", "done", 100)
    await cast.advance("3 seconds")
    assert.deepStrictEqual(popsUp(client, news), ["a"])
    assert.deepStrictEqual(popsUp(client, news), [])
  })

  it("pops up nothing older than a minute, and has it in the table all the same", async () => {
    const news = new News()
    const client = await cast.stream(query("1001"))
    await put("a", "1001", "running")
    await put("b", "1001", "running")
    await cast.advance("3 seconds")
    popsUp(client, news)
    await client.disconnect()
    await put("a", "1001", "done", 100)
    await cast.advance("59 seconds")
    await put("b", "1001", "failed")
    await cast.advance("1 second")
    await client.connect()
    assert.deepStrictEqual(popsUp(client, news), ["b"])
    assert.deepStrictEqual(statesOf(client), { a: "done", b: "failed" })
  })

  it("pops up nothing that had ended before the page was opened", async () => {
    await put("a", "1001", "done", 100)
    await put("b", "1001", "running")
    const news = new News()
    const client = await cast.stream(query("1001"))
    assert.deepStrictEqual(popsUp(client, news), [])
    assert.deepStrictEqual(statesOf(client), { a: "done", b: "running" })
    await put("b", "1001", "done", 100)
    await put("c", "1001", "failed")
    await cast.advance("3 seconds")
    assert.deepStrictEqual(popsUp(client, news), ["b", "c"])
  })
})
