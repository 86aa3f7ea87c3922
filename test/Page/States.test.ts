/** What the page shows of collections of every kind, and says where there is nothing to show. */
import { Schema } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Decimal, defineConfig, polled, source, written } from "../../src/Config.ts"
import { Browser, chromium, isThorough, reason } from "../Browser.ts"
import { EventClient } from "../Clients.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { Tab } from "../Tab.ts"
import { grave } from "./Axe.ts"
import { buildPage } from "./Build.ts"

const things = Array.from({ length: 40 }, (_, i) => ({
  id: `t${i}`,
  name: `Thing ${i}`,
  usd: i % 2 === 0 ? "1,000.50".replace(",", "") : "0.00001234",
  size: String(1_000_000 + i),
  part: i / 10,
  at: 1_700_000_000_000 + i
}))
const id = Schema.String
const note = Schema.Struct({ id, text: id })

describe.skipIf(chromium === undefined)(`collections in the page${reason}`, () => {
  const backend = new Backend()
  let browser: Browser
  let daemon: Daemon
  let tab: Tab
  let isBroken = false

  const of = (path: string, row: Schema.Struct<Schema.Struct.Fields>, more: object = {}) =>
    polled({
      source: source({ url: `${backend.url}${path}`, every: "200 millis" }),
      key: "id",
      row,
      ...more
    } as never)

  const put = async (member: string, text: string) => {
    const url = `${daemon.url}/v1/rows/${encodeURIComponent(`support:${member}`)}/m1`
    const answer = await fetch(url, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: "m1", text })
    })
    assert.isTrue(answer.ok, await answer.text())
  }

  beforeAll(async () => {
    await backend.start()
    backend.handler = ({ url }, response) => {
      if (url === "/never") return
      if (isBroken && /^\/1\d$/.test(url!)) {
        response.statusCode = 503
        return void response.end()
      }
      response.setHeader("content-type", "application/json")
      response.end(
        JSON.stringify(
          url === "/things"
            ? things
            : url === "/nothing"
              ? []
              : [
                  { id: "first", count: 1 },
                  { id: url!.slice(1), count: 2 }
                ]
        )
      )
    }
    const Count = Schema.Struct({ id, count: Schema.Int })
    const Thing = Schema.Struct({
      id,
      name: id,
      usd: Decimal,
      size: Decimal,
      part: Schema.Finite,
      at: Schema.Int
    })
    daemon = await startDaemon(
      defineConfig({
        collections: {
          "order:{id}": of("/{id}", Count),
          "support:{uid}": written({ key: "id", row: note }),
          things: of("/things", Thing),
          nothing: of("/nothing", Count, { allowEmpty: true }),
          never: of("/never", Count),
          chat: written({ key: "id", row: note }),
          ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`other-${i}`, of("/other", Count)]))
        }
      }),
      { PAGE: await buildPage(), ANONYMOUS_WRITE: "*" }
    )
    browser = new Browser(chromium!)
    await put("ann", "where is it?")
    await put("b o:b", "thank you")
  }, 30_000)
  afterAll(async () => {
    await browser.close()
    await daemon.close()
    await backend.close()
  })

  const visit = async (name: string, options?: Parameters<typeof Tab.open>[2]) => {
    tab = await Tab.open(browser, `${daemon.url}/#${name}`, options)
  }
  const leave = async () => {
    assert.deepStrictEqual(tab.complaints, [])
    await tab.close()
  }
  const cells = (field: number) =>
    tab.texts(`#grid-body .row > :nth-child(${field + 1})`).then((texts) => texts.toSorted())

  /** Numbers of which not all digits are seen. */
  const cut = () =>
    tab.evaluate<ReadonlyArray<string>>(
      `[...document.querySelectorAll("#grid-body .number .value")].filter((value) => value.scrollWidth > value.clientWidth).map(({ textContent }) => textContent)`
    )

  it("says what it waits for, what is empty, and what has no number", async () => {
    await visit("never")
    await tab.shows("#skeleton-why", "first answer of its upstream")
    await tab.shows("#connection-state", "Live")
    await tab.evaluate(`location.hash = "nothing"`)
    await tab.shows("#empty", "No rows.")
    assert.isTrue(await tab.isVisible("#refresh"))
    await tab.evaluate(`location.hash = "chat"`)
    await until("another", async () => (await tab.attribute("#tab-chat", "aria-selected")) === "true")
    await tab.shows("#empty", "No rows.")
    assert.isFalse(await tab.isVisible("#refresh"))
    await tab.shows("#chart-empty", "Of a chosen row")
    assert.isFalse(await tab.isVisible("#chart-value"))
    await leave()
  }, 40_000)

  it("has nothing to say to the log of the browser when it is loaded", async () => {
    const { targetId } = await browser.call<{ targetId: string }>("Target.createTarget", {
      url: "about:blank"
    })
    const { sessionId } = await browser.call<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true
    })
    const entries: Array<string> = []
    let isLoaded = false
    browser.on(sessionId, (method, params) => {
      if (method === "Log.entryAdded") entries.push((params as { entry: { text: string } }).entry.text)
      isLoaded ||= method === "Page.loadEventFired"
    })
    for (const domain of ["Log", "Page"]) await browser.call(`${domain}.enable`, {}, sessionId)
    await browser.call("Page.navigate", { url: `${daemon.url}/#things` }, sessionId)
    await until("it is loaded", () => isLoaded)
    assert.deepStrictEqual(entries, [])
    await browser.call("Target.closeTarget", { targetId })
  })

  it.skipIf(!isThorough)(
    "says of data that stay the same how old they are, and not how long nothing was said of them",
    async () => {
      await visit("things")
      await tab.shows("#found", "40 rows")
      await tab.shows("#as-of", "s ago")
      const ages = await tab.evaluate<ReadonlyArray<number>>(`(async () => {
      const ages = []
      for (let i = 0; i < 28; i++) {
        await new Promise((done) => setTimeout(done, 250))
        ages.push(parseInt(document.querySelector("#as-of").textContent))
      }
      return ages
    })()`)
      assert.isAtMost(Math.max(...ages), 3, ages.join())
      await leave()
    },
    40_000
  )

  it("of a family all members stand in one table, each row with its own, also from a link", async () => {
    for (const link of ["support:*", "support%3A*"]) {
      await visit(link)
      await tab.shows("#found", "2 rows")
      assert.deepStrictEqual(await cells(1), ["ann", "b o:b"])
      assert.deepStrictEqual(await cells(2), ["thank you", "where is it?"])
      assert.isFalse(await tab.isVisible("#refresh"))
      if (link === "support:*") await leave()
    }
    await put("new", "hello")
    await tab.shows("#found", "3 rows")
    await tab.fill("#search", "b o:b")
    await tab.shows("#found", "1 of 3")
    assert.deepStrictEqual(await cells(2), ["thank you"])
    await tab.fill("#search", "")
    await tab.click("#grid-head [data-field='*'] button")
    await tab.shows("#grid-head [data-field='*'][aria-sort]", "member")
    await leave()
  }, 40_000)

  it.skipIf(!isThorough)(
    "a polled family is its members that somebody reads, and says so while there is none",
    async () => {
      await visit("order:*")
      await tab.shows("#empty", "while somebody reads it")
      const client = await EventClient.open(`${daemon.url}/v1/stream?collections=order:17,order:18`)
      await tab.shows("#found", "4 rows")
      assert.deepStrictEqual(await cells(1), ["17", "17", "18", "18"])
      await tab.click("#grid-body .row")
      await tab.shows("#chart-value", "2")
      // Its source goes by the name of the family.
      await tab.shows("[data-source=order] .badge", "Well")
      isBroken = true
      await tab.shows("[data-source=order] .badge", "Failing")
      isBroken = false
      client.close()
      await leave()
    },
    40_000
  )

  it.skipIf(!isThorough)(
    "flashes a cell that is seen each time it changes, and no cell that is not",
    async () => {
      await visit("things")
      await tab.shows("#found", "40 rows")
      const flashing = () =>
        tab.evaluate<ReadonlyArray<string>>(
          `document.getAnimations().filter(({ effect, playState }) => playState === "running" && effect.target.className === "value").map(({ effect }) => effect.target.textContent)`
        )
      const below = await tab.evaluate<number>(
        `Math.ceil(document.querySelector("#grid").clientHeight / 34) + 2`
      )
      assert.isTrue(await tab.isVisible(`#grid-body [aria-rowindex="${below + 2}"]`))
      for (const part of [7.5, 8.5, 6.5]) {
        // The largest is the first on the screen; another is there, too, below its end.
        things[39]!.part = part
        things[39 - below]!.part = part + 1
        await until("a flash", async () => (await flashing()).length > 0)
        assert.deepStrictEqual(await flashing(), [String(part)])
        await until("its end", async () => (await flashing()).length === 0)
      }
      await leave()
    },
    40_000
  )

  it("lists the collections beside tabs that do not all fit", async () => {
    await visit("things")
    await tab.shows("#collections")
    assert.lengthOf(await tab.texts("#collections option"), 18)
    await tab.evaluate(
      `(() => { const list = document.querySelector("#collections"); list.value = "other-11"; list.dispatchEvent(new Event("change")) })()`
    )
    await tab.shows("#grid-body", "first")
    assert.strictEqual(await tab.evaluate("decodeURIComponent(location.hash)"), "#other-11")
    const [tabAt, end] = await tab.evaluate<readonly [number, number]>(
      `[document.querySelector("#tab-other-11"), document.querySelector("#tabs")].map((each) => each.getBoundingClientRect().right)`
    )
    assert.isAtMost(tabAt, end)
    assert.deepStrictEqual(await grave(tab), [])
    assert.isFalse(
      await tab.evaluate(`[...document.querySelectorAll(".source details")].some(({ open }) => open)`)
    )
    await leave()
  }, 40_000)

  it("has heads over their cells and every digit of a number, also where a phone has no room for all columns", async () => {
    await visit("things", { width: 390, height: 844 })
    await tab.shows("#found", "40 rows")
    const rights = (selector: string) =>
      tab.evaluate<ReadonlyArray<number>>(
        `[...document.querySelectorAll(${JSON.stringify(selector)})].map((cell) => cell.getBoundingClientRect().right)`
      )
    assert.deepStrictEqual(await rights("#grid-body .row:first-child > *"), await rights("#grid-head > *"))
    assert.deepStrictEqual(await cut(), [])
    // A time is not what a list is about.
    assert.strictEqual(await tab.attribute("#grid-head [data-field=size]", "aria-sort"), "descending")
    const parts = (await tab.texts("#grid-body .row > :nth-child(4)")).map((text) => text.trim())
    assert.isTrue(
      parts.every((text) => /^\d\.\d$/.test(text)),
      parts.join()
    )
    const isOver = `document.querySelector(".pane").matches(".over")`
    await tab.holds("that there are more is seen", isOver)
    await tab.evaluate(`document.querySelector("#grid").scrollLeft = 9999`)
    await tab.holds("that there are no more, too", `!${isOver}`)
    await leave()
  }, 40_000)

  it("has room for every digit of a number that has become longer", async () => {
    await visit("things")
    await tab.shows("#found", "40 rows")
    things[7]!.size = "987654321987654"
    await tab.shows("#grid-body", "987,654,321,987,654")
    assert.deepStrictEqual(await cut(), [])
    things[7]!.size = "1"
    await leave()
  }, 40_000)

  it.skipIf(!isThorough)(
    "leaves out keys and small pictures before it leaves out columns",
    async () => {
      const forms: Array<readonly [number, string]> = []
      for (const width of [1600, 1240, 1120]) {
        await visit("things", { width })
        await tab.shows("#found", "40 rows")
        forms.push(
          await tab.evaluate(
            `(({ classList, clientWidth, scrollWidth }) => [scrollWidth - clientWidth, classList.value])(document.querySelector("#grid"))`
          )
        )
        assert.deepStrictEqual(await cut(), [])
        await leave()
      }
      assert.deepStrictEqual(forms, [
        [0, ""],
        [0, "snug"],
        [0, "snug plain"]
      ])
    },
    60_000
  )
})
