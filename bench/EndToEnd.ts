/** From the moment an upstream writes its answer to the moment a reader's socket has the change; and /livez meanwhile. */
import * as http from "node:http"

import { contestants, requestOf } from "./Contestants.ts"
import { startDaemon, startUpstream } from "./Daemon.ts"
import { waitedSeconds } from "./Cost.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import { type Line, pause, type Report } from "./Report.ts"

/** Five changes a second. */
const every = 200

/** How long /livez takes, asked over and over on one connection, ms. */
const livez = async (port: number, milliseconds: number): Promise<ReadonlyArray<number>> => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const took: Array<number> = []
  const until = performance.now() + milliseconds
  while (performance.now() < until) {
    const began = performance.now()
    await new Promise<void>((done, fail) => {
      http
        .get({ host: "127.0.0.1", port, path: "/livez", agent }, (response) =>
          response.resume().on("end", done)
        )
        .on("error", fail)
    })
    took.push(performance.now() - began)
    await pause(7)
  }
  agent.destroy()
  return took
}

const quantile = (all: ReadonlyArray<number>, share: number) =>
  all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))]!

export const endToEnd = async (options: Options, report: Report): Promise<void> => {
  const seconds = options.quick ? 2 : 15
  for (const readers of options.readers) {
    const lines: Array<Line> = []
    const floor = contestants.find(({ name }) => name === "floor")!
    if (floor.missing === undefined) {
      report.progress(`${readers} readers, floor`)
      const server = await floor.start()
      const requests = [floor.request(server.port)]
      const crowd = await startReaders({ port: server.port, readers, requests, counting: "stamps" })
      await server.go(2_000, 1000 / every)
      await pause(500)
      await crowd.reset()
      await pause(seconds * 500)
      const { p50, p99, p999 } = await crowd.count()
      lines.push({ road: "floor: from one write loop", "p50, ms": p50, "p99, ms": p99, "p99.9, ms": p999 })
      crowd.kill()
      server.kill()
    }
    for (const road of ["SSE", "WebSocket"] as const) {
      report.progress(`${readers} readers, ${road}`)
      const upstream = await startUpstream("Upstream.ts", ["600", "stamped"])
      const daemon = await startDaemon("market.config.ts", upstream, every)
      const { port } = daemon
      const path = `/v1/${road === "SSE" ? "stream" : "socket"}?collections=rows`
      const crowd = await startReaders({
        port,
        readers,
        requests: [requestOf(port, path, road)],
        counting: "stamps"
      })
      await pause(2_000)
      await crowd.reset()
      await daemon.ask!("loop")
      const waitedBefore = waitedSeconds(daemon.pid)
      const alone = await livez(port, seconds * 1000)
      const { least, lost, most, p50, p99, p999 } = await crowd.count()
      const loop = await daemon.ask!("loop")
      const waited = (waitedSeconds(daemon.pid) - waitedBefore) / seconds
      lines.push({
        road,
        "p50, ms": p50,
        "p99, ms": p99,
        "p99.9, ms": p999,
        "/livez p99, ms": quantile(alone, 0.99),
        "loop held, ms": Number(loop["max"]),
        remark: [
          `${least} to ${most} changes each`,
          ...(lost > 0 ? [`${lost} connections lost`] : []),
          ...(waited > 0.05 ? [`others had its core for ${Math.round(100 * waited)} % of the time`] : [])
        ].join("; ")
      })
      crowd.kill()
      daemon.kill()
      upstream.kill()
    }
    report.table(
      `${readers.toLocaleString("en")} readers, ${1000 / every} polls a second of 600 rows, 13 of them changed: from the upstream's socket to the reader's`,
      lines
    )
  }
}
