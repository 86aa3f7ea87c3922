/**
 * The ratios by which a slower hot path shows, small enough for every run of the tests: CPU of the daemon over CPU of a
 * bare Node server in the same seconds, and State over `JSON.parse`. Never absolute times: those are the machine's.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { type Contestant, contestants } from "./Contestants.ts"
import { deliveringRatio } from "./Delivering.ts"
import { crowdOf } from "./FanOut.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import type { Report } from "./Report.ts"
import { stateFigures } from "./State.ts"
import { measureWindow } from "./Window.ts"

export type Ratios = { readonly [name: string]: number }

/** Of the last run that somebody looked at and found good. */
export const recorded = (): Ratios =>
  JSON.parse(readFileSync(join(import.meta.dirname, "recorded.json"), "utf8")) as Ratios

const readers = 300
const eventsPerSecond = 100

const costOf = async (contestant: Contestant, seconds: number): Promise<number> => {
  const server = await contestant.start()
  const crowd = await startReaders({ ...crowdOf(contestant, server.port), readers })
  const { counted, events, microseconds } = await measureWindow(
    server,
    crowd,
    () => server.go(200, eventsPerSecond),
    { seconds, profile: undefined }
  )
  crowd.kill()
  server.kill()
  // Cheap because nobody gets anything is not cheap.
  if (counted.lost > 0 || counted.least < events / 2)
    throw new Error(
      `${contestant.name}: ${counted.least} of ${events} events came, ${counted.lost} connections lost`
    )
  return microseconds
}

const named = (name: string, road: string): Contestant =>
  contestants.find((each) => each.name === name && each.road === road)!

export const fanOutRatios = async (seconds: number): Promise<Ratios> => {
  const bare = await costOf(named("bare node", "SSE"), seconds)
  const events = await costOf(named("ratecast", "SSE"), seconds)
  const sockets = await costOf(named("ratecast", "WebSocket"), seconds)
  return { "SSE fan-out over bare Node": events / bare, "WebSocket fan-out over bare Node": sockets / bare }
}

/** Without sockets: what is ours of an event to one reader of a thousand. */
export const deliveryRatios = async (): Promise<Ratios> => ({
  "handing a frame to a reader over encoding it (SSE)": await deliveringRatio("chunks"),
  "handing a frame to a reader over encoding it (WebSocket)": await deliveringRatio("socket"),
  "handing a frame to a reader over encoding it (SSE gzip)": await deliveringRatio("gzipChunks")
})

export const stateRatios = (): Ratios => {
  const figures = stateFigures()
  const ms = (start: string) => figures.find(({ name }) => name.startsWith(start))!.ms
  const parse = ms("JSON.parse")
  return {
    "diff of 42,000 rows over JSON.parse": ms("a poll with 2 % changed") / parse,
    "changesSince one commit of 840 rows over JSON.parse": ms("changesSince, one commit behind") / parse
  }
}

export const guard = async (options: Options, report: Report): Promise<void> => {
  const last = recorded()
  report.progress("fan-out and State")
  const ratios = { ...(await fanOutRatios(options.seconds)), ...(await deliveryRatios()), ...stateRatios() }
  report.table(
    "ratios that the tests look after, beside the recorded ones (bench/recorded.json)",
    Object.entries(ratios).map(([name, ratio]) => ({ ratio: name, now: ratio, recorded: last[name] }))
  )
}
