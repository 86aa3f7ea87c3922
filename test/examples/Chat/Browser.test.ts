/** The chat as people use it, in a real Chromium, over `npm start chat`. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, isThorough, reason } from "../../Browser.ts"
import { until } from "../../Daemon.ts"
import type { Tab } from "../../Tab.ts"
import { cutOff, Example } from "../Example.ts"

const texts = (tab: Tab) => tab.texts("#messages .text")
const write = async (tab: Tab, text: string) => {
  await tab.fill("#text", text)
  await tab.press("Enter", 13, "\r")
}
const shows = (tab: Tab, text: string) => until(text, async () => (await texts(tab)).includes(text), 10_000)
const gone = (tab: Tab, text: string) =>
  until(`no ${text}`, async () => !(await texts(tab)).includes(text), 10_000)
/** The button of one's own message that says so. */
const press = async (tab: Tab, text: string, button: string) => {
  await shows(tab, text)
  await tab.evaluate(
    `[...document.querySelectorAll(".message")].find((one) => one.querySelector(".text")?.innerText === ${JSON.stringify(text)}).querySelector(${JSON.stringify(button)}).click()`
  )
}
/** What a reload would lose. */
const mark = (tab: Tab) => tab.evaluate("window.neverReloaded = true")
const isMarked = (tab: Tab) => tab.evaluate<boolean>("window.neverReloaded === true")

describe.skipIf(chromium === undefined)(`the chat in a browser${reason}`, () => {
  const example = Example.of("chat", { WRITES_PER_SECOND: "100000", WRITE_BURST: "100000" })
  const send = async (text: string, author = "Grace") =>
    ((await example.ask("POST", "v1/rows/chat", { author, text })) as { readonly key: string }).key
  const visit = async (name = "Ada") => {
    const tab = await example.visit()
    await tab.shows("#state", "Live")
    await tab.fill("#name", name)
    return tab
  }
  it("shows everybody what somebody sends, edits and deletes", async () => {
    const [ada, bob] = [await visit(), await visit("Bob")]
    await write(ada, "Hello, who is here?")
    await shows(bob, "Hello, who is here?")
    await press(ada, "Hello, who is here?", ".edit")
    await ada.call("Input.insertText", { text: " Anybody?" })
    await ada.press("Enter", 13, "\r")
    await shows(bob, "Hello, who is here? Anybody?")
    assert.isFalse(await bob.isVisible("#messages .message:last-child .edit"))
    await press(ada, "Hello, who is here? Anybody?", ".delete")
    await gone(bob, "Hello, who is here? Anybody?")
    await gone(ada, "Hello, who is here? Anybody?")
    assert.deepStrictEqual([...ada.complaints, ...bob.complaints], [])
  }, 40_000)

  it("a restart of the server changes nothing: who was away gets what they missed, and what they wrote is sent once", async () => {
    const tab = await visit()
    await mark(tab)
    const [kept, edited, deleted] = [await send("kept"), await send("frist"), await send("deleted")]
    await shows(tab, "deleted")
    await cutOff(tab, true)
    await example.stop(true)
    await tab.shows("#state", "Reconnecting")
    await write(tab, "written while away")
    await tab.shows("#unsent", "written while away")
    await example.serve()
    await example.ask("PATCH", `v1/rows/chat/${edited}`, { set: { text: "first" } })
    await example.ask("DELETE", `v1/rows/chat/${deleted}`)
    const born = await send("born meanwhile")
    await cutOff(tab, false)
    await shows(tab, "born meanwhile")
    await shows(tab, "written while away")
    await gone(tab, "deleted")
    assert.sameMembers(
      (await texts(tab)).filter((text) => /first|frist|deleted|kept|born/.test(text)),
      ["kept", "first", "born meanwhile"]
    )
    assert.strictEqual((await texts(tab)).filter((text) => text === "written while away").length, 1)
    assert.isTrue(await isMarked(tab))
    assert.isTrue(born > kept)
    await until("nothing unsent", async () => (await tab.texts("#unsent li")).length === 0)
  }, 60_000)

  it("sends a message once, though the answer was lost and it was sent again", async () => {
    const tab = await visit()
    await tab.evaluate(`
      window.sent = 0
      const real = window.fetch
      window.fetch = async (...asked) => {
        const answer = await real(...asked)
        if (asked[1]?.method === "POST" && ++sent === 1) throw new TypeError("the answer was lost")
        return answer
      }`)
    await write(tab, "only once")
    await tab.holds("it was sent again", "sent === 2")
    await until("nothing unsent", async () => (await tab.texts("#unsent li")).length === 0)
    await send("and on")
    await shows(tab, "and on")
    assert.strictEqual((await texts(tab)).filter((text) => text === "only once").length, 1)
  }, 40_000)

  it("reads older messages page by page, keeps what leaves the live window, and edits only what is live", async () => {
    for (let i = 1; i <= 620; i++) await send(`n${i}`, "Ada")
    const tab = await visit()
    await until("the live ones", async () => (await texts(tab)).length === 500, 10_000)
    assert.strictEqual((await texts(tab))[0], "n121")
    await tab.click("#older")
    await until("a page", async () => (await texts(tab)).length === 550, 10_000)
    assert.strictEqual((await texts(tab))[0], "n71")
    await send("n621", "Ada")
    await shows(tab, "n621")
    const live = "#messages .message[data-live]"
    await tab.holds("one live the less", `document.querySelectorAll("${live}").length === 500`)
    const own = (await texts(tab)).filter((text) => /^n\d+$/.test(text))
    assert.deepStrictEqual(
      own,
      Array.from({ length: 551 }, (_, i) => `n${i + 71}`)
    )
    const editable = await tab.evaluate<number>(
      `[...document.querySelectorAll(".message")].filter((one) => one.querySelector(".edit").checkVisibility()).length`
    )
    assert.strictEqual(editable, 500)
    for (;;) {
      const before = (await texts(tab)).length
      if (!(await tab.isVisible("#older"))) break
      await tab.click("#older")
      await until("more", async () => (await texts(tab)).length > before || !(await tab.isVisible("#older")))
    }
    assert.strictEqual((await texts(tab)).filter((text) => /^n\d+$/.test(text)).length, 621)
    assert.deepStrictEqual(tab.complaints, [])
  }, 60_000)

  it.skipIf(!isThorough)(
    "who was away for too long gets a snapshot and not a reload: no gap, and what they were writing stays",
    async () => {
      for (let i = 1; i <= 510; i++) await send(`y${i}`)
      const tab = await visit()
      await mark(tab)
      await tab.click("#older")
      await shows(tab, "y1")
      await tab.fill("#text", "half a sentence")
      await cutOff(tab, true)
      await example.stop()
      await tab.shows("#state", "Reconnecting")
      await example.serve()
      for (let i = 1; i <= 1100; i++) await send(`z${i}`)
      await cutOff(tab, false)
      await shows(tab, "z1100")
      await until(
        "the whole window",
        async () => (await texts(tab)).filter((text) => text.startsWith("z")).length === 500
      )
      assert.deepStrictEqual(
        await texts(tab),
        Array.from({ length: 500 }, (_, i) => `z${i + 601}`)
      )
      await tab.click("#older")
      await until("a page", async () => (await texts(tab))[0] === "z551")
      assert.isTrue(await isMarked(tab))
      assert.strictEqual(await tab.evaluate(`document.querySelector("#text").value`), "half a sentence")
    },
    60_000
  )
})
