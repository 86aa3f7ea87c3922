/** What the chat promises, on the virtual clock. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import config from "../../../examples/chat/ratecast.config.ts"
import { type Cast, type Client, testing } from "../../../src/Testing.ts"

const query = "?collections=chat"
let cast: Cast
const sent: Array<string> = []

const send = async (text: string) => {
  const { key } = await cast.write({ op: "append", collection: "chat", row: { author: "Ada", text } })
  sent.push(key)
  return key
}
const edit = (key: string, text: string) =>
  cast.write({ op: "patch", collection: "chat", key, set: { text }, unset: [] })
const remove = (key: string) => cast.write({ op: "delete", collection: "chat", key })
const texts = (client: Client) =>
  Object.entries(client.rows("chat"))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row["text"])
const codeOf = async (promise: Promise<unknown>) => {
  try {
    await promise
  } catch (error) {
    return (error as { readonly code: string }).code
  }
  throw new Error("it was not refused")
}

beforeEach(() => {
  cast = testing(config)
  sent.length = 0
})
afterEach(() => cast.close())

describe("the chat", () => {
  it("has the last 500 messages live, in the order in which they were sent", async () => {
    for (let i = 1; i <= 503; i++) await send(`m${i}`)
    const client = await cast.stream(query)
    assert.deepStrictEqual(
      texts(client),
      Array.from({ length: 500 }, (_, i) => `m${i + 4}`)
    )
    client.take()
    const newest = await send("m504")
    assert.deepStrictEqual(client.news(), [
      {
        chat: {
          evict: [sent[3]!],
          put: { [newest]: { id: newest, author: "Ada", text: "m504", at: cast.now } }
        }
      }
    ])
  })

  it("has messages edited and deleted by everybody who reads, while they are live", async () => {
    const client = await cast.socket(query)
    const [first, second] = [await send("frist"), await send("second")]
    client.take()
    await cast.advance("1 minute")
    await edit(first, "first")
    await remove(second)
    assert.deepStrictEqual(client.news(), [
      { chat: { set: { [first]: { text: "first", edited: cast.now } } } },
      { chat: { remove: [second] } }
    ])
  })

  it("edits and deletes no message that has become history", async () => {
    const old = await send("old")
    for (let i = 0; i < 500; i++) await send("new")
    assert.strictEqual(await codeOf(edit(old, "older")), "conflict")
    assert.strictEqual(await codeOf(remove(old)), "conflict")
  })

  it("takes neither a time nor a key of the sender's own", async () => {
    const key = await send("now")
    await cast.write({ op: "patch", collection: "chat", key, set: { at: 1, author: "Eve" }, unset: [] })
    const client = await cast.snapshot(query)
    assert.deepInclude(client.rows("chat")[key], { author: "Ada", at: cast.now })
    const put = { op: "put", collection: "chat", key: "zzz", row: { author: "Eve", text: "last" } } as const
    assert.strictEqual(await codeOf(cast.write(put)), "forbidden")
    assert.strictEqual(await codeOf(send(" ")), "invalid_row")
  })

  for (const restarted of [false, true])
    it(`tells who was away exactly what they missed, edits and deletions too${restarted ? ", over a restart of the server" : ""}`, async () => {
      const client = await cast.stream(query)
      const [kept, edited, deleted] = [await send("kept"), await send("edited"), await send("deleted")]
      client.take()
      await client.disconnect()
      await cast.advance("10 minutes")
      await edit(edited, "edited twice")
      await edit(edited, "edited")
      await edit(edited, "Edited")
      await remove(deleted)
      const [born, gone] = [await send("born"), await send("gone")]
      await remove(gone)
      const at = cast.now
      if (restarted) await cast.restart()
      await client.connect()
      const [change, ...more] = client.take().filter(({ type }) => type !== "ping")
      assert.deepStrictEqual(more, [])
      assert.strictEqual(change!.type, "change")
      const { remove: removed, ...part } = change!.collections!["chat"]!
      // A client may be told to remove what it never had.
      assert.sameMembers([...removed!, gone], [deleted, gone, ...removed!.filter((key) => key === gone)])
      assert.deepStrictEqual(part, {
        put: { [born]: { id: born, author: "Ada", text: "born", at } },
        set: { [edited]: { text: "Edited", edited: at } }
      })
      assert.deepStrictEqual(texts(client), ["kept", "Edited", "born"])
      assert.property(client.rows("chat"), kept)
    })

  it("gives a snapshot on the same connection to who was away for too long", async () => {
    const client = await cast.stream(query)
    for (let i = 0; i < 20; i++) await send(`m${i}`)
    client.take()
    await client.disconnect()
    // More than the live window: what they held is all history by now.
    for (let i = 0; i < 1200; i++) await send(`n${i}`)
    await client.connect()
    const told = client.take()
    assert.deepStrictEqual(
      told.map(({ type }) => type),
      ["snapshot"]
    )
    assert.strictEqual(Object.keys(client.rows("chat")).length, 500)
    await send("and on")
    assert.deepStrictEqual(
      client.take().map(({ type }) => type),
      ["change"]
    )
    assert.strictEqual(texts(client).at(-1), "and on")
  })
})
