/** The docs page as people see it, in a real Chromium. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../src/Config.ts"
import { Browser, chromium, reason } from "../Browser.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { Tab } from "../Tab.ts"

const config = defineConfig({
  collections: { notes: written({ key: "id", row: Schema.Struct({ id: Schema.String }) }) }
})

describe.skipIf(chromium === undefined)(`the docs page in a browser${reason}`, () => {
  const elsewhere = new Backend()
  let daemon: Daemon
  let browser: Browser
  beforeAll(async () => {
    await elsewhere.start()
    daemon = await startDaemon(config)
    browser = new Browser(chromium!)
  })
  afterAll(async () => {
    await browser.close()
    await daemon.close()
    await elsewhere.close()
  })

  it("shows the contract, offers nothing of its maker, loads nothing from elsewhere and cannot", async () => {
    const tab = await Tab.open(browser, "about:blank")
    await tab.call("Page.enable")
    await tab.call("Page.addScriptToEvaluateOnNewDocument", {
      source: `window.refused = []
        // A library tries whether it may compile its schemas, and does without.
        addEventListener("securitypolicyviolation", ({ blockedURI }) => blockedURI === "eval" || refused.push(blockedURI))`
    })
    await tab.call("Page.navigate", { url: `${daemon.url}/docs` })
    await tab.shows("body", "The whole state now, once")
    await tab.shows("body", "/v1/snapshot")
    const text = await tab.text("body")
    for (const offer of ["Share", "SDK", "Configure", "Developer Tools", "API Client", "Ask AI"])
      assert.notInclude(text, offer)
    const loaded = await tab.evaluate<ReadonlyArray<string>>(
      'performance.getEntriesByType("resource").map(({ name }) => name)'
    )
    assert.deepStrictEqual(
      loaded.filter((url) => !url.startsWith(daemon.url) && !url.startsWith("data:")),
      []
    )
    assert.deepStrictEqual(await tab.evaluate<ReadonlyArray<string>>("refused"), [])
    const status = (url: string) =>
      tab.evaluate<number>(`fetch(${JSON.stringify(url)}).then(({ status }) => status, () => 0)`)
    assert.strictEqual(await status(`${daemon.url}/v1/snapshot`), 200)
    assert.strictEqual(await status(elsewhere.url), 0)
    await until("a refusal", async () => (await tab.evaluate<number>("refused.length")) === 1)
    assert.strictEqual(elsewhere.asked, 0)
    await tab.close()
  }, 40_000)
})
