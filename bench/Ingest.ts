/** A poll, from the upstream's body to the commit, against `JSON.parse` of the same body alone. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { requestOf, type Server, startNode } from "./Contestants.ts"
import { startDaemon, startUpstream } from "./Daemon.ts"
import { keyOf } from "./Event.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import { type Line, median, pause, type Report } from "./Report.ts"

const poll = async ({ port }: Server) => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/refresh/rows`, { method: "POST" })
  const { refreshed } = (await response.json()) as { readonly refreshed?: boolean }
  if (response.status !== 200 || refreshed !== true) throw new Error(`no poll was made: ${response.status}`)
  // What comes after the commit: the readers' frames, and the garbage.
  await pause(150)
}

const daemon = async (rows: number, polls: number, options: Options, data: string) => {
  const upstream = await startUpstream("Upstream.ts", [String(rows)])
  const server = await startDaemon("market.config.ts", upstream, 3_600_000, { RATECAST_DATA: data })
  await pause(500)
  const first = Number((await server.ask!("loop"))["max"])
  const { port } = server
  const crowd = await startReaders({
    port,
    readers: 100,
    requests: [requestOf(port, `/v1/stream?collections=rows&keys=${keyOf(1)}`, "SSE")],
    counting: "marks"
  })
  for (let i = 0; i < 3; i++) await poll(server)
  const cpu: Array<number> = []
  const held: Array<number> = []
  for (let i = 0; i < polls; i++) {
    await server.ask!("loop")
    const before = server.cpu
    await poll(server)
    cpu.push((server.cpu - before) * 1000)
    held.push(Number((await server.ask!("loop"))["max"]))
  }
  if (options.profile !== undefined) {
    // In polls of their own: a profile costs by itself.
    await server.ask!("profile")
    for (let i = 0; i < polls; i++) await poll(server)
    await server.ask!(`profiled ${join(options.profile, `ingest-${rows}.cpuprofile`)}`)
  }
  const megabytes = Number((await upstream.ask("asked"))["bytes"]) / 1e6
  crowd.kill()
  server.kill()
  upstream.kill()
  return { cpu: median(cpu), first, held: Math.max(...held), usual: median(held), megabytes }
}

const reference = async (rows: number, polls: number) => {
  const server = await startNode("reference", [
    join(import.meta.dirname, "servers/Reference.ts"),
    String(rows)
  ])
  const ms = async (command: string, rounds: number) =>
    Number((await server.ask!(`${command} ${rounds}`))["ms"])
  const parse = await ms("parse", polls * 2)
  const whole = await ms("whole", polls)
  const { missing } = await patchLibrary()
  const patch = missing === undefined ? await ms("patch", Math.max(2, polls / 2)) : undefined
  server.kill()
  return { parse, whole, patch, missing }
}

const patchLibrary = async (): Promise<{ readonly missing: string | undefined }> => {
  try {
    await import("fast-json-patch" as string)
    return { missing: undefined }
  } catch {
    return { missing: "npm run bench -- --install-peers" }
  }
}

export const ingest = async (options: Options, report: Report): Promise<void> => {
  const polls = options.quick ? 2 : 9
  for (const rows of options.quick ? [600] : [600, 10_000, 42_000]) {
    report.progress(`${rows} rows, others`)
    const others = await reference(rows, polls)
    report.progress(`${rows} rows, the daemon`)
    const own = await daemon(rows, polls, options, "none")
    report.progress(`${rows} rows, the daemon with its journal`)
    const folder = mkdtempSync(join(tmpdir(), "ratecast-bench-data-"))
    const journal = await daemon(rows, polls, { ...options, profile: undefined }, folder)
    rmSync(folder, { recursive: true, force: true })
    const line = (what: string, ms: number | undefined, more: Line = {}): Line => ({
      "what is done": what,
      "ms CPU": ms,
      "× JSON.parse": ms === undefined ? undefined : ms / others.parse,
      ...more
    })
    const held = (each: typeof own): Line => ({
      "loop held, ms": each.usual,
      "at most": each.held,
      "at the first load": each.first
    })
    report.table(
      `a poll of ${rows.toLocaleString("en")} rows, ${own.megabytes.toFixed(1)} MB, 2 % changed; median of ${polls}`,
      [
        line("JSON.parse of the buffer", others.parse),
        line("Ratecast: over HTTP, read, checked, compared, committed, cast", own.cpu, held(own)),
        line("the same with its journal in a file", journal.cpu, held(journal)),
        line("JSON.parse, every row compared as text", others.whole),
        line(
          "JSON.parse, fast-json-patch compare",
          others.patch,
          others.missing === undefined ? {} : { remark: `not measured: ${others.missing}` }
        )
      ]
    )
  }
}
