/** What it costs to come, and to come back: everybody at once. */
import { join } from "node:path"

import { labelOf, requestOf, type Server, startRatecast } from "./Contestants.ts"
import { chosen, crowdOf } from "./FanOut.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import { type Line, median, pause, type Report } from "./Report.ts"

/** The cursors after each of so many commits. */
const cursorsOf = async (server: Server, count: number): Promise<ReadonlyArray<string>> => {
  const cursors: Array<string> = []
  for (let i = 0; i < count; i++) {
    await server.ask!("commits 1")
    const response = await fetch(`http://127.0.0.1:${server.port}/v1/changes?collections=rates`)
    const { cursor } = (await response.json()) as { readonly cursor: string }
    cursors.push(cursor)
  }
  await server.ask!("commits 1")
  return cursors
}

const profiling = async (server: Server, { profile }: Options, name: string, run: () => Promise<void>) => {
  if (profile === undefined || server.ask === undefined) return run()
  await server.ask("profile")
  await run()
  await server.ask(`profiled ${join(profile, `${name}.cpuprofile`)}`)
}

const arrivals = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  const rounds = Math.min(3, options.rounds)
  const measured = new Map<string, Array<{ readonly µs: number; readonly seconds: number }>>()
  const remarks = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    for (const contestant of chosen(options.against)) {
      const label = labelOf(contestant)
      if (contestant.missing !== undefined) {
        remarks.set(label, `not measured: ${contestant.missing}`)
        continue
      }
      report.progress(`${readers} at once to ${label}, run ${round + 1} of ${rounds}`)
      const server = await contestant.start()
      await pause(300)
      const before = server.cpu
      let seconds = 0
      let cpu = 0
      await profiling(
        server,
        round === 0 && contestant.name === "ratecast" ? options : { ...options, profile: undefined },
        `connect-${contestant.road}`,
        async () => {
          const crowd = await startReaders({
            ...crowdOf(contestant, server.port),
            readers,
            together: readers
          })
          await pause(500)
          seconds = crowd.connected.seconds
          cpu = server.cpu - before
          if (crowd.connected.lost > 0) remarks.set(label, `${crowd.connected.lost} connections lost`)
          crowd.kill()
        }
      )
      const all = measured.get(label) ?? []
      all.push({ µs: (cpu * 1e6) / readers, seconds })
      measured.set(label, all)
      server.kill()
    }
  }
  const cost = (label: string) => {
    const all = measured.get(label)
    return all === undefined ? undefined : median(all.map(({ µs }) => µs))
  }
  const bare = cost("bare node · SSE")
  const labels = chosen(options.against).map(labelOf)
  report.table(
    `${readers.toLocaleString("en")} connections at once, until the head of each answer; median of ${rounds} fresh servers`,
    labels.map((server): Line => {
      const µs = cost(server)
      return {
        server,
        "µs CPU each": µs,
        "× bare node": µs === undefined || bare === undefined ? undefined : µs / bare,
        "s until all": measured.has(server)
          ? median(measured.get(server)!.map(({ seconds }) => seconds))
          : undefined,
        remark: remarks.get(server)
      }
    })
  )
}

const herd = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  const lines: Array<Line> = []
  for (const [road, ready] of [
    ["SSE", "event: change"],
    ["WebSocket", '{"type":"change"']
  ] as const) {
    report.progress(`${readers} resume at 100 cursors, ${road}`)
    const server = await startRatecast(600)
    const cursors = await cursorsOf(server, 100)
    const before = server.cpu
    await server.ask!("loop")
    await profiling(server, options, `herd-${road}`, async () => {
      const crowd = await startReaders({
        port: server.port,
        readers,
        requests: cursors.map((cursor) =>
          requestOf(
            server.port,
            `/v1/${road === "SSE" ? "stream" : "socket"}?collections=rates&since=${cursor}`,
            road
          )
        ),
        counting: "marks",
        ready,
        together: readers
      })
      const { lost, p99, seconds } = crowd.connected
      const µs = ((server.cpu - before) * 1e6) / readers
      const loop = await server.ask!("loop")
      lines.push({
        road,
        "s until all have their change": seconds,
        "p99, ms": p99,
        "µs CPU each": µs,
        "loop held, ms": Number(loop["max"]),
        remark: lost > 0 ? `${lost} connections lost` : undefined
      })
      crowd.kill()
    })
    server.kill()
  }
  report.table(`a herd: ${readers.toLocaleString("en")} resume at once at 100 different cursors`, lines)
}

const snapshots = async (options: Options, report: Report) => {
  const rows = options.quick ? 4_000 : 42_000
  const lines: Array<Line> = []
  for (const headers of [[], ["Accept-Encoding: gzip"]]) {
    report.progress(`snapshots of ${rows} rows`)
    const server = await startRatecast(rows)
    await pause(1_000)
    await server.ask!("loop")
    const path = "/v1/stream?collections=rates"
    const before = server.cpu
    const crowd = await startReaders({
      port: server.port,
      readers: 100,
      requests: [requestOf(server.port, path, "SSE", headers)],
      counting: "marks",
      together: 100
    })
    await pause(3_000)
    const loop = await server.ask!("loop")
    const { bytes } = await crowd.count()
    lines.push({
      road: headers.length === 0 ? "SSE" : "SSE gzip",
      "kB each": bytes / 100 / 1000,
      "ms CPU each": ((server.cpu - before) * 1e3) / 100,
      "loop held, ms": Number(loop["max"])
    })
    crowd.kill()
    server.kill()
  }
  report.table(
    `100 readers at once get a snapshot of ${rows.toLocaleString("en")} rows, built on demand`,
    lines
  )
}

export const connections = async (options: Options, report: Report): Promise<void> => {
  await arrivals(options, report)
  await herd(options, report)
  await snapshots(options, report)
}
