/** What happens to pages, in a real Firefox. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { type RoadName } from "../../client/Cast.ts"
import { chromium, isThorough } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { Firefox, firefox, type FirefoxTab } from "../Firefox.ts"
import { sleep } from "../Http/Market.ts"
import { read } from "./Site.ts"
import { siteOf } from "./SiteOf.ts"

const missing = firefox === undefined || chromium === undefined
const why = missing ? " (skipped: no Firefox in /usr/bin, and none in FIREFOX)" : ""

const snapshots = (tab: FirefoxTab) => tab.evaluate<number>("snapshots")

describe.skipIf(missing || !isThorough)(`a page in Firefox${why}`, { timeout: 60_000 }, () => {
  const site = siteOf()
  let browser: Firefox
  beforeAll(async () => {
    browser = await Firefox.open(firefox!)
  }, 60_000)
  afterAll(() => browser.close())

  const reading = async (options: string): Promise<FirefoxTab> => {
    const tab = await browser.visit(`${site.cable.url}/`)
    await read(tab, options)
    return tab
  }
  describe.each<RoadName>(["socket", "stream", "changes"])("by %s", (road) => {
    it("loses the network and the server, goes on from its cursor, and holds nothing when it is left", async () => {
      const tab = await reading(`roads: ["${road}"]`)
      await site.isRight(tab)
      site.cable.pull()
      await until("to be stale", async () => (await tab.evaluate("cast.status.state")) === "stale")
      site.cable.plug()
      await site.isRight(tab)
      await site.daemon.close()
      await sleep(500)
      await site.serve()
      await site.isRight(tab)
      assert.strictEqual(await snapshots(tab), 1)
      // Firefox keeps no page that had a connection when it was left: going back loads it anew.
      await tab.go(`${site.cable.url}/other.html`)
      await site.has(0)
      await tab.close()
    })
  })

  it("shares one connection with the other tabs, also when the one that has it is closed", async () => {
    const tabs = [
      await reading("share: share()"),
      await reading("share: share()"),
      await reading("share: share()")
    ]
    await site.isRight(tabs)
    while (tabs.length > 1) {
      await tabs.shift()!.close()
      await site.isRight(tabs)
      for (const tab of tabs) assert.strictEqual(await snapshots(tab), 1)
    }
    await tabs[0]!.close()
  })
})
