/** How much of a frame the page takes: 1,000 rows of which every number changes ten times a second, and 42,000 that scroll. */
import { Schema } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Decimal, defineConfig, polled, source } from "../../src/Config.ts"
import { Browser, chromium, isThorough, reason } from "../Browser.ts"
import { Backend, type Daemon, startDaemon } from "../Daemon.ts"
import { Tab } from "../Tab.ts"
import { buildPage } from "./Build.ts"

/** ms of each frame: from when it begins until its picture is made, and since the one before. */
const watch = `
window.frames = []
window.gaps = []
let before
const channel = new MessageChannel()
let began
channel.port1.onmessage = () => frames.push(performance.now() - began)
const look = (at) => {
  if (before !== undefined) gaps.push(at - before)
  before = at
  began = performance.now()
  channel.port2.postMessage(0)
  requestAnimationFrame(look)
}
requestAnimationFrame(look)`

/** ms; what browsers call one. Half of that would be wanted, and is what an idle machine shows. */
const longTask = 50

const at = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))]!
const said = (values: ReadonlyArray<number>): string =>
  [0.5, 0.95, 1].map((share) => at(values, share).toFixed(1)).join(" / ")

describe.skipIf(chromium === undefined)(`frames of the page${reason}`, () => {
  const backend = new Backend()
  let browser: Browser
  let daemon: Daemon
  let changing: NodeJS.Timeout | undefined

  /** So many rows, and every how manieth of them changes in each 100 ms. */
  const serve = async (count: number, share: number, every: "100 millis" | "1 second") => {
    let round = 0
    const rows = Array.from({ length: count }, (_, i) => ({
      id: `row ${String(i).padStart(5, "0")}`,
      name: `Thing ${i}`,
      usd: "1.00",
      size: "1",
      part: 1
    }))
    const move = () => {
      round++
      for (let i = round % share; i < count; i += share) {
        const row = rows[i]!
        row.usd = (100 + ((i * 7919 + round * 31) % 9973) / 100).toFixed(2)
        row.size = String(1000 + ((i * 31 + round * 17) % 100_000))
        row.part = ((i + round * 13) % 1000) / 1000
      }
      backend.body = rows
    }
    move()
    changing = setInterval(move, 100)
    daemon = await startDaemon(
      defineConfig({
        collections: {
          things: polled({
            source: source({ url: backend.url, every, maxBytes: 64 * 1024 * 1024 }),
            rows: (body: typeof rows) => body.map((row) => ({ key: row.id, row })),
            key: "id",
            row: Schema.Struct({
              id: Schema.String,
              name: Schema.String,
              usd: Decimal,
              size: Decimal,
              part: Schema.Finite
            }),
            fixed: ["name"]
          })
        }
      }),
      { PAGE: await buildPage() }
    )
    const tab = await Tab.open(browser, `${daemon.url}/`)
    await tab.holds("rows", `document.querySelectorAll("#grid-body .name").length > 5`)
    return tab
  }
  const stop = async (tab: Tab) => {
    clearInterval(changing)
    await tab.close()
    await daemon.close()
  }

  beforeAll(async () => {
    await backend.start()
    browser = new Browser(chromium!)
  })
  afterAll(async () => {
    clearInterval(changing)
    await browser.close()
    await backend.close()
  })

  it.skipIf(!isThorough)(
    "are short where 1,000 rows change ten times a second",
    async () => {
      const tab = await serve(1_000, 1, "100 millis")
      await new Promise((done) => setTimeout(done, 3_000))
      await tab.evaluate(watch)
      const revision = () =>
        tab.evaluate<string>(`document.querySelector("#revision").textContent.replace(/,/g, "")`)
      const first = Number(await revision())
      await new Promise((done) => setTimeout(done, 6_000))
      const changes = Number(await revision()) - first
      const frames = await tab.evaluate<ReadonlyArray<number>>("frames")
      const gaps = await tab.evaluate<ReadonlyArray<number>>("gaps")
      console.log(
        `1,000 rows, ${(changes / 6).toFixed(1)} changes of all of them a second: a frame takes ${said(frames)} ms, ` +
          `comes every ${said(gaps)} ms (median / 95 % / longest), ${(gaps.length / 6).toFixed(0)} a second`
      )
      assert.isAbove(changes, 10)
      assert.isBelow(at(frames, 0.5), longTask)
      await stop(tab)
    },
    40_000
  )

  it("are told where 42,000 rows are scrolled a screen at a time; only those on the screen are there, down to the last", async () => {
    const tab = await serve(42_000, 420, "1 second")
    await tab.shows("#found", "42,000 rows")
    await tab.evaluate(watch)
    await tab.evaluate(`
      window.steps = 0
      const scroll = () => {
        const grid = document.querySelector("#grid")
        grid.scrollTop = (window.steps * 977) % grid.scrollHeight
        if (++window.steps < 120) requestAnimationFrame(scroll)
      }
      scroll()`)
    await tab.holds("the end of it", "steps === 120", 40_000)
    const frames = await tab.evaluate<ReadonlyArray<number>>("frames")
    const gaps = await tab.evaluate<ReadonlyArray<number>>("gaps")
    console.log(
      `42,000 rows, another screen of them in each frame: one takes ${said(frames)} ms, comes every ${said(gaps)} ms (median / 95 % / longest)`
    )
    assert.isBelow(await tab.evaluate<number>(`document.querySelectorAll("#grid-body .row").length`), 80)
    const end = await tab.evaluate<string>(`(async () => {
      const grid = document.querySelector("#grid")
      grid.scrollTop = grid.scrollHeight
      await new Promise((done) => setTimeout(done, 500))
      return Math.max(...[...document.querySelectorAll("#grid-body .row")].map((row) => row.ariaRowIndex))
    })()`)
    assert.strictEqual(Number(end), 42_001)
    await tab.click("#frames-toggle")
    const copies = await tab.evaluate<ReadonlyArray<readonly [string, boolean]>>(
      `[...document.querySelectorAll("#frames-list li:last-child button")].map(({ disabled, textContent }) => [textContent, disabled])`
    )
    // The snapshot: what is cut is not handed on as if it were all of it.
    assert.deepStrictEqual(
      copies.map(([, isDisabled]) => isDisabled),
      [false, false, false, true]
    )
    assert.match(copies.at(-1)![0], /^JSON: only 24\.6 kB of \d\.\d+ MB are kept$/)
    await stop(tab)
  }, 90_000)
})
