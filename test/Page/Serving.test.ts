/** The dashboard as operators have it: several threads, under a path, behind nginx, with a key. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Browser, chromium, isThorough, reason } from "../Browser.ts"
import { type EventClient } from "../Clients.ts"
import { Backend, freePort, until } from "../Daemon.ts"
import { Folder } from "../Process.ts"
import { Proxy } from "../Proxy.ts"
import { documented, missing, unless } from "../ProxyConfig.ts"
import { Tab } from "../Tab.ts"
import { Several } from "../Threads/Several.ts"
import { buildPage } from "./Build.ts"

const key = "a key of the tests, long enough"

describe.skipIf(chromium === undefined || missing.length > 0 || !isThorough)(
  `the dashboard of two threads, under a path, behind nginx${reason}${unless}`,
  () => {
    const backend = new Backend()
    const folder = new Folder()
    const clients: Array<EventClient> = []
    let browser: Browser
    let several: Several
    let proxy: Proxy
    let polls = 0

    beforeAll(async () => {
      await buildPage()
      await backend.start()
      backend.handler = ({ url }, response) => {
        if (url === "/things") polls++
        response.setHeader("content-type", "application/json")
        response.end(JSON.stringify([{ id: "a", n: polls }]))
      }
      several = await Several.start(folder, backend.url, {
        HOST: "0.0.0.0",
        ADMIN_PORT: String(await freePort()),
        BASE_PATH: "/live",
        DASHBOARD: "true",
        ANONYMOUS_READ: "things",
        ANONYMOUS_WRITE: "",
        ANONYMOUS_REFRESH: "",
        API_KEY: key
      })
      proxy = await Proxy.open("nginx", (port) => documented("nginx")(port, several.port))
      browser = new Browser(chromium!)
      clients.push(
        await several.openOn(1, "collections=things"),
        await several.openOn(2, "collections=things")
      )
      clients.push(await several.openOn(2, "collections=things"))
    }, 60_000)
    afterAll(async () => {
      for (const client of clients) client.close()
      await browser.close()
      await proxy.close()
      await several.stop()
      await backend.close()
      folder.remove()
    }, 30_000)

    it("shows to the API key the figures of all threads, whichever is asked, and to others none", async () => {
      const tab = await Tab.open(browser, `${proxy.url}/live/dashboard/#things`)
      await tab.shows("#connection-state", "Live")
      await tab.shows("#connection-more", "by WebSocket")
      await tab.shows("#grid-body", "a")
      await tab.shows("#sources-why", "API key")
      assert.deepStrictEqual(await tab.texts("#tabs .label"), ["things"])
      await tab.click("#token-open")
      await tab.fill("#token-text", key)
      await tab.click("#token-form .main")
      await tab.shows("#tabs", "notes")
      await tab.shows("#connection-more", "by SSE")
      await tab.shows("#connection-state", "Live")
      const figures = async () => [
        await tab.text("#readers-now"),
        ...(await tab.texts("#roads dd:nth-of-type(1)"))
      ]
      // Three of ours and the page itself.
      await until("all readers", async () => (await figures()).join() === "4,0,4,0", 10_000)
      const polled = async () => Number((await tab.texts("[data-source=things] dd"))[4]!.replaceAll(",", ""))
      for (let i = 0; i < 4; i++) {
        const before = polls
        const answered = () => tab.responses.filter(({ url }) => url.endsWith("/metrics")).length
        const asks = answered()
        await until("asked again", () => answered() > asks)
        let shown = 0
        await until("counted", async () => (shown = await polled()) >= before - 1)
        assert.isAtMost(shown, polls)
        assert.strictEqual((await figures()).join(), "4,0,4,0")
      }
      await tab.click("[data-source=things] button")
      await tab.shows("#said", "things was polled")
      assert.deepStrictEqual(
        new Set(tab.responses.map(({ url }) => new URL(url).origin)),
        new Set([proxy.url])
      )
      assert.isTrue(tab.responses.every(({ url }) => new URL(url).pathname.startsWith("/live/")))
      assert.deepStrictEqual(tab.complaints, [])
      await tab.close()
    }, 60_000)
  }
)
