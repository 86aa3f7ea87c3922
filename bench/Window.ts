/** What a server costs while it casts: CPU by delivered event, over a stretch of time in the middle of the casting. */
import { join } from "node:path"

import type { Server } from "./Contestants.ts"
import { waitedSeconds } from "./Cost.ts"
import type { Options } from "./Options.ts"
import type { Counted, Readers } from "./Readers.ts"
import { pause } from "./Report.ts"

export interface Measured {
  /** µs of server CPU for one event to one reader. */
  readonly microseconds: number
  /** On the wire, for one event to one reader. */
  readonly wireBytes: number
  /** What every reader should have got, and what the unluckiest got. */
  readonly events: number
  readonly counted: Counted
  /** Of the server's core, 0 to 1. */
  readonly load: number
  /** Of the time, 0 to 1, in which the server was ready and somebody else had its core. */
  readonly waited: number
  /** Of the load generator's core, 0 to 1: above 0.9 it may be what holds the rest up. */
  readonly readersLoad: number
}

const warmUp = 500
const settle = 400

/** `go` starts the casting; `profile` names the file to write one to. */
export const measureWindow = async (
  server: Server,
  readers: Readers,
  go: () => Promise<unknown>,
  { profile, seconds }: Pick<Options, "profile" | "seconds">,
  name?: string
): Promise<Measured> => {
  await readers.reset()
  await go()
  await pause(warmUp)
  const profiled = profile !== undefined && name !== undefined && server.ask !== undefined
  if (profiled) await server.ask!("profile")
  const before = await readers.count()
  const cpuBefore = server.cpu
  const readersBefore = readers.cpu
  const waitedBefore = waitedSeconds(server.pid)
  const began = performance.now()
  await pause(seconds * 1000)
  const cpu = server.cpu - cpuBefore
  const readersCpu = readers.cpu - readersBefore
  const waited = waitedSeconds(server.pid) - waitedBefore
  const elapsed = (performance.now() - began) / 1000
  const after = await readers.count()
  if (profiled) await server.ask!(`profiled ${join(profile, `${name}.cpuprofile`)}`)
  const { events } = await server.stop()
  await pause(settle)
  const delivered = after.messages - before.messages
  return {
    microseconds: (cpu * 1e6) / delivered,
    wireBytes: (after.bytes - before.bytes) / delivered,
    events,
    counted: await readers.count(),
    load: cpu / elapsed,
    waited: waited / elapsed,
    readersLoad: readersCpu / elapsed
  }
}

/** What a reader of the table has to know about who got what; nothing where everybody got everything. */
export const remarkOn = (all: ReadonlyArray<Measured>): string | undefined => {
  const remarks: Array<string> = []
  const worst = all.find(({ counted, events }) => counted.least < events || counted.most > events)
  if (worst !== undefined) {
    const { least, most } = worst.counted
    remarks.push(`readers got ${least} to ${most} of ${worst.events} events`)
  }
  const lost = Math.max(...all.map(({ counted }) => counted.lost))
  if (lost > 0) remarks.push(`${lost} connections lost`)
  if (all.some(({ readersLoad }) => readersLoad > 0.9)) remarks.push("the load generator was full")
  if (all.some(({ load }) => load > 0.95)) remarks.push("the server was full")
  const waited = Math.max(...all.map((each) => each.waited))
  if (waited > 0.1) remarks.push(`others had its core for up to ${Math.round(100 * waited)} % of a run`)
  return remarks.length === 0 ? undefined : remarks.join("; ")
}
