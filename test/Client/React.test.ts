/** React in a real Chromium and on a server: docs/client/react.md as written, and what its hooks promise. */
import { assert, describe, it } from "@effect/vitest"

import { chromium } from "../Browser.ts"
import { bundled, filesOf, imported } from "./Recipes.ts"
import { reason, Frontend } from "./Frontend.ts"

const files = filesOf("react.md")
/** With one more file, which is the page. */
const page = (code: string) => bundled(new Map([...files, ["page.tsx", code]]), "page.tsx", "browser")

/** Each component counts how often it is rendered. */
const probes = `
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { connect } from "ratecast/client"
import { useRow, useRows, useStatus } from "ratecast/client/react"

const cast = connect("/", { collections: ["rates"], roads: ["socket"] })
const counts = globalThis.counts = {}
const count = (name) => (counts[name] = (counts[name] ?? 0) + 1)
const Row = ({ symbol }) => {
  count(symbol)
  return <i id={symbol}>{useRow(cast.rates, symbol)?.usd}</i>
}
const Dear = () => {
  count("dear")
  return <i id="dear">{useRows(cast.rates, (rows) => rows.filter(({ usd }) => Number(usd) > 100)).length}</i>
}
const Symbols = () => {
  count("symbols")
  return <i id="symbols">{useRows(cast.rates, symbolsOf).join()}</i>
}
const symbolsOf = (rows) => rows.map(({ symbol }) => symbol)
const All = () => {
  count("all")
  return <i id="all">{useRows(cast.rates).length}</i>
}
const State = () => {
  count("state")
  return <i id="state">{useStatus(cast, ({ state }) => state)}</i>
}
const App = () => <p><Row symbol="TON" /><Row symbol="ETH" /><Dear /><Symbols /><All /><State /></p>
const root = createRoot(document.getElementById("root"))
globalThis.cast = cast
globalThis.show = (isStrict) => root.render(isStrict ? <StrictMode><App /></StrictMode> : <App />)
globalThis.hide = () => root.render(null)
`

interface Counts {
  readonly [name: string]: number
}

describe.skipIf(chromium === undefined)(`React in a browser${reason}`, () => {
  const frontend = Frontend.of()

  it("the table of docs/client/react.md shows the rates, and what becomes of them, as written", async () => {
    const mount = `
      import { StrictMode } from "react"
      import { createRoot } from "react-dom/client"
      import { Rates } from "./Rates.tsx"
      createRoot(document.getElementById("root")).render(<StrictMode><Rates /></StrictMode>)`
    const tab = await frontend.visit(await page(mount))
    await tab.shows("tr:nth-child(2)", "1.10")
    await tab.shows("caption", "live")
    frontend.price("ETH", "2.20")
    await tab.shows("tr:nth-child(2)", "2.20")
    assert.deepStrictEqual(await tab.texts("th"), ["TON", "ETH", "BTC"])
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("a change of one row renders who shows it, once, and nobody else", async () => {
    const tab = await frontend.visit(await page(probes))
    await tab.evaluate("show(false)")
    await tab.shows("#state", "live")
    await tab.shows("#symbols", "TON,ETH,BTC")
    const counts = () => tab.evaluate<Counts>("counts")
    const before = await counts()
    for (let i = 1; i <= 5; i++) {
      frontend.price("TON", `5.0${i}`)
      await tab.shows("#TON", `5.0${i}`)
    }
    assert.deepStrictEqual(await counts(), { ...before, TON: before["TON"]! + 5, all: before["all"]! + 5 })
    frontend.price("BTC", "1000")
    await tab.shows("#dear", "1")
    frontend.remove("BTC")
    await tab.holds("one less", `document.querySelector("#symbols").innerText === "TON,ETH"`)
    const after = await counts()
    assert.strictEqual(after["ETH"], before["ETH"])
    assert.strictEqual(after["symbols"], before["symbols"]! + 1)
    assert.strictEqual(after["state"], before["state"])
    assert.deepStrictEqual(tab.complaints, [])
    frontend.price("BTC", "1.20")
  })

  it("StrictMode opens one connection, views come and go on it, and none is left 3 s after the last", async () => {
    const tab = await frontend.visit(await page(probes))
    await tab.evaluate("show(true)")
    await tab.shows("#state", "live")
    for (let i = 0; i < 3; i++) {
      await tab.evaluate("hide()")
      await tab.evaluate("new Promise((done) => setTimeout(done, 200))")
      await tab.evaluate("show(true)")
    }
    await tab.shows("#TON", ".")
    assert.strictEqual(await tab.evaluate("sockets.length"), 1)
    await tab.evaluate("hide()")
    await tab.holds("the end of it", "sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)")
    assert.strictEqual(await tab.evaluate("sockets.length"), 1)
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("a page that a server has rendered is hydrated as it is, and goes on from there", async () => {
    const sockets = globalThis.WebSocket
    frontend.price("TON", "7.00")
    const { render } = await imported<{ render: (url: string) => Promise<string> }>(
      new Map([...files, ["rendering.ts", `export { render } from "./server.tsx"`]]),
      "rendering.ts",
      frontend.folder
    )
    let html = ""
    while (!html.includes("<b>7.00</b>")) html = await render(frontend.url)
    assert.strictEqual(globalThis.WebSocket, sockets)
    const tab = await frontend.visit(await bundled(files, "browser.tsx", "browser"), html)
    frontend.price("TON", "8.00")
    await tab.shows("b", "8.00")
    assert.match(await tab.evaluate<string>("sockets[0].url"), /since=/)
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("also where a part of it is hydrated after its rows have changed", async () => {
    const late = `
      import { lazy, Suspense } from "react"
      import { hydrateRoot } from "react-dom/client"
      import { connect } from "ratecast/client"
      import { useRow, useRows, useStatus } from "ratecast/client/react"
      const cast = connect("/", { collections: ["rates"], from: {
        type: "snapshot", cursor: "old-1-x", reason: "initial", at: 1,
        collections: { rates: { state: "live", rows: { TON: { symbol: "TON", usd: "0.01" } } } }
      } })
      const Price = () => {
        const row = useRow(cast.rates, "TON")
        const rows = useRows(cast.rates)
        const state = useStatus(cast, ({ state }) => state)
        globalThis.first ??= [row.usd, rows.length, state].join(" ")
        return <b>{[row.usd, rows.length, state].join(" ")}</b>
      }
      const Late = lazy(() => new Promise((done) => (globalThis.arrive = () => done({ default: Price }))))
      cast.subscribe(() => {})
      globalThis.cast = cast
      hydrateRoot(document.getElementById("root"), <Suspense><Late /></Suspense>)`
    const tab = await frontend.visit(
      await page(late),
      `<div id="root"><!--$--><b>0.01 1 stale</b><!--/$--></div>`
    )
    await tab.holds("its rows", "cast.rates.rows.length === 3")
    assert.strictEqual(await tab.text("b"), "0.01 1 stale")
    await tab.evaluate("arrive()")
    await tab.shows("b", "8.00 3 live")
    assert.strictEqual(await tab.evaluate("first"), "0.01 1 stale")
    assert.deepStrictEqual(tab.complaints, [])
  })
})
