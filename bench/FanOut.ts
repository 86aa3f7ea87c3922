/** Fan-out: what one event costs the server per reader, on both roads, against what people use instead. */
import { connect } from "node:net"

import { type Contestant, contestants, labelOf, type Server } from "./Contestants.ts"
import type { Options } from "./Options.ts"
import { type Crowd, type Readers, startReaders } from "./Readers.ts"
import { type Line, median, pause, type Report } from "./Report.ts"
import { type Measured, measureWindow, remarkOn } from "./Window.ts"

/** Events to readers in a second: a third of a core for the best, all of it for none. */
const deliveries = 40_000

export const chosen = (against: ReadonlyArray<string>): ReadonlyArray<Contestant> =>
  against.length === 0
    ? contestants
    : contestants.filter(({ name }) => name.startsWith("ratecast") || against.includes(name))

/** The head of the answer to a request. */
const headOf = (port: number, request: string): Promise<string> =>
  new Promise((done, fail) => {
    let text = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(request, "latin1"))
    socket.setEncoding("latin1")
    socket.on("error", fail).on("data", (data: string) => {
      text += data
      const end = text.indexOf("\r\n\r\n")
      if (end === -1) return
      socket.destroy()
      done(text.slice(0, end).toLowerCase())
    })
  })

/** What was asked for and not granted. */
const refused = async ({ name, request }: Contestant, { port }: Server): Promise<string | undefined> => {
  const wanted = { "ratecast gzip": "content-encoding: gzip", "ratecast deflate": "permessage-deflate" }[name]
  if (wanted === undefined) return undefined
  return (await headOf(port, request(port))).includes(wanted) ? undefined : "not negotiated by the server"
}

/** Readers of a contestant. */
export const crowdOf = (
  { counting, greeting, ready, request }: Contestant,
  port: number
): Omit<Crowd, "readers"> => ({ port, requests: [request(port)], counting, greeting, ready })

interface Entrant {
  readonly contestant: Contestant
  readonly server: Server
  readonly readers: Readers
  readonly measured: Array<Measured>
}

const enter = async (contestant: Contestant, readers: number): Promise<Entrant | string> => {
  const server = await contestant.start()
  const why = await refused(contestant, server)
  if (why !== undefined) {
    server.kill()
    return why
  }
  return {
    contestant,
    server,
    readers: await startReaders({ ...crowdOf(contestant, server.port), readers }),
    measured: []
  }
}

const compare = async (readers: number, bytes: number, options: Options, report: Report) => {
  const entrants: Array<Entrant> = []
  const absent: Array<Line> = []
  for (const contestant of chosen(options.against)) {
    const label = labelOf(contestant)
    report.progress(`${readers} readers connect to ${label}`)
    const entered = contestant.missing ?? (await enter(contestant, readers))
    if (typeof entered === "string") absent.push({ server: label, remark: `not measured: ${entered}` })
    else entrants.push(entered)
  }
  await pause(1_000)
  const rate = Math.max(1, Math.min(50, deliveries / readers))
  for (let round = -1; round < options.rounds; round++) {
    for (const { contestant, measured, readers: crowd, server } of entrants) {
      const label = labelOf(contestant)
      report.progress(`${readers} readers, ${bytes} bytes, ${label}, run ${round + 1} of ${options.rounds}`)
      const isLast = round === options.rounds - 1
      const one = await measureWindow(
        server,
        crowd,
        () => server.go(bytes, rate),
        // The first run only warms up; a profile is taken in one more, as it costs by itself.
        round === -1 ? { ...options, profile: undefined, seconds: 0.5 } : { ...options, profile: undefined }
      )
      if (round >= 0) measured.push(one)
      if (isLast && options.profile !== undefined && contestant.name.startsWith("ratecast"))
        await measureWindow(
          server,
          crowd,
          () => server.go(bytes, rate),
          options,
          `fan-out-${label.replaceAll(/\W+/g, "-")}-${readers}-${bytes}`
        )
    }
  }
  const cost = (name: string, road?: string) => {
    const found = entrants.find(
      ({ contestant }) => contestant.name === name && (road === undefined || contestant.road === road)
    )
    return found === undefined ? undefined : median(found.measured.map((each) => each.microseconds))
  }
  const floor = cost("floor")
  const lines = entrants.map(({ contestant, measured }): Line => {
    const µs = median(measured.map((each) => each.microseconds))
    const ratecast = cost("ratecast", contestant.road)
    return {
      server: labelOf(contestant),
      version: contestant.version,
      "µs CPU": µs,
      "× floor": floor === undefined ? undefined : µs / floor,
      "× ratecast": ratecast === undefined ? undefined : µs / ratecast,
      spread: `${Math.min(...measured.map((each) => each.microseconds)).toFixed(2)} to ${Math.max(...measured.map((each) => each.microseconds)).toFixed(2)}`,
      bytes: Math.round(median(measured.map((each) => each.wireBytes))),
      remark: remarkOn(measured)
    }
  })
  report.table(
    `${readers.toLocaleString("en")} readers, events of ${bytes} bytes, ${rate} a second; median of ${options.rounds} alternating runs of ${options.seconds} s`,
    [...lines, ...absent]
  )
  for (const { readers: crowd, server } of entrants) {
    crowd.kill()
    server.kill()
  }
  await pause(300)
}

export const fanOut = async (options: Options, report: Report): Promise<void> => {
  for (const readers of options.readers)
    for (const bytes of options.bytes) await compare(readers, bytes, options, report)
}
