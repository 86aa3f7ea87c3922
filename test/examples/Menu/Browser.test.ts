/** The menus as people see them, in a real Chromium, over `npm start menu` and its backend. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, reason } from "../../Browser.ts"
import { until } from "../../Daemon.ts"
import type { Tab } from "../../Tab.ts"
import { cutOff, Example } from "../Example.ts"

const queriesOf = (tab: Tab) =>
  tab.evaluate<ReadonlyArray<string>>("Object.keys(menuStore.getState().api.queries)")
/** What the store knows of a company's menu: which it is, and when it was read. */
const menuOf = (tab: Tab, company: string) =>
  tab.evaluate<{ readonly version: number; readonly read: number }>(
    `(({ data, fulfilledTimeStamp }) => ({ version: data.version, read: fulfilledTimeStamp }))(
      menuStore.getState().api.queries['menu("${company}")'])`
  )

const isNewer = (tab: Tab, company: string, than: number) =>
  until(`a newer menu of ${company}`, async () => (await menuOf(tab, company)).version > than, 15_000)

describe.skipIf(chromium === undefined)(`the menus in a browser${reason}`, () => {
  const example = Example.of("menu", { QUIET: "1" })
  const visit = async () => {
    const tab = await example.visit()
    await tab.shows("#state", "Live")
    await tab.shows("#menu", "Rye bread")
    return tab
  }
  const update = (company: string) => fetch(`${example.backend}/menus/${company}/update`, { method: "POST" })
  const asked = async () =>
    (await (await fetch(`${example.backend}/asked`)).json()) as { readonly [company: string]: number }

  it("an update that ends is shown to everybody who has that menu, without a dummy query or a reset", async () => {
    const [first, second] = [await visit(), await visit()]
    await first.click("[data-company=basil]")
    await first.shows("#menu", "Green risotto")
    await first.click("#menu li:nth-child(2) button")
    await first.shows("#basket", "Tomato soup")
    await first.click("[data-company=aurora]")
    await first.shows("#menu", "Rye bread")
    const [before, basil] = [await menuOf(first, "aurora"), await menuOf(first, "basil")]
    const requests = await asked()
    await first.click("#update")
    for (const tab of [first, second]) await isNewer(tab, "aurora", before.version)
    assert.strictEqual((await asked())["aurora"], requests["aurora"]! + 2)
    assert.strictEqual((await asked())["basil"], requests["basil"])
    assert.deepStrictEqual(await menuOf(first, "basil"), basil)
    assert.include(await first.text("#basket"), "Tomato soup")
    assert.sameMembers(
      [...(await queriesOf(first))],
      ["companies(undefined)", 'menu("aurora")', 'menu("basil")']
    )
    for (const tab of [first, second]) assert.deepStrictEqual(tab.complaints, [])
  }, 40_000)

  it("an update that ended while the page was away is heard of when it is back, over a restart of the server too", async () => {
    const tab = await visit()
    await tab.evaluate("window.neverReloaded = true")
    const { version } = await menuOf(tab, "aurora")
    await cutOff(tab, true)
    await example.stop()
    await tab.shows("#state", "Reconnecting")
    await example.serve()
    await update("aurora")
    await until("the event", async () =>
      JSON.stringify(await example.ask("GET", "v1/snapshot?collections=menuEvents")).includes("aurora")
    )
    assert.strictEqual((await menuOf(tab, "aurora")).version, version)
    await cutOff(tab, false)
    await isNewer(tab, "aurora", version)
    await tab.shows("#state", "Live")
    assert.isTrue(await tab.evaluate<boolean>("window.neverReloaded === true"))
  }, 40_000)

  for (const [what, search, problem] of [
    ["nobody listens", () => "backend=http://127.0.0.1:1", "cannot be reached at http://127.0.0.1:1."],
    ["somebody else does", () => `backend=${example.url}`, "is not the menu backend: it says 404."],
    ["its address is none", () => "backend=here", "add ?backend=http://… to its address."]
  ] as const)
    it(`a page whose backend cannot be reached does not say that it is live: ${what}`, async () => {
      const tab = await example.visit({}, search())
      await tab.shows("#state", "No menus")
      await tab.shows("#problem", problem)
      assert.strictEqual(await tab.attribute("#state", "data-tone"), "bad")
    }, 30_000)
})
