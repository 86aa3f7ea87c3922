/** Bytes that reach one reader, over recordings of a public API, against what else could be sent. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"

import { requestOf } from "./Contestants.ts"
import { startDaemon, startUpstream } from "./Daemon.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import { type Line, pause, type Report } from "./Report.ts"

/** Not part of the project. */
const folder = join(import.meta.dirname, "../../shared/data/curve")

interface Recorded {
  /** s since 1970 */
  readonly at: number
  readonly body: object
}

interface Sent {
  plain: number
  gzip: number
}

const add = (sent: Sent, text: string) => {
  sent.plain += Buffer.byteLength(text)
  sent.gzip += gzipSync(text).length
}

type Compare = (before: object, after: object) => ReadonlyArray<object>
const compare = async (): Promise<Compare | undefined> => {
  try {
    const { default: library } = (await import("fast-json-patch" as string)) as {
      readonly default: { readonly compare: Compare }
    }
    return library.compare
  } catch {
    return undefined
  }
}

const measure = async (file: string, name: string, options: Options, report: Report) => {
  const all = gunzipSync(readFileSync(file))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded)
  const recorded = options.quick ? all.slice(0, 5) : all
  const patching = await compare()
  const polling: Sent = { plain: 0, gzip: 0 }
  const patches: Sent = { plain: 0, gzip: 0 }
  const snapshots: Sent = { plain: 0, gzip: 0 }
  // Everybody has the first answer already: what counts is what comes after.
  for (let i = 1; i < recorded.length; i++) {
    add(polling, JSON.stringify(recorded[i]!.body))
    if (patching !== undefined)
      add(patches, JSON.stringify(patching(recorded[i - 1]!.body, recorded[i]!.body)))
  }

  const upstream = await startUpstream("Recordings.ts", [file])
  const daemon = await startDaemon("curve.config.ts", upstream, 3_600_000)
  const { port } = daemon
  const path = "/v1/stream?collections=pools,coins,rewards"
  const follow = (headers: ReadonlyArray<string>) =>
    startReaders({
      port,
      readers: 1,
      requests: [requestOf(port, path, "SSE", headers)],
      counting: headers.length === 0 ? "marks" : "blocks",
      mark: "event: change"
    })
  const plain = await follow([])
  const gzip = await follow(["Accept-Encoding: gzip"])
  await pause(1_000)
  await plain.reset()
  await gzip.reset()
  for (let i = 1; i < recorded.length; i++) {
    report.progress(`${name}, answer ${i} of ${recorded.length - 1}`)
    await upstream.ask("next")
    const { status } = await fetch(`http://127.0.0.1:${port}/v1/refresh/pools`, { method: "POST" })
    if (status !== 200) throw new Error(`no poll was made: ${status}`)
    add(snapshots, await (await fetch(`http://127.0.0.1:${port}/v1/snapshot`)).text())
  }
  await pause(500)
  const plainCount = await plain.count()
  const gzipCount = await gzip.count()
  plain.kill()
  gzip.kill()
  daemon.kill()
  upstream.kill()

  const hours = (recorded.at(-1)!.at - recorded[0]!.at) / 3600
  const line = (what: string, { gzip, plain }: Sent, remark?: string): Line => ({
    "what is sent": what,
    "kB an hour": plain / hours / 1000,
    "% of polling": (100 * plain) / polling.plain,
    "gzip, kB an hour": gzip / hours / 1000,
    "% of polling, gzip": (100 * gzip) / polling.gzip,
    remark
  })
  const polls = recorded.length - 1
  report.table(
    `${name}: one reader, ${polls} polls over ${hours.toFixed(1)} h, ${(polling.plain / polls / 1000).toFixed(0)} kB each`,
    [
      line("the answer itself: raw polling", polling),
      line("the rows, whole, at each change", snapshots),
      patching === undefined
        ? {
            "what is sent": "JSON Patch of the answer",
            remark: "not measured: npm run bench -- --install-peers"
          }
        : line("JSON Patch of the answer", patches),
      line(
        "Ratecast, SSE",
        { plain: plainCount.bytes, gzip: gzipCount.bytes },
        `${plainCount.messages} changes`
      )
    ]
  )
}

export const wire = async (options: Options, report: Report): Promise<void> => {
  if (!existsSync(folder)) return report.note(`not measured: the recordings are not there (${folder})`)
  for (const name of ["ethereum.main", "ethereum.factory"])
    await measure(join(folder, `${name}.ndjson.gz`), name, options, report)
}
