/** Support as people use it, in a real Chromium, over `npm start support` and its accounts backend. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, isThorough, reason } from "../../Browser.ts"
import { tokenOf } from "../../../examples/support/backend/Tokens.ts"
import { until } from "../../Daemon.ts"
import type { Tab } from "../../Tab.ts"
import { cutOff, Example } from "../Example.ts"

const texts = (tab: Tab) => tab.texts("#messages .text")
const write = async (tab: Tab, text: string) => {
  await tab.fill("#text", text)
  await tab.press("Enter", 13, "\r")
}
const shows = (tab: Tab, text: string) => until(text, async () => (await texts(tab)).includes(text), 10_000)
const from = (first: number) => Array.from({ length: 450 - first }, (_, i) => `n${first + i}`)

describe.skipIf(chromium === undefined)(`support in a browser${reason}`, () => {
  const secret = "a secret of the tests that is long enough"
  const example = Example.of("support", {
    QUIET: "1",
    JWT_SECRET: secret,
    ANONYMOUS_READ: "",
    WRITES_PER_SECOND: "100000",
    WRITE_BURST: "100000"
  })
  const visit = async (who: string, thread = "", width = 1280) => {
    const tab = await example.visit({ width }, `&as=${who}${thread === "" ? "" : `#${thread}`}`)
    await tab.shows("#state", "Live")
    return tab
  }
  const asked = async (who: string, path: string, options: RequestInit = {}) => {
    const login = await fetch(`${example.backend}/login`, {
      method: "POST",
      body: JSON.stringify({ id: who })
    })
    const authorization = `Bearer ${((await login.json()) as { readonly token: string }).token}`
    return fetch(`${example.url}${path}`, {
      ...options,
      headers: { authorization, "content-type": "application/json" }
    })
  }
  const send = (who: string, thread: string, text: string) =>
    asked(who, `v1/rows/support:${thread}`, { method: "POST", body: JSON.stringify({ text }) })

  it("a customer asks, the desk answers, and another customer sees nothing of it", async () => {
    const [ada, grace, desk] = [await visit("ada"), await visit("grace"), await visit("margaret")]
    await write(ada, "My invoice shows the old address")
    await desk.shows("[data-uid=ada][data-waits]", "My invoice shows the old address")
    await desk.click("[data-uid=ada]")
    await shows(desk, "My invoice shows the old address")
    await write(desk, "We have sent a new one")
    await shows(ada, "We have sent a new one")
    await desk.holds("it waits no more", `document.querySelector("[data-uid=ada][data-waits]") === null`)
    assert.deepStrictEqual(await texts(grace), [])
    assert.deepStrictEqual([...ada.complaints, ...grace.complaints, ...desk.complaints], [])
    for (const path of [
      "v1/rows/support:ada/x",
      "v1/history/support:ada",
      "v1/snapshot?collections=support:ada"
    ])
      assert.strictEqual((await asked("grace", path)).status, 403, path)
    assert.strictEqual((await fetch(`${example.url}v1/snapshot?collections=support:ada`)).status, 401)
  }, 40_000)

  it("sends one message a second: who writes faster waits, and nothing is lost or sent twice", async () => {
    const tab = await visit("linus")
    const began = Date.now()
    for (const text of ["one", "two", "three"]) await write(tab, text)
    await shows(tab, "three")
    assert.isAtLeast(Date.now() - began, 1_900)
    await until("nothing unsent", async () => (await tab.texts("#unsent li")).length === 0)
    assert.deepStrictEqual(await texts(tab), ["one", "two", "three"])
    await new Promise((done) => setTimeout(done, 1_100))
    assert.strictEqual((await send("linus", "linus", "four")).status, 201)
    const tooSoon = await send("linus", "linus", "five")
    assert.strictEqual(tooSoon.status, 429)
    assert.strictEqual(tooSoon.headers.get("retry-after"), "1")
    await shows(tab, "four")
  }, 40_000)

  it("reads history in pages of 200", async () => {
    for (let n = 0; n < 450; n++) {
      // Each of another author, or it would take 450 seconds.
      const token = await tokenOf({ id: `agent ${n}`, name: "", isStaff: true }, secret)
      const answer = await fetch(`${example.url}v1/rows/support:grace`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ text: `n${n}` })
      })
      assert.strictEqual(answer.status, 201)
    }
    const tab = await visit("grace")
    for (const first of [250, 50, 0]) {
      await until(`from ${first}`, async () => (await texts(tab)).length === 450 - first, 10_000)
      assert.deepStrictEqual(await texts(tab), from(first))
      if (first > 0) await tab.click("#older")
    }
    assert.isFalse(await tab.isVisible("#older"))
    assert.deepStrictEqual(tab.complaints, [])
  }, 40_000)

  it.skipIf(!isThorough)(
    "pings both ways, and comes back by itself with what was said meanwhile",
    async () => {
      const tab = await visit("ada")
      await tab.evaluate("window.neverReloaded = true")
      await cutOff(tab, true)
      await example.stop(true)
      await tab.shows("#state", "Reconnecting")
      await write(tab, "written while away")
      await tab.shows("#unsent", "written while away")
      await example.serve()
      assert.strictEqual((await send("margaret", "ada", "said meanwhile")).status, 201)
      await cutOff(tab, false)
      await shows(tab, "said meanwhile")
      await shows(tab, "written while away")
      assert.isTrue(await tab.evaluate<boolean>("window.neverReloaded"))
      const pinged = () =>
        until(
          "a ping of the page",
          async () => tab.responses.some(({ url }) => /v1\/connections\/[^/]+\/ping$/.test(url)),
          25_000
        )
      await pinged()
      await tab.shows("#state", "Live")
    },
    90_000
  )

  it("has room for all of it on a phone", async () => {
    const tab = await visit("margaret", "ada", 390)
    await tab.shows("#threads", "Ada")
    await shows(tab, "We have sent a new one")
    assert.isTrue(await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"))
    assert.isTrue(await tab.isVisible("#text"))
  }, 40_000)
})
