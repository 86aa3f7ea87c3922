/** The demo page as people use it, in a real Chromium. */
import { assert, describe, it } from "@effect/vitest"

import { chromium } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { Demo, reason } from "./Page/Demo.ts"

interface Rates {
  readonly [key: string]: { readonly symbol: string; readonly tvlUsd: string }
}

describe.skipIf(chromium === undefined)(`the page in a browser${reason}`, () => {
  const demo = Demo.of({ speed: 2 })
  const symbols = () => demo.tab.texts("#rates-table tbody .symbol")
  const lower = async () => (await symbols()).map((symbol) => symbol.toLowerCase())
  const log = () => demo.tab.texts("#log li")
  const says = async (selector: string, text: string) =>
    (await demo.tab.text(selector)).toLowerCase().includes(text)

  it("shows the rates by TVL, their cells flash, and nothing is wrong in the console", async () => {
    const tab = await demo.visit()
    const { collections } = (await (await fetch(`${demo.url}v1/snapshot?collections=rates`)).json()) as {
      readonly collections: { readonly rates: { readonly rows: Rates } }
    }
    const rows = Object.values(collections.rates.rows)
    const [first, second] = rows.toSorted((a, b) => Number(b.tvlUsd) - Number(a.tvlUsd))
    assert.sameMembers(
      [...(await symbols())],
      rows.map(({ symbol }) => symbol)
    )
    assert.deepStrictEqual((await symbols()).slice(0, 2), [first!.symbol, second!.symbol])
    await tab.holds(
      "a flash",
      `document.getAnimations().some(({ effect }) => effect.target.className === "value")`
    )
    await tab.shows("#ratio", "%")
    await tab.shows("#connection-state", "Live")
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("does not flash where less motion is asked for", async () => {
    const tab = await demo.visit({ media: { "prefers-reduced-motion": "reduce" } })
    await tab.evaluate("window.flashes = 0; Element.prototype.animate = () => flashes++")
    const before = await tab.text("#rates-table")
    await until("other rates", async () => (await tab.text("#rates-table")) !== before, 20_000)
    assert.strictEqual(await tab.evaluate("flashes"), 0)
  })

  it("resumes by every road and at every pace, without another snapshot", async () => {
    const tab = await demo.visit()
    for (const [choice, road] of [
      ["[name=road][value=socket]", "by WebSocket"],
      ["[name=road][value=poll]", "by long poll"],
      ["[name=road][value=stream]", "by SSE"],
      ["[name=pace][value='1s']", "by SSE"]
    ] as const) {
      await tab.evaluate(`document.querySelector("#log").replaceChildren()`)
      await tab.click(choice)
      await until(
        `resumed ${road}`,
        async () => (await log()).some((line) => /resumed at [\d]+ by/.test(line)),
        20_000
      )
      assert.include(
        (await log()).find((line) => line.includes("resumed"))!,
        road
      )
      assert.isFalse((await log()).some((line) => line.includes("snapshot")))
      await tab.shows("#connection-state", "Live")
    }
    assert.deepStrictEqual(tab.complaints, [])
  }, 45_000)

  it("says stale and why when the backend breaks, keeps its rows, and is live again when it is mended", async () => {
    const tab = await demo.visit()
    const before = (await symbols()).length
    await tab.click("#backend [value=status]")
    await tab.shows("#states", "The upstream answered with status 503.")
    assert.isTrue(await tab.isVisible("#rates-stale"))
    assert.match(await tab.text("#states"), /Stale\s*As of \d+ s ago/)
    assert.strictEqual((await symbols()).length, before)
    await tab.click("#backend [value=none]")
    await until("live again", async () => !(await says("#states", "stale")), 20_000)
  }, 45_000)

  it("says that it reconnects, and since when it knows nothing, until the daemon is back", async () => {
    const tab = await demo.visit()
    await demo.stop()
    await tab.shows("#connection-state", "Reconnecting")
    await tab.shows("#connection-more", "to go on at")
    await tab.shows("#states", "Last word")
    await demo.serve()
    await tab.click("#reconnect")
    await tab.shows("#connection-state", "Live")
    await tab.shows("#log", "epoch")
  }, 45_000)

  it("is searched, sorted and walked with the keyboard", async () => {
    const tab = await demo.visit()
    await tab.fill("#search", "ton")
    await tab.shows("#found", " of ")
    await until("only what was sought", async () => (await symbols()).length < 6)
    await tab.fill("#search", "no such thing")
    await tab.shows("#rates .empty")
    await tab.fill("#search", "")
    const head = "#rates-table thead th:first-child"
    await tab.evaluate(`document.querySelector("${head} button").focus()`)
    await tab.press("Enter", 13, "\r")
    assert.strictEqual(await tab.attribute(head, "aria-sort"), "ascending")
    await until("by name", async () => {
      const shown = await lower()
      return shown.length > 6 && shown.join() === shown.toSorted().join()
    })
    await tab.evaluate(`document.querySelector("#rates-tab").focus()`)
    await tab.press("ArrowRight", 39)
    assert.strictEqual(await tab.attribute("#pools-tab", "aria-selected"), "true")
    await tab.holds("pools", `document.querySelectorAll("#pools-table tbody .symbol").length > 20`)
    assert.isFalse(await tab.isVisible("#rates-table"))
  })

  it("shows where the keyboard is, at every stop", async () => {
    const tab = await demo.visit()
    await tab.shows("#backend")
    const stops: Array<string> = []
    for (;;) {
      await tab.press("Tab", 9)
      const [stop, outline] = await tab.evaluate<readonly [string, string]>(
        `(() => {
          const stop = document.activeElement
          const shown = stop.closest("label") ?? stop
          return [stop === document.body ? "" : stop.id || stop.name || stop.innerText, getComputedStyle(shown).outlineStyle]
        })()`
      )
      if (stop === "" || stop === stops[0]) break
      assert.strictEqual(outline, "solid", stop)
      stops.push(stop)
    }
    assert.includeMembers(stops, ["look", "rates-tab", "search", "refresh", "road", "pace", "fault"])
  })

  it("fits 360 px, in both looks, with both tables", async () => {
    const tab = await demo.visit({ width: 360, height: 780 })
    for (const name of ["pools", "rates"]) {
      await tab.click(`#${name}-tab`)
      await tab.click("#look")
      await tab.holds("rows", `document.querySelectorAll("#${name}-table tbody .symbol").length > 5`)
      assert.strictEqual(await tab.evaluate("document.documentElement.scrollWidth"), 360)
    }
  })

  it("has contrast enough to be read, in both looks", async () => {
    for (const look of ["light", "dark"]) {
      const tab = await demo.visit({
        media: { "prefers-color-scheme": look, "prefers-reduced-motion": "reduce" }
      })
      assert.deepStrictEqual(await tab.evaluate(faint), [], look)
      if (look === "light") await tab.close()
    }
  })

  it("says that there is no comparison where there are no metrics", async () => {
    const tab = await demo.visit({ missing: ["*/metrics"] })
    await tab.shows("#meter-why", "not available here")
    assert.isFalse(await tab.isVisible("#comparison"))
    assert.strictEqual(await tab.text("#raw"), "–")
    await tab.shows("#ours", "kB")
  })
})

/** Every text below 4.5 to 1 against what is behind it (WCAG 2.2, 1.4.3). */
const faint = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor
    return channels(colour)[3] === 0 ? behind(element.parentElement) : colour
  }
  const found = new Set()
  for (const element of document.querySelectorAll("body *")) {
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "")
    if (!written || !element.checkVisibility()) continue
    const pair = [light(getComputedStyle(element).color), light(behind(element))]
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)
    if (contrast < 4.5) found.add(element.tagName + "." + element.className + " " + contrast.toFixed(2))
  }
  return [...found]
})()`
