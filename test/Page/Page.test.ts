/** The page as people use it, in a real Chromium, over the demo. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, isThorough, reason } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { grave } from "./Axe.ts"
import { Demo } from "./Demo.ts"

interface Rates {
  readonly [key: string]: { readonly symbol: string; readonly tvlUsd: string }
}

describe.skipIf(chromium === undefined)(`the page in a browser${reason}`, () => {
  const demo = Demo.of({ speed: 2 })
  /** As they stand, whichever element came first. */
  const symbols = () =>
    demo.tab.evaluate<ReadonlyArray<string>>(
      `[...document.querySelectorAll("#grid-body .row")]
        .toSorted((a, b) => a.ariaRowIndex - b.ariaRowIndex)
        .map((row) => row.querySelector(".name").textContent)`
    )
  const frames = () => demo.tab.texts("#frames-list summary")
  const says = async (selector: string, text: string) =>
    (await demo.tab.text(selector)).toLowerCase().includes(text)

  it("shows the rates by what is largest, changed cells flash, and nothing is wrong in the console", async () => {
    const tab = await demo.visit()
    const { collections } = (await (await fetch(`${demo.url}v1/snapshot?collections=rates`)).json()) as {
      readonly collections: { readonly rates: { readonly rows: Rates } }
    }
    const rows = Object.values(collections.rates.rows)
    const [first, second] = rows.toSorted((a, b) => Number(b.tvlUsd) - Number(a.tvlUsd))
    await tab.shows("#found", `${rows.length} rows`)
    assert.deepStrictEqual((await symbols()).slice(0, 2), [first!.symbol, second!.symbol])
    await tab.holds(
      "a flash of one cell, and not of its row",
      `document.getAnimations().some(({ effect }) => effect.target?.className === "value")`
    )
    await tab.shows("#ratio", "%")
    await tab.shows("#connection-state", "Live")
    await tab.holds("sparklines", `document.querySelectorAll(".spark path[d^=M]").length > 3`)
    await tab.holds("a chart of the first row", `document.querySelector("#chart-box canvas") !== null`)
    assert.include(await tab.text("#chart-name"), first!.symbol)
    assert.deepStrictEqual(tab.complaints, [])
  }, 40_000)

  it("asks nobody but its daemon, and the simulator that it was told of", async () => {
    const tab = await demo.visit()
    await tab.click("#tab-pools")
    await tab.shows("#sources-list", "304")
    await new Promise((done) => setTimeout(done, 3_000))
    const origins = new Set(tab.responses.map(({ url }) => new URL(url).origin))
    assert.deepStrictEqual(
      [...origins].filter((origin) => origin !== "null").toSorted(),
      [new URL(demo.url).origin, new URL(demo.simulatorUrl).origin].toSorted()
    )
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("does not flash where less motion is asked for", async () => {
    const tab = await demo.visit({ media: { "prefers-reduced-motion": "reduce" } })
    await tab.evaluate("window.flashes = 0; Element.prototype.animate = () => flashes++")
    const before = await tab.text("#grid-body")
    await until("other rates", async () => (await tab.text("#grid-body")) !== before, 20_000)
    assert.strictEqual(await tab.evaluate("flashes"), 0)
  })

  it.skipIf(!isThorough)(
    "goes on from its cursor by every road and at every interval, without another snapshot",
    async () => {
      const tab = await demo.visit()
      await tab.shows("#connection-more", "by WebSocket")
      await tab.click("#frames-toggle")
      for (const [choice, road] of [
        ["[name=road][value=stream]", "by SSE"],
        ["[name=road][value=changes]", "by Long poll"],
        ["[name=road][value=socket]", "by WebSocket"],
        ["[name=interval][value='1s']", "by WebSocket"]
      ] as const) {
        await tab.click(choice)
        await tab.evaluate(
          `document.querySelector("#frames-list").replaceChildren(), window.since = Date.now()`
        )
        await tab.shows("#connection-more", road)
        await tab.holds(
          `frames ${road}`,
          `[...document.querySelectorAll("#frames-list li")].some(({ dataset }) => parseInt(dataset.at) > since + 50)`
        )
        const snapshots = await tab.evaluate<number>(
          `[...document.querySelectorAll("#frames-list li")]
          .filter((item) => parseInt(item.dataset.at) > since && item.textContent.includes("snapshot")).length`
        )
        assert.strictEqual(snapshots, 0, road)
        await tab.shows("#frames-last", road)
        await tab.shows("#connection-state", "Live")
      }
      assert.deepStrictEqual(tab.complaints, [])
    },
    60_000
  )

  it("says how to get a frame elsewhere, and what it says there is so", async () => {
    const tab = await demo.visit()
    await tab.click("#frames-toggle")
    await until("a change", async () => (await frames()).some((line) => line.includes("change")), 20_000)
    await tab.click("#frames-hold")
    await tab.evaluate(`
      window.copied = []
      navigator.clipboard.writeText = async (text) => { copied.push(text) }
      ;[...document.querySelectorAll("#frames-list details")].find((one) => one.textContent.includes("change")).open = true`)
    await tab.holds(
      "it is open",
      `document.querySelector("#frames-list [open] pre").textContent.includes('"from"')`
    )
    const { from } = JSON.parse(await tab.text("#frames-list [open] pre")) as { readonly from: string }
    await tab.evaluate(
      `for (const button of document.querySelectorAll("#frames-list [open] button")) button.click()`
    )
    const [curl, events, client, json] = await tab.evaluate<ReadonlyArray<string>>("copied")
    const url = /'(http[^']+)'/.exec(curl!)![1]!
    assert.include(url, `since=${from}`)
    const answer = await fetch(url)
    const { done, value } = await answer.body!.getReader().read()
    assert.isFalse(done)
    assert.notInclude(new TextDecoder().decode(value), "goodbye")
    assert.include(events!, `new EventSource(${JSON.stringify(url)})`)
    assert.include(client!, `connect(${JSON.stringify(demo.url)}, { collections: ["assets","pools","rates"]`)
    assert.strictEqual((JSON.parse(json!) as { readonly from: string }).from, from)
  }, 40_000)

  it.skipIf(!isThorough)(
    "says stale and why when the backend breaks, keeps its rows, and is live again when it is mended",
    async () => {
      const tab = await demo.visit()
      const before = (await symbols()).length
      await tab.click("#simulator [value=status]")
      await tab.shows("#banner", "The upstream answered with status 503.")
      await tab.shows("#banner", "assets, pools and rates are stale", 40_000)
      assert.match(await tab.text("#banner"), /stale, as of (\d+ min )?\d+ s ago/)
      await tab.shows("#connection-state", "Stale")
      assert.strictEqual(await tab.attribute("#tab-rates .dot", "data-tone"), "stale")
      assert.strictEqual((await symbols()).length, before)
      await tab.shows("[data-source=pools] .badge", "Failing")
      await tab.shows("[data-source=pools] .badge", "Breaker open", 40_000)
      await tab.click("#simulator [value=none]")
      await until("live again", async () => !(await tab.isVisible("#banner")), 30_000)
      await tab.shows("#connection-state", "Live")
    },
    90_000
  )

  it("has a source polled when somebody asks", async () => {
    const tab = await demo.visit()
    await tab.click("[data-source=pools] button")
    await until("said so", async () => /pools was polled/.test(await tab.text("#said")))
    await tab.evaluate(`document.querySelector("#grid").focus()`)
    await tab.press("r", 82, "r")
    await until("by its key", async () => /rates was polled/.test(await tab.text("#said")))
  })

  it.skipIf(!isThorough)(
    "says that the connection is lost, since when, and where it goes on, until the daemon is back",
    async () => {
      const tab = await demo.visit()
      await demo.stop()
      // From the first moment, also where the client is still calm about it.
      await tab.shows("#banner", "to go on at revision")
      await tab.shows("#connection-state", "Reconnecting")
      await tab.shows("#connection-more", "again")
      assert.strictEqual(await tab.attribute("#tab-rates .dot", "data-tone"), "offline")
      await demo.serve()
      // It may have come back by itself before.
      await tab.evaluate("document.querySelector('#reconnect').click()")
      await tab.shows("#connection-state", "Live")
      await tab.click("#frames-toggle")
      await tab.shows("#frames-list", "epoch")
    },
    45_000
  )

  it("says that the browser is offline", async () => {
    const tab = await demo.visit()
    const network = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 }
    await tab.call("Network.emulateNetworkConditions", { ...network, offline: true })
    await tab.shows("#connection-state", "Offline")
    await tab.shows("#banner", "offline")
    await until("its tabs", async () => (await tab.attribute("#tab-rates .dot", "data-tone")) === "offline")
    await tab.call("Network.emulateNetworkConditions", { ...network, offline: false })
    await tab.shows("#connection-state", "Live")
  }, 40_000)

  it("is searched, sorted and walked with the keyboard", async () => {
    const tab = await demo.visit()
    await tab.press("/", 191, "/")
    assert.strictEqual(await tab.evaluate("document.activeElement.id"), "search")
    await tab.fill("#search", "ton")
    await tab.shows("#found", " of ")
    await until("only what was sought", async () => (await symbols()).length < 6)
    await tab.fill("#search", "no such thing")
    await tab.shows("#empty", "no such thing")
    await tab.fill("#search", "")
    const head = "#grid-head [data-field='']"
    await tab.click(`${head} button`)
    assert.strictEqual(await tab.attribute(head, "aria-sort"), "descending")
    await tab.click(`${head} button`)
    await until("by name", async () => {
      const shown = (await symbols()).map((symbol) => symbol.toLowerCase())
      return shown.length > 6 && shown.join() === shown.toSorted().join()
    })
    await tab.evaluate(`document.querySelector("#grid").focus()`)
    for (let i = 0; i < 3; i++) await tab.press("ArrowDown", 40)
    await tab.press("Enter", 13, "\r")
    await tab.shows("#chart-name", (await symbols())[3])
    await tab.evaluate(`document.querySelector("#tab-rates").focus()`)
    await tab.press("ArrowLeft", 37)
    await until("pools", async () => (await tab.attribute("#tab-pools", "aria-selected")) === "true")
    await tab.shows("#grid-body", " / ")
    await tab.press("?", 191, "?")
    await tab.shows("#help", "search the rows")
    await tab.press("Escape", 27)
    await until("closed", async () => !(await tab.isVisible("#help")))
  }, 40_000)

  it("shows where the keyboard is, at every stop", async () => {
    const tab = await demo.visit()
    await tab.shows("#simulator")
    await tab.shows("[data-source=pools] button")
    const stops: Array<string> = []
    for (;;) {
      await tab.press("Tab", 9)
      const [stop, outline] = await tab.evaluate<readonly [string, string]>(
        `(() => {
          const stop = document.activeElement
          const shown = stop.closest("label") ?? stop
          return [stop === document.body ? "" : stop.id || stop.name || stop.ariaLabel || stop.innerText, getComputedStyle(shown).outlineStyle]
        })()`
      )
      if (stop === "" || stop === stops[0]) break
      assert.strictEqual(outline, "solid", stop)
      stops.push(stop)
    }
    assert.includeMembers(stops, [
      "token-open",
      "look",
      "help-open",
      "tab-rates",
      "search",
      "refresh",
      "grid",
      "chart-field",
      "fault",
      "Refresh pools",
      "frames-toggle",
      "road",
      "interval"
    ])
  })

  it("fits 360 px, in both looks, with every collection", async () => {
    const tab = await demo.visit({ width: 360, height: 780 })
    for (const name of ["pools", "assets", "rates"]) {
      await tab.click(`#tab-${name}`)
      await tab.click("#look")
      await tab.holds("rows", `document.querySelectorAll("#grid-body .name").length > 5`)
      assert.strictEqual(await tab.evaluate("document.documentElement.scrollWidth"), 360)
    }
  })

  it("has nothing that axe finds serious, in both looks, on a phone, and with everything open", async () => {
    for (const [look, width] of [
      ["light", 1280],
      ["dark", 1280],
      ["dark", 390]
    ] as const) {
      const tab = await demo.visit({
        width,
        media: { "prefers-color-scheme": look, "prefers-reduced-motion": "reduce" }
      })
      await tab.shows("#sources-list", "pools")
      assert.deepStrictEqual(await grave(tab), [], `${look}, ${width} px`)
      await tab.click("#frames-toggle")
      await tab.holds("frames", `document.querySelectorAll("#frames-list li").length > 0`)
      await tab.evaluate(`document.querySelector("#frames-list details").open = true`)
      assert.deepStrictEqual(await grave(tab), [], `${look}, ${width} px, frames`)
      await tab.click("#help-open")
      assert.deepStrictEqual(await grave(tab), [], `${look}, ${width} px, help`)
      if (width > 390) await tab.close()
    }
  }, 90_000)

  it("says that there is no comparison where there are no metrics, and shows the rows all the same", async () => {
    const tab = await demo.visit({ missing: ["*/metrics"] })
    await tab.shows("#meter-why", "not available here")
    await tab.shows("#sources-why", "ADMIN_PORT")
    assert.isFalse(await tab.isVisible("#comparison"))
    assert.strictEqual(await tab.text("#raw"), "–")
    await tab.shows("#ours", "kB")
    await says("#connection-state", "live")
  })
})
