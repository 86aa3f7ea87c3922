/** What support promises, on the virtual clock. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import config from "../../../examples/support/ratecast.config.ts"
import { type Cast, type Client, testing } from "../../../src/Testing.ts"

let cast: Cast

const send = async (sub: string, uid: string, text: string) => {
  const { key } = await cast.write({
    op: "append",
    collection: `support:${uid}`,
    row: { text },
    sub
  })
  return key
}
const refusal = async (promise: Promise<unknown>) => {
  try {
    await promise
  } catch (error) {
    return error as { readonly code: string; readonly retryAfterMs?: number }
  }
  throw new Error("it was not refused")
}
const texts = (client: Client, uid: string) =>
  Object.values(client.rows(`support:${uid}`)).map(({ text }) => text)

beforeEach(() => {
  cast = testing(config)
})
afterEach(() => cast.close())

describe("support", () => {
  it("has a thread for each customer, and a desk that sees them all as they come", async () => {
    const desk = await cast.stream("?collections=support:*")
    const ada = await cast.stream("?collections=support:ada")
    const key = await send("ada", "ada", "It does not work")
    await send("grace", "grace", "Nor does mine")
    assert.deepStrictEqual(texts(ada, "ada"), ["It does not work"])
    assert.deepStrictEqual(ada.rows("support:grace"), {})
    assert.deepStrictEqual(
      [texts(desk, "ada"), texts(desk, "grace")],
      [["It does not work"], ["Nor does mine"]]
    )
    assert.deepStrictEqual(ada.rows("support:ada")[key], {
      id: key,
      text: "It does not work",
      author: "ada",
      at: cast.now
    })
  })

  it("says who wrote by the token and when by its own clock, whatever the sender says", async () => {
    const asked = {
      op: "append",
      collection: "support:ada",
      row: { text: "x", author: "staff", at: 1 }
    } as const
    const { row } = await cast.write({ ...asked, sub: "ada" })
    assert.deepInclude(row, { author: "ada", at: cast.now })
    assert.strictEqual((await refusal(cast.write(asked))).code, "forbidden")
    const put = { op: "put", collection: "support:ada", key: "zzz", row: { text: "last" } } as const
    await cast.advance("1 second")
    assert.strictEqual((await refusal(cast.write({ ...put, sub: "ada" }))).code, "forbidden")
  })

  it("takes one message a second of each, over all threads", async () => {
    await send("staff", "ada", "one")
    const { code, retryAfterMs } = await refusal(send("staff", "grace", "two"))
    assert.deepStrictEqual([code, retryAfterMs], ["too_many", 1000])
    await send("grace", "grace", "mine")
    await cast.advance("999 millis")
    assert.strictEqual((await refusal(send("staff", "grace", "two"))).code, "too_many")
    await cast.advance("1 millis")
    await send("staff", "grace", "two")
  })

  it("tells who comes back after a night what they missed, though the thread has left memory and the server was restarted", async () => {
    const customer = await cast.stream("?collections=support:ada")
    await send("ada", "ada", "Is anybody there?")
    customer.take()
    await customer.disconnect()
    const answer = await send("staff", "ada", "Yes, tomorrow")
    await cast.advance("8 hours")
    await cast.restart()
    await cast.advance("1 hour")
    await customer.connect()
    const [change, ...more] = customer.take().filter(({ type }) => type !== "ping")
    assert.deepStrictEqual(more, [])
    assert.strictEqual(change!.type, "change")
    assert.deepStrictEqual(Object.keys(change!.collections!["support:ada"]!.put!), [answer])
    assert.deepStrictEqual(texts(customer, "ada"), ["Is anybody there?", "Yes, tomorrow"])
  })

  it("shows a desk that opens in the morning every thread, also those that sleep", async () => {
    for (const who of ["ada", "grace", "linus"]) await send(who, who, `of ${who}`)
    await cast.advance("8 hours")
    const desk = await cast.stream("?collections=support:*")
    assert.deepStrictEqual(
      ["ada", "grace", "linus"].map((who) => texts(desk, who)),
      [["of ada"], ["of grace"], ["of linus"]]
    )
  })
})
