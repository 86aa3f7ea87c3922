/** What a browser has without a library, `EventSource`, `WebSocket` and `fetch`, holds the same rows at the same cursor. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, reason } from "../Browser.ts"
import { Demo } from "./Demo.ts"

interface Roads {
  readonly [road: string]: {
    readonly cursor: string
    readonly types: ReadonlyArray<string>
    readonly rows: { readonly [collection: string]: object }
  }
}

const query = "collections=rates,pools"

/** A frontend's own twenty lines, run in the browser. */
const client = `
window.roads = {}
const hold = (road) => {
  const held = (roads[road] = { cursor: "", types: [], rows: {} })
  return ({ data }) => {
    const { type, cursor, collections = {} } = JSON.parse(data)
    held.types.push(type)
    if (type === "snapshot") held.rows = {}
    for (const [name, { rows, remove = [], evict = [], put = {}, set = {}, unset = {} }] of Object.entries(collections)) {
      if (rows !== undefined) held.rows[name] = rows
      const into = held.rows[name]
      for (const key of [...remove, ...evict]) delete into[key]
      Object.assign(into, put)
      for (const [key, fields] of Object.entries(set)) Object.assign(into[key], fields)
      for (const [key, fields] of Object.entries(unset)) for (const field of fields) delete into[key][field]
    }
    if (cursor !== undefined) held.cursor = cursor
  }
}
const source = new EventSource("v1/stream?${query}")
const take = hold("stream")
for (const type of ["snapshot", "change", "ping"]) source.addEventListener(type, take)
window.socket = new WebSocket(new URL("v1/socket?${query}", location).href.replace(/^http/, "ws"))
socket.onmessage = hold("socket")
`

/** All three at one cursor, which is where a market stands that nobody trades in. */
const meet = `(async () => {
  const { cursor, collections } = await (await fetch("v1/snapshot?${query}")).json()
  roads.fetch = { cursor, types: [], rows: Object.fromEntries(Object.entries(collections).map(([name, { rows }]) => [name, rows])) }
  return Object.values(roads).every((road) => road.cursor === cursor)
})()`

describe.skipIf(chromium === undefined)(`the roads in a browser${reason}`, () => {
  const demo = Demo.of({ speed: 0, latency: 0 })

  const swap = async () => {
    const answer = await fetch(`${demo.simulatorUrl}/sim/swap`, { method: "POST", body: '{"count":40}' })
    assert.isTrue(answer.ok)
  }

  it("show the same rows at the same cursor by EventSource, gzip and all, by WebSocket, compressed too, and by fetch", async () => {
    const tab = await demo.visit()
    // A page that is not the demo's, on the same origin.
    await tab.call("Page.navigate", { url: `${demo.url}readyz` })
    await tab.holds(
      "another page",
      `location.pathname.endsWith("/readyz") && document.readyState === "complete"`
    )
    await tab.evaluate(client)
    const cursors = new Set<string>()
    for (let round = 0; round < 3; round++) {
      await tab.holds("all at one cursor", meet)
      const { fetch, socket, stream } = await tab.evaluate<Roads>("roads")
      assert.isAbove(Object.keys(fetch!.rows["pools"]!).length, 20)
      assert.deepStrictEqual(stream!.rows, fetch!.rows)
      assert.deepStrictEqual(socket!.rows, fetch!.rows)
      cursors.add(fetch!.cursor)
      const before = JSON.stringify(fetch!.cursor)
      await swap()
      await tab.holds(
        "a change",
        `Object.values(roads).every(({ types, cursor }) => types.length === 0 || cursor !== ${before})`
      )
    }
    const { socket, stream } = await tab.evaluate<Roads>("roads")
    assert.strictEqual(cursors.size, 3)
    assert.deepStrictEqual([stream!.types[0], socket!.types[0]], ["snapshot", "snapshot"])
    assert.notInclude(
      [...stream!.types.slice(1), ...socket!.types.slice(1)],
      "snapshot",
      "what came later were changes"
    )
    const streams = tab.responses.filter(({ url }) => url === `${demo.url}v1/stream?${query}`)
    assert.deepStrictEqual(
      streams.map(({ encoding }) => encoding),
      ["gzip"]
    )
    assert.include(await tab.evaluate<string>("window.socket.extensions"), "permessage-deflate")
    assert.deepStrictEqual(tab.complaints, [])
  }, 45_000)
})
