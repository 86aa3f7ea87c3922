/** Decimals that are written keep the digits of their text, whoever writes them and however. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { type Config, Decimal, defineConfig, hook, written } from "../../src/Config.ts"
import { SocketClient } from "../Clients.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"

const Price = Schema.Struct({
  id: Schema.String,
  usd: Decimal,
  n: Schema.optional(Schema.Number),
  parts: Schema.optional(Schema.Array(Schema.Struct({ usd: Decimal })))
})
const long = "12345678901234567890.12345678901234567890"
const digits = ["1.10", long, "-0.0000001000", "1e3", "100", "0"]
const backend = new Backend()
let daemon: Daemon

beforeAll(async () => {
  await backend.start()
  daemon = await startDaemon(
    defineConfig({
      collections: {
        prices: written({ key: "id", row: Price }),
        checked: written({ key: "id", row: Price, onWrite: hook({ url: backend.url }) })
      }
    }) as Config,
    { ANONYMOUS_WRITE: "*" }
  )
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

const send = async (method: string, path: string, body: string) => {
  const headers = { "content-type": "application/json" }
  const answer = await fetch(`${daemon.url}/v1/rows/${path}`, { method, headers, body })
  return (await answer.json()) as {
    readonly row?: { readonly usd: string; readonly [name: string]: unknown }
  }
}

describe("a decimal that is written keeps its digits", () => {
  for (const usd of digits) {
    it(`${usd} as a number, by PUT, POST and PATCH`, async () => {
      assert.strictEqual((await send("PUT", "prices/a", `{"usd":${usd}}`)).row!.usd, usd)
      assert.strictEqual((await send("POST", "prices", `{"usd":${usd}}`)).row!.usd, usd)
      assert.strictEqual((await send("PATCH", "prices/a", '{"set":{"usd":"7"}}')).row!.usd, "7")
      assert.strictEqual((await send("PATCH", "prices/a", `{"set":{"usd":${usd}}}`)).row!.usd, usd)
    })

    it(`${usd} on a WebSocket`, async () => {
      const socket = await SocketClient.open(`${daemon.url}/v1/socket?collections=prices`)
      socket.sayText(
        `{"type":"write","ref":"p","op":"put","collection":"prices","key":"s","row":{"usd":${usd}}}`
      )
      assert.strictEqual((await socket.answer("p")).type, "ack")
      await until(usd, () => socket.rows.get("prices")?.get("s")?.get("usd") === usd)
      socket.sayText(
        '{"type":"write","ref":"q","op":"patch","collection":"prices","key":"s","set":{"usd":"7"}}'
      )
      await socket.answer("q")
      socket.sayText(
        `{"type":"write","ref":"r","op":"patch","collection":"prices","key":"s","set":{"usd":${usd}}}`
      )
      await socket.answer("r")
      await until(usd, () => socket.rows.get("prices")?.get("s")?.get("usd") === usd)
      socket.close()
    })

    it(`${usd} as a hook says it`, async () => {
      backend.handler = (_, response) => response.end(`{"row":{"usd":${usd}}}`)
      assert.strictEqual((await send("PUT", "checked/a", '{"usd":"1"}')).row!.usd, usd)
    })
  }

  it("also within lists, while other numbers are doubles", async () => {
    const { row } = await send(
      "PUT",
      "prices/b",
      `{"usd":1.50,"n":1.50,"parts":[{"usd":${long}},{"usd":2.0}]}`
    )
    assert.deepStrictEqual(row, { id: "b", usd: "1.50", n: 1.5, parts: [{ usd: long }, { usd: "2.0" }] })
  })
})
