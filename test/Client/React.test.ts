/** React in a real Chromium and on a server: docs/client/react.md as written, and what its hooks promise. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { createElement } from "react"
import { renderToString } from "react-dom/server"

import { type Status } from "../../client/Cast.ts"
import { useStatus } from "../../client/React.ts"
import { snapshotOf } from "../../client/Snapshot.ts"
import { chromium, reason } from "../Browser.ts"
import { bundled, filesOf, imported } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"
import { snapshot, Stage } from "./Stage.ts"

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
const { subscribe } = cast.rates
globalThis.subscribed = 0
cast.rates.subscribe = (...asked) => {
  subscribed++
  return subscribe(...asked)
}
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
const Source = () => {
  count("source")
  return <i id="source">{useStatus(cast.rates, ({ state }) => state)}</i>
}
const App = () => <p><Row symbol="TON" /><Row symbol="ETH" /><Dear /><Symbols /><All /><State /><Source /></p>
const root = createRoot(document.getElementById("root"))
globalThis.cast = cast
globalThis.show = (isStrict) => root.render(isStrict ? <StrictMode><App /></StrictMode> : <App />)
globalThis.hide = () => root.render(null)
`

/** 42,000 pools of which 800 change at once; a list of all, the dearest ten, and a hundred rows. */
const market = `
import { createRoot } from "react-dom/client"
import { connect } from "ratecast/client"
import { useRow, useRows } from "ratecast/client/react"

const numbers = (length) => Array.from({ length }, (_, i) => i)
// There is no wait for a frame: what is measured is the work.
globalThis.requestAnimationFrame = (run) => queueMicrotask(run)
let hear
const cast = connect("/", {
  collections: ["pools"],
  share: () => (_asked, told) => {
    hear = (message) => told(JSON.stringify({ at: 1, commits: 1, ...message }))
    hear({ type: "snapshot", cursor: "e-1-x", reason: "initial", collections: { pools: { state: "live", rows } } })
    return { close: () => {} }
  }
})
const rows = Object.fromEntries(numbers(42_000).map((i) => ["p" + i, { id: "p" + i, usd: "0" }]))
const Row = ({ id }) => <i>{useRow(cast.pools, id)?.usd}</i>
const dear = (rows) => rows.toSorted((a, b) => Number(b.usd) - Number(a.usd)).slice(0, 10)
const App = () => (
  <p>
    <b>{useRows(cast.pools).length}</b>
    <u>{useRows(cast.pools, dear)[0]?.usd}</u>
    {numbers(100).map((i) => <Row key={i} id={"p" + i * 52} />)}
  </p>
)
createRoot(document.getElementById("root")).render(<App />)
let at = 1
globalThis.trade = async () => {
  const set = Object.fromEntries(numbers(800).map((i) => ["p" + i * 52, { usd: String(at) }]))
  const began = performance.now()
  hear({ type: "change", from: "e-" + at + "-x", cursor: "e-" + ++at + "-x", collections: { pools: { set } } })
  await new Promise((done) => setTimeout(done))
  return performance.now() - began
}
`

interface Counts {
  readonly [name: string]: number
}

describe("a server that renders", () => {
  let stage: Stage
  beforeEach(() => {
    stage = new Stage()
  })
  afterEach(() => stage.leave())

  it("draws the status with which a page begins that is given the same rows, whatever its own is", async () => {
    const cast = stage.connect({ roads: ["stream", "changes"] })
    const isWithRows: Array<boolean> = []
    const look = () => {
      const drawn: Array<Status> = []
      const Shown = () => useStatus(cast, (status) => drawn.push(status))
      renderToString(createElement(Shown))
      const from = snapshotOf(cast)
      isWithRows.push(from !== undefined)
      const page = stage.connect({ roads: ["stream", "changes"], from })
      assert.deepStrictEqual(drawn, [page.initial])
      return cast.status.state
    }
    const states = [look()]
    cast.subscribe(() => {})
    await stage.pass(100)
    stage.line.end(403, { code: "forbidden" })
    await stage.pass(100)
    states.push(look())
    cast.reconnect()
    await stage.pass(100)
    stage.line.say(snapshot(1, { a: { id: "a" } }))
    await stage.pass(100)
    states.push(look())
    stage.line.end()
    await stage.pass(3_000)
    stage.line.end(403, { code: "forbidden" })
    await stage.pass(100)
    states.push(look())
    cast.close()
    assert.deepStrictEqual(states, ["connecting", "failed", "live", "failed"])
    assert.deepStrictEqual(isWithRows, [false, false, true, true])
  })
})

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
    assert.deepStrictEqual(await tab.texts("th"), ["BTC", "ETH", "TON"])
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("and its component shows how one collection is", async () => {
    const mount = `
      import { createRoot } from "react-dom/client"
      import { State } from "./State.tsx"
      globalThis.seen = []
      new MutationObserver(() => seen.push(document.querySelector("p").innerText))
        .observe(document.getElementById("root"), { childList: true, subtree: true, characterData: true })
      createRoot(document.getElementById("root")).render(<State />)`
    const tab = await frontend.visit(await page(mount))
    await tab.shows("p", "live")
    assert.deepStrictEqual(await tab.evaluate("seen"), ["loading", "live"])
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("a change of one row renders who shows it, once, and nobody else", async () => {
    const tab = await frontend.visit(await page(probes))
    await tab.evaluate("show(false)")
    await tab.shows("#state", "live")
    await tab.shows("#source", "live")
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
    assert.strictEqual(after["source"], before["source"])
    assert.deepStrictEqual(tab.complaints, [])
    frontend.price("BTC", "1.20")
  })

  it("who says what they show in the component subscribes once, however often it is rendered", async () => {
    const tab = await frontend.visit(await page(probes))
    await tab.evaluate("show(false)")
    await tab.shows("#state", "live")
    const before = await tab.evaluate<Counts>("({ subscribed, dear: counts.dear })")
    for (let i = 0; i < 12; i++) await tab.evaluate("show(false)")
    await tab.holds("renders", `counts.dear >= ${before["dear"]! + 12}`)
    assert.strictEqual(await tab.evaluate("subscribed"), before["subscribed"])
    assert.deepStrictEqual(tab.complaints, [])
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

  for (const [what, from, first] of [
    [
      "",
      `{ type: "snapshot", cursor: "old-1-x", reason: "initial", at: 1, collections: { rates: { state: "live", rows: { TON: { symbol: "TON", usd: "0.01" } } } } }`,
      "0.01 1 stale"
    ],
    [", from nothing", "undefined", "none 0 connecting"]
  ] as const)
    it(`also where a part of it is hydrated after its rows have changed${what}`, async () => {
      const late = `
        import { lazy, Suspense } from "react"
        import { hydrateRoot } from "react-dom/client"
        import { connect } from "ratecast/client"
        import { useRow, useRows, useStatus } from "ratecast/client/react"
        const cast = connect("/", { collections: ["rates"], from: ${from} })
        const Price = () => {
          const row = useRow(cast.rates, "TON")
          const rows = useRows(cast.rates)
          const state = useStatus(cast, ({ state }) => state)
          const shown = [row?.usd ?? "none", rows.length, state].join(" ")
          globalThis.first ??= shown
          return <b>{shown}</b>
        }
        const Late = lazy(() => new Promise((done) => (globalThis.arrive = () => done({ default: Price }))))
        cast.subscribe(() => {})
        globalThis.cast = cast
        hydrateRoot(document.getElementById("root"), <Suspense><Late /></Suspense>)`
      const tab = await frontend.visit(
        await page(late),
        `<div id="root"><!--$--><b>${first}</b><!--/$--></div>`
      )
      await tab.holds("its rows", "cast.rates.rows.length === 3")
      assert.strictEqual(await tab.text("b"), first)
      await tab.evaluate("arrive()")
      await tab.shows("b", "8.00 3 live")
      assert.strictEqual(await tab.evaluate("first"), first)
      assert.deepStrictEqual(tab.complaints, [])
    })

  it("also where it was rendered of a cast that the server holds open", async () => {
    const state = `
      import { useStatus } from "ratecast/client/react"
      export const State = ({ cast }) => <b>{useStatus(cast, ({ state }) => state)}</b>`
    const server = `
      import { renderToString } from "react-dom/server"
      import { connect } from "ratecast/client"
      import { inline } from "ratecast/client/inline"
      import { State } from "./State.tsx"
      export const render = async (url) => {
        const cast = connect(url, { collections: ["rates"] })
        cast.subscribe(() => {})
        await cast.ready()
        const { state } = cast.status
        const html = \`<div id="root">\${renderToString(<State cast={cast} />)}</div>\${inline(cast)}\`
        cast.close()
        return { state, html }
      }`
    const browser = `
      import { hydrateRoot } from "react-dom/client"
      import { connect } from "ratecast/client"
      import { inlined } from "ratecast/client/inline"
      import { State } from "./State.tsx"
      const cast = connect("/", { collections: ["rates"], from: inlined() })
      hydrateRoot(document.getElementById("root"), <State cast={cast} />)`
    const more = new Map([
      ["State.tsx", state],
      ["holding.tsx", server],
      ["page.tsx", browser]
    ])
    const { render } = await imported<{
      render: (url: string) => Promise<{ readonly state: string; readonly html: string }>
    }>(more, "holding.tsx", frontend.folder)
    const { html, state: held } = await render(frontend.url)
    assert.strictEqual(held, "live")
    const tab = await frontend.visit(await bundled(more, "page.tsx", "browser"), html)
    frontend.price("TON", "9.00")
    await tab.shows("b", "live")
    assert.deepStrictEqual(tab.complaints, [])
  })

  it("cost", async () => {
    const tab = await frontend.visit(await page(market))
    await tab.shows("b", "42000")
    const took: Array<number> = []
    for (let i = 1; i <= 15; i++) {
      took.push(await tab.evaluate<number>("trade()"))
      await tab.shows("u", `${i}`)
    }
    const median = took.toSorted((a, b) => a - b)[7]!
    console.log(`React: ${median.toFixed(1)} ms for 800 changes of 42000 rows, of which 110 are shown`)
    assert.strictEqual(await tab.text("i"), "15")
  })
})
