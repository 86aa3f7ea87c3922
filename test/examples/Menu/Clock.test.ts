/** What the menus promise, on the virtual clock: a Redux Toolkit Query app that hears of `MENU_UPDATE_END`. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import config from "../../../examples/menu/ratecast.config.ts"
import { type Cast, type Client, testing } from "../../../src/Testing.ts"
import { until } from "../../Daemon.ts"
import { type Api, basket, Events, makeApi, makeStore, type Store } from "./Parts.ts"

let cast: Cast
let client: Client
let events: Events
let api: Api
let store: Store
/** The backend: a version by company, and what it was asked for. */
const versions = new Map<string, number>()
let asked: Array<string>
/** When what was read leaves the backend. */
let answered: Promise<void>

/** An update of a menu ends, and the backend says so. */
const update = async (company: string, version: number) => {
  versions.set(company, version)
  await cast.write({
    op: "put",
    collection: "menuEvents",
    key: company,
    row: { company, event: "MENU_UPDATE_END", version, at: cast.now }
  })
}
/** What the daemon has told is heard, and what follows from it is done. */
const hear = async () => {
  await events.take(client.take())
  await until("nothing is under way", () =>
    Object.values(store.getState().api.queries).every(({ status }) => status === "fulfilled")
  )
}
const open = (company: string) => store.dispatch(api.endpoints.menu.initiate(company))
const versionOf = (company: string) => api.endpoints.menu.select(company)(store.getState()).data?.version

beforeEach(async () => {
  cast = testing(config)
  client = await cast.stream("?collections=menuEvents")
  asked = []
  answered = Promise.resolve()
  versions.clear()
  for (const company of ["aurora", "basil", "cedar"]) versions.set(company, 1)
  events = new Events()
  await events.open()
  api = makeApi({
    onEvent: events.onEvent,
    baseQuery: async (path: string) => {
      asked.push(path)
      const company = path.slice("menus/".length)
      const data = { company, version: versions.get(company), items: [] }
      await answered
      return { data }
    }
  })
  store = makeStore(api)
})
afterEach(async () => {
  events.close()
  await cast.close()
})

describe("the menus", () => {
  it("are read again when an update has ended, each company's by itself", async () => {
    await open("aurora")
    await open("basil")
    await update("aurora", 2)
    await hear()
    assert.strictEqual(versionOf("aurora"), 2)
    assert.deepStrictEqual(asked, ["menus/aurora", "menus/basil", "menus/aurora"])
  })

  it("are not read for an event that they are as new as", async () => {
    await update("aurora", 5)
    await open("aurora")
    await hear()
    assert.deepStrictEqual(asked, ["menus/aurora"])
  })

  it("need no query but their own, and no reset of what else the store holds", async () => {
    store.dispatch(basket.actions.added({ company: "basil", name: "Tomato soup" }))
    await open("aurora")
    await open("basil")
    const before = store.getState()
    await update("aurora", 2)
    await hear()
    const after = store.getState()
    assert.strictEqual(after.api.queries['menu("basil")'], before.api.queries['menu("basil")'])
    assert.strictEqual(after.basket, before.basket)
    assert.sameMembers(Object.keys(after.api.queries), ['menu("aurora")', 'menu("basil")'])
  })

  it("are read once for everything that was missed, over a restart of the server too", async () => {
    await open("aurora")
    await open("cedar")
    await hear()
    await client.disconnect()
    for (let version = 2; version <= 11; version++) await update("aurora", version)
    await cast.restart()
    await client.connect()
    await hear()
    assert.strictEqual(versionOf("aurora"), 11)
    assert.deepStrictEqual(asked, ["menus/aurora", "menus/cedar", "menus/aurora"])
  })

  it("are read again where the update ended, and was heard of, while they were being read", async () => {
    const answer = Promise.withResolvers<void>()
    answered = answer.promise
    const opening = open("aurora")
    await until("the request", () => asked.length === 1)
    await update("aurora", 2)
    await events.take(client.take())
    answer.resolve()
    await opening
    await until("the newer menu", () => versionOf("aurora") === 2)
    assert.deepStrictEqual(asked, ["menus/aurora", "menus/aurora"])
  })
})
