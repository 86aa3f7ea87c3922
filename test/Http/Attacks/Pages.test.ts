/** A page of another origin in a real browser that has the cookie of somebody who may: what it tries in their name. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../../src/Config.ts"
import { Browser, chromium } from "../../Browser.ts"
import { type Daemon, startDaemon } from "../../Daemon.ts"
import { Tab } from "../../Tab.ts"
import { apiKey, bearer, mint, secret } from "../Auth/Club.ts"

const reason = chromium === undefined ? ": there is no Chromium" : ""

describe.skipIf(chromium === undefined)(`a page of another origin${reason}`, () => {
  const pages = http.createServer((_, response) => {
    response.setHeader("content-type", "text/html")
    response.end("<!doctype html><title>elsewhere</title>")
  })
  let browser: Browser
  let elsewhere = ""
  beforeAll(async () => {
    await new Promise<void>((done) => pages.listen(0, "127.0.0.1", done))
    elsewhere = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
    browser = new Browser(chromium!)
  })
  afterAll(async () => {
    await browser.close()
    pages.closeAllConnections()
    pages.close()
  })

  /** What a page there learns of a daemon with these ORIGINS, its visitor being signed in at that. */
  const tries = async (origins: string): Promise<{ readonly [what: string]: string | number }> => {
    const row = Schema.Struct({ id: Schema.String, text: Schema.String })
    const config = defineConfig({ collections: { chat: written({ key: "id", row }) } })
    const env = { JWT_SECRET: secret, API_KEY: apiKey, ANONYMOUS_READ: "", ORIGINS: origins }
    const daemon: Daemon = await startDaemon(config, env)
    const put = { method: "PUT", headers: { ...bearer(apiKey), "content-type": "application/json" } }
    await fetch(`${daemon.url}/v1/rows/chat/m1`, { ...put, body: '{"text":"hello"}' })
    const token = await mint({ sub: "7", read: ["chat"], write: ["chat"] })
    const tab = await Tab.open(browser, elsewhere)
    try {
      await tab.call("Network.setCookie", {
        name: "ratecast_token",
        value: token,
        url: daemon.url,
        httpOnly: true
      })
      const url = JSON.stringify(daemon.url)
      const evaluated = await tab.evaluate<{ readonly [what: string]: string }>(`(async () => {
        const url = ${url}
        const text = (answer) => answer.then((a) => a.text()).then((t) => t.includes("hello") ? "read" : t.slice(0, 80), () => "refused")
        const heard = (source, type) => new Promise((done) => {
          source.addEventListener(type, ({ data }) => { source.close(); done(data.includes("hello") ? "read" : "nothing") })
          source.addEventListener("error", () => { source.close(); done("refused") })
        })
        const credentials = "include"
        const body = '{"text":"forged"}'
        return {
          fetch: await text(fetch(url + "/v1/snapshot", { credentials })),
          EventSource: await heard(new EventSource(url + "/v1/stream", { withCredentials: true }), "snapshot"),
          WebSocket: await heard(new WebSocket(url.replace("http", "ws") + "/v1/socket?collections=chat"), "message"),
          form: await fetch(url + "/v1/rows/chat", { method: "POST", mode: "no-cors", credentials, body }).then(() => "sent"),
          ticket: await fetch(url + "/v1/tickets", { method: "POST", mode: "no-cors", credentials }).then(() => "sent"),
          write: await fetch(url + "/v1/rows/chat/m2", { method: "PUT", credentials, body, headers: { "content-type": "application/json" } }).then((a) => String(a.status), () => "refused")
        }
      })()`)
      const { rows } = daemon.hub.look("chat")
      return { ...evaluated, rows }
    } finally {
      await tab.close()
      await daemon.close()
    }
  }

  const nothing = {
    fetch: "refused",
    EventSource: "refused",
    WebSocket: "refused",
    form: "sent",
    ticket: "sent",
    write: "refused",
    rows: 1
  }

  it("reads and writes nothing by default", async () => {
    assert.deepStrictEqual(await tries(""), nothing)
  })

  it("nor where all may read who show nothing (*): that is not meant for a cookie", async () => {
    assert.deepStrictEqual(await tries("*"), nothing)
  })

  it("nor where other origins are named that are almost its own", async () => {
    assert.deepStrictEqual(
      await tries(`${elsewhere.slice(0, -1)},${elsewhere.replace("http:", "https:")}`),
      nothing
    )
  })

  it("does all of that where it is named, but for what a form could send", async () => {
    assert.deepStrictEqual(await tries(elsewhere), {
      ...nothing,
      fetch: "read",
      EventSource: "read",
      WebSocket: "read",
      write: "201",
      rows: 2
    })
  })
})
