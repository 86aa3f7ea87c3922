/** Readers that are not all alike: many queries, many keys, some that stall, some that are new. */
import { join } from "node:path"

import { requestOf, type Server, startRatecast } from "./Contestants.ts"
import { keyOf } from "./Event.ts"
import type { Options } from "./Options.ts"
import { type Crowd, type Readers, startReaders } from "./Readers.ts"
import { type Line, median, pause, type Report } from "./Report.ts"
import { type Measured, measureWindow, remarkOn } from "./Window.ts"
import { Zipf } from "./Zipf.ts"

interface Staged {
  readonly name: string
  readonly server: Server
  readonly crowd: Readers
  readonly go: () => Promise<unknown>
  readonly measured: Array<Measured>
}

const stage = async (
  name: string,
  rows: number,
  paths: ReadonlyArray<string>,
  go: (server: Server) => Promise<unknown>,
  crowd: Partial<Crowd> & Pick<Crowd, "readers">,
  spare = 0
): Promise<Staged> => {
  const server = await startRatecast(rows, spare)
  const { port } = server
  const requests = paths.map((path) => requestOf(port, path, "SSE"))
  return {
    name,
    server,
    crowd: await startReaders({ port, requests, counting: "stamps", ...crowd }),
    go: () => go(server),
    measured: []
  }
}

/** Alternating runs of all; each in turn, the rest waits. */
const rounds = async (staged: ReadonlyArray<Staged>, options: Options, report: Report) => {
  await pause(1_000)
  for (let round = -1; round < options.rounds; round++) {
    for (const { crowd, go, measured, name, server } of staged) {
      report.progress(`${name}, run ${round + 1} of ${options.rounds}`)
      const one = await measureWindow(server, crowd, go, { ...options, profile: undefined })
      if (round >= 0) measured.push(one)
    }
  }
  if (options.profile !== undefined)
    for (const { crowd, go, name, server } of staged)
      await measureWindow(server, crowd, go, options, `cohorts-${name.replaceAll(/\W+/g, "-")}`)
}

const end = (staged: ReadonlyArray<Staged>) => {
  for (const { crowd, server } of staged) {
    crowd.kill()
    server.kill()
  }
}

const costOf = ({ measured }: Staged) => median(measured.map(({ microseconds }) => microseconds))

const queries = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  const staged: Array<Staged> = []
  for (const count of [1, 10, 100, 1_000].filter((count) => count <= readers)) {
    report.progress(`${readers} readers of ${count} queries`)
    const paths = Array.from(
      { length: count },
      (_, i) => `/v1/stream?collections=rates&keys=first,${keyOf(i)}`
    )
    const rate = Math.max(1, Math.min(50, 40_000 / readers))
    // Everybody gets the same one row, and has another one that does not change.
    staged.push(
      await stage(`${count} queries`, 1_000, paths, (server) => server.go(200, rate), {
        readers
      })
    )
  }
  await rounds(staged, options, report)
  const one = costOf(staged[0]!)
  report.table(
    `${readers.toLocaleString("en")} readers over distinct queries, SSE, everybody gets every event of 200 bytes`,
    staged.map((each): Line => ({
      queries: each.name.split(" ")[0],
      "µs CPU": costOf(each),
      "× one query": costOf(each) / one,
      remark: remarkOn(each.measured)
    }))
  )
  end(staged)
}

const keys = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  const rows = options.quick ? 4_200 : 42_000
  const zipf = new Zipf(rows, 1)
  // Without snapshots: 42,000 rows for each of 10,000 are 27 GB.
  report.progress(`${readers} readers with 20 keys each`)
  const own = Array.from(
    { length: readers },
    () => `/v1/stream?collections=rates&since=now&keys=${[...zipf.keys(20)].join(",")}`
  )
  const counting = { readers, counting: "marks", mark: "event: change" } as const
  const staged = [
    await stage(
      "one query",
      rows,
      ["/v1/stream?collections=rates&since=now"],
      (server) => server.go(200, 4),
      {
        readers
      }
    ),
    await stage("20 keys each", rows, own, async (server) => server.ask!("zipf 20 4"), counting),
    await stage("nobody's keys", rows, own, async (server) => server.ask!("nobody 840 20"), counting, 840)
  ]
  await rounds(staged, options, report)
  const [one, each, nobody] = staged as [Staged, Staged, Staged]
  const delivered = median(each.measured.map(({ counted, events }) => counted.messages / events))
  report.table(
    `${readers.toLocaleString("en")} readers, each with 20 of ${rows.toLocaleString("en")} keys (Zipf); commits of 20 keys that people ask for`,
    [
      {
        readers: "one query for all",
        "µs CPU": costOf(one),
        "× one query": 1,
        remark: remarkOn(one.measured)
      },
      {
        readers: "20 different keys each",
        "µs CPU": costOf(each),
        "× one query": costOf(each) / costOf(one),
        remark: `a commit concerns ${Math.round(delivered)} readers`
      }
    ]
  )
  // Nothing is delivered: CPU is by commit, and what the process does anyway is in it.
  report.table(
    `a commit of 840 rows that nobody asks for, ${readers.toLocaleString("en")} readers connected`,
    [
      {
        "ms CPU by commit": median(nobody.measured.map(({ load }) => (load * 1000) / 20)),
        remark: nobody.measured.some(({ counted }) => counted.messages > 0)
          ? "and yet somebody got it"
          : undefined
      }
    ]
  )
  end(staged)
}

const stalled = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  const paths = ["/v1/stream?collections=rates"]
  const cast = (server: Server) => server.go(2_000, Math.max(1, Math.min(50, 40_000 / readers)))
  report.progress(`${readers} readers, one in a hundred stalls`)
  const staged = [
    await stage("nobody stalls", 1_000, paths, cast, { readers }),
    await stage("1 % stalls", 1_000, paths, cast, { readers, stalled: Math.ceil(readers / 100) })
  ]
  const before = await Promise.all(
    staged.map(async ({ server }) => (await server.ask!("collect"), server.kiB))
  )
  await rounds(staged, options, report)
  const after = await Promise.all(
    staged.map(async ({ server }) => (await server.ask!("collect"), server.kiB))
  )
  report.table(
    `${readers.toLocaleString("en")} readers of which 1 % take nothing; events of 2,000 bytes; what the others notice`,
    staged.map((each, i): Line => ({
      readers: each.name,
      "µs CPU": costOf(each),
      "p50, ms": median(each.measured.map(({ counted }) => counted.p50)),
      "p99, ms": median(each.measured.map(({ counted }) => counted.p99)),
      "memory grew, MiB": (after[i]! - before[i]!) / 1024,
      remark: remarkOn(each.measured)
    }))
  )
  end(staged)
}

const newcomers = async (options: Options, report: Report) => {
  const readers = Math.max(...options.readers)
  report.progress(`${readers} newcomers during commits`)
  const server = await startRatecast(600)
  const { port } = server
  const requests = [requestOf(port, "/v1/stream?collections=rates", "SSE")]
  const standing = await startReaders({ port, readers: 100, requests, counting: "stamps" })
  await server.ask!("loop")
  await server.go(2_000, 4)
  await pause(1_000)
  const calm = await standing.count()
  await standing.reset()
  const before = server.cpu
  if (options.profile !== undefined) await server.ask!("profile")
  const crowd = await startReaders({
    port,
    readers,
    requests,
    counting: "stamps",
    together: readers,
    ready: "event: snapshot"
  })
  const cpu = server.cpu - before
  if (options.profile !== undefined)
    await server.ask!(`profiled ${join(options.profile, "cohorts-newcomers.cpuprofile")}`)
  const storm = await standing.count()
  const loop = await server.ask!("loop")
  await crowd.reset()
  await pause(2_000)
  const { lost } = await crowd.count()
  await server.stop()
  report.table(
    `${readers.toLocaleString("en")} newcomers at once, snapshots of 600 rows, during 4 commits a second`,
    [
      {
        "s until all have theirs": crowd.connected.seconds,
        "µs CPU each": (cpu * 1e6) / readers,
        "loop held, ms": Number(loop["max"]),
        "p99 of 100 others, calm, ms": calm.p99,
        "p99 in the storm, ms": storm.p99,
        remark: lost > 0 ? `${lost} connections lost` : undefined
      }
    ]
  )
  crowd.kill()
  standing.kill()
  server.kill()
}

export const cohorts = async (options: Options, report: Report): Promise<void> => {
  await queries(options, report)
  await keys(options, report)
  await stalled(options, report)
  await newcomers(options, report)
}
