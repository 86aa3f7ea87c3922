/** `npm run soak:client`: pages read 10 changes a second for half an hour; neither their heap nor their process grows. */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"

import { chromium } from "../Browser.ts"
import { lowest, type Sample, slopeOf } from "../Chaos/Slope.ts"
import type { Tab } from "../Tab.ts"
import { held, read, Site } from "./Site.ts"

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) {
  console.error(`--minutes is a number above 0, not ${values.minutes}`)
  process.exit(2)
}
if (chromium === undefined) {
  console.error("there is no Chromium in /usr/bin, and none in CHROMIUM")
  process.exit(2)
}

const rows = 200
const changesPerSecond = 10
const seconds = minutes * 60
const warmUp = seconds / 4
/** Growth in all of the time measured that is taken for noise. */
const tolerated = minutes < 10 ? 0.1 : 0.05

const began = performance.now()
const now = () => (performance.now() - began) / 1000
const pass = (ms: number) => new Promise((done) => setTimeout(done, ms))
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

const site = new Site()
await site.open()
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void site.close().finally(() => process.exit(130)))

class Page {
  readonly road: string
  readonly heap: Array<Sample> = []
  readonly resident: Array<Sample> = []
  private readonly tab: Tab
  private readonly pid: number

  constructor(road: string, tab: Tab, pid: number) {
    this.road = road
    this.tab = tab
    this.pid = pid
  }

  static async open(road: string): Promise<Page> {
    const tab = await site.visit()
    await read(tab, `roads: ["${road}"]`)
    // DevTools keeps what a page is sent, in the page's process.
    await tab.call("Network.disable")
    // As a page does that draws: what it is told is kept by nobody.
    await tab.evaluate(
      `cast.rates.subscribe((keys) => { globalThis.drawn = (globalThis.drawn ?? 0) + keys.size })`
    )
    return new Page(road, tab, await processOf(tab))
  }

  async sample(): Promise<void> {
    await this.tab.evaluate("states.length = 0")
    await this.tab.call("HeapProfiler.collectGarbage")
    const { usedSize } = await this.tab.call<{ usedSize: number }>("Runtime.getHeapUsage")
    this.heap.push({ at: now(), value: usedSize })
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))![1]
    this.resident.push({ at: now(), value: Number(kib) * 1024 })
  }

  get drawn(): Promise<number> {
    return this.tab.evaluate("drawn")
  }

  async isRight(): Promise<boolean> {
    const differs = async () => (await held(this.tab, "rates")) !== site.rowsOf("rates")
    for (let tries = 0; tries < 100 && (await differs()); tries++) await pass(50)
    return !(await differs())
  }
}

const times = async () => {
  const { processInfo } = await site.browser.call<{
    processInfo: ReadonlyArray<{ readonly id: number; readonly type: string; readonly cpuTime: number }>
  }>("SystemInfo.getProcessInfo")
  return new Map(processInfo.flatMap(({ cpuTime, id, type }) => (type === "renderer" ? [[id, cpuTime]] : [])))
}

/** Nobody says which it is: the renderer that works when the page does. */
const processOf = async (tab: Tab): Promise<number> => {
  const before = await times()
  await tab.evaluate("(() => { const end = performance.now() + 500; while (performance.now() < end); })()")
  const worked = [...(await times())].map(([id, time]) => [time - (before.get(id) ?? 0), id] as const)
  return worked.toSorted(([a], [b]) => b - a)[0]![1]
}

/** Whether it rises by more than its noise, as a line of text that says so. */
const judged = (
  what: string,
  samples: ReadonlyArray<Sample>
): { readonly text: string; readonly isFlat: boolean } => {
  const measured = samples.filter(({ at }) => at >= warmUp)
  const lows = lowest(measured)
  const slope = slopeOf(lows)
  const typical = lows.map(({ value }) => value).toSorted((a, b) => a - b)[lows.length >> 1]!
  const grown = slope.median * (measured.at(-1)!.at - measured[0]!.at)
  const isFlat = slope.least <= 0 || grown < tolerated * typical
  const share = ((100 * grown) / typical).toFixed(1)
  return {
    isFlat,
    text: `${what.padEnd(18)} ${mib(samples[0]!.value)} at first, ${mib(typical)} after warm-up, ${mib(samples.at(-1)!.value)} at last; ${share} % in ${((measured.at(-1)!.at - measured[0]!.at) / 60).toFixed(1)} min${isFlat ? "" : "  RISES"}`
  }
}

let step = 0
const price = (i: number) => `${1 + ((step * 7 + i) % 1000)}.${step % 100}5`
const changing = setInterval(() => {
  step++
  site.backend.body = Array.from({ length: rows }, (_, i) => ({
    symbol: `S${i}`,
    usd: (i + step) % 4 === 0 ? price(i) : price(0)
  }))
}, 1000 / changesPerSecond)
const chatting = setInterval(() => void site.say(`${step}`), 1000)

const pages = [await Page.open("socket"), await Page.open("stream"), await Page.open("changes")]
console.log(`${pages.length} pages, a road each, ${rows} rows, ${changesPerSecond} changes/s, ${minutes} min`)
for (let next = 0; now() < seconds; await pass(2_000)) {
  for (const page of pages) await page.sample()
  if (now() < next) continue
  next = now() + Math.max(10, seconds / 30)
  const shown = pages.map(
    ({ heap, resident, road }) => `${road} ${mib(heap.at(-1)!.value)} of ${mib(resident.at(-1)!.value)}`
  )
  console.log(
    `${now().toFixed(0).padStart(6)} s  ${shown.join(", ")}; revision ${site.daemon.hub.revision()}`
  )
}
clearInterval(changing)
clearInterval(chatting)
await pass(500)

const verdicts = pages.flatMap(({ heap, resident, road }) => [
  judged(`heap, ${road}`, heap),
  judged(`process, ${road}`, resident)
])
const wrong: Array<string> = []
for (const page of pages) if (!(await page.isRight())) wrong.push(page.road)
const drawn = await Promise.all(pages.map(({ drawn }) => drawn))
const readers = await site.readers()
await site.close()

console.log(`\n${verdicts.map(({ text }) => `  ${text}`).join("\n")}
  rows drawn         ${drawn.map((count) => count.toLocaleString("en")).join(", ")}
  connections        ${readers}`)
for (const road of wrong) console.error(`rows by ${road} are not the server's`)
const isFlat = verdicts.every(({ isFlat }) => isFlat)
console.log(isFlat ? "flat" : "memory rises")
process.exit(isFlat && wrong.length === 0 ? 0 : 1)
