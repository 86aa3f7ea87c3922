/** `npm run attack`: a daemon with its own limits is attacked from many sides; a table says what its readers noticed. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import { parseArgs, promisify } from "node:util"
import * as zlib from "node:zlib"

import { Backend, freePort, until } from "../Daemon.ts"
import { ratecast } from "../Process.ts"
import { attack, attacks, type Outcome } from "./Attacks.ts"
import { Beside } from "./Beside.ts"

const upstreamBombs = ["gzip", "br", "zstd"] as const
const names = [...Object.keys(attacks), ...upstreamBombs]
const { values } = parseArgs({
  options: {
    only: { type: "string", default: names.join() },
    scale: { type: "string", default: "1" },
    as: { type: "string" },
    port: { type: "string", default: "0" },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run attack -- [--only ${names.join()}] [--scale 0.1]

  Attacks a daemon that has its own limits, from other addresses of the loopback network (Linux), while twenty readers read
  and /livez is asked ten times a second. Prints what was measured, and fails where a reader noticed, a connection of an
  attacker outlived its time, or memory grew by more than 128 MiB. At full size it takes three minutes and 12,000 file
  descriptors.

  npm run attack -- --scale 0.1
  npm run attack -- --only silent,heads`)
  process.exit(0)
}
const scale = Number(values.scale)
const only = values.only.split(",")
const unknown = only.find((name) => !names.includes(name))
if (unknown !== undefined || !(scale > 0 && scale <= 1)) {
  console.error(
    unknown === undefined
      ? `--scale ${values.scale}: more than 0, at most 1`
      : `--only ${unknown}: there are ${names.join(", ")}`
  )
  process.exit(1)
}

// An attacker, in a process of its own, so that its work is not taken for the daemon's.
if (values.as !== undefined) {
  const count = Math.ceil(attacks[values.as]!.count * scale)
  console.log(JSON.stringify(await attack(values.as, Number(values.port), count)))
  process.exit(0)
}

/** 200 MB of one letter, and what it takes to say so. */
const packed: { readonly [encoding: string]: Buffer } = Object.fromEntries(
  upstreamBombs
    .filter((name) => only.includes(name))
    .map((name) => {
      const plain = Buffer.alloc(200_000_000, "x")
      const pack = { gzip: zlib.gzipSync, br: zlib.brotliCompressSync, zstd: zlib.zstdCompressSync }[name]
      return [name, pack(plain)]
    })
)

let bombed: string | undefined
let n = 0
let polls = 0
const upstream = await new Backend().start()
upstream.handler = (request, response) => {
  if (request.url === "/ticks") polls++
  if (request.url === "/wide")
    response.end(
      JSON.stringify(Array.from({ length: 80 }, (_, i) => ({ id: `w${i}`, text: "x".repeat(300_000) })))
    )
  else if (request.url === "/packed" && bombed !== undefined)
    response.writeHead(200, { "content-encoding": bombed }).end(packed[bombed])
  else
    response.end(
      JSON.stringify(request.url === "/ticks" ? [{ id: "t", n: ++n, at: Date.now() }] : [{ id: "a" }])
    )
}

const port = await freePort()
const url = `http://127.0.0.1:${port}`
// Process raises limits for other tests; here they are what they are.
const daemon = ratecast(
  ["serve", "--config", `${import.meta.dirname}/ratecast.config.ts`],
  {
    PORT: String(port),
    ATTACK_UPSTREAM: upstream.url,
    MAX_CONNECTIONS_PER_ADDRESS: "100",
    ANONYMOUS_WRITE: "chat",
    ANONYMOUS_REFRESH: "ticks",
    LOG_FORMAT: "json"
  },
  15_000
)
process.once("exit", () => daemon.kill())
const isReady = () =>
  new Promise<boolean>((done) => {
    const asking = http.get(`${url}/readyz`, { agent: false }, (response) => {
      response.resume()
      done(response.statusCode === 200)
    })
    asking.on("error", () => done(false))
  })
await until("ready", isReady, 20_000)
// Read once, so that its frame is there before anybody asks for it.
await (await fetch(`${url}/v1/snapshot?collections=wide`)).text()

const resident = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid!}/status`, "utf8"))![1])
const beside = await Beside.open(url, resident)

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms))
const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? NaN

const rows: Array<ReadonlyArray<string>> = []
let failures = 0
const mostGrowth = 128

const measure = async (
  name: string,
  run: () => Promise<{ readonly closed: string; readonly isGood: boolean }>
) => {
  await beside.since(() => n)
  const [before, pollsBefore, began] = [resident(), polls, performance.now()]
  const { closed, isGood } = await run()
  const seen = await beside.since(() => n)
  const grown = (seen.resident - before) / 1024
  const isFine = isGood && seen.lost === 0 && seen.failedProbes === 0 && grown <= mostGrowth
  if (!isFine) failures++
  rows.push([
    attacks[name]?.what ?? name,
    closed,
    `${grown.toFixed(0)} MiB`,
    `${quantile(seen.lags, 0.5).toFixed(0)} / ${quantile(seen.lags, 0.99).toFixed(0)} / ${Math.max(...seen.lags)} ms`,
    String(seen.lost),
    `${quantile(seen.probes, 0.99).toFixed(0)} / ${Math.max(...seen.probes).toFixed(0)} ms${seen.failedProbes > 0 ? `, ${seen.failedProbes} failed` : ""}`,
    `${((polls - pollsBefore) / ((performance.now() - began) / 1_000)).toFixed(1)}/s`,
    isFine ? "" : "FAILED"
  ])
  if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${closed} `)
}

const run = promisify(execFile)
await measure("nobody", async () => {
  await sleep(5_000)
  return { closed: "", isGood: true }
})
for (const name of only) {
  if (attacks[name] === undefined) {
    await measure(
      `an upstream that answers 200 MB as ${packed[name]!.length.toLocaleString("en")} bytes of ${name}`,
      async () => {
        bombed = name
        await sleep(5_000)
        bombed = undefined
        const metrics = await (await fetch(`${url}/metrics`)).text()
        const refused = /upstream_polls_total\{[^}]*outcome="upstream_too_large"[^}]*\} (\d+)/.exec(
          metrics
        )?.[1]
        return { closed: `${refused ?? 0} refused`, isGood: refused !== undefined }
      }
    )
    continue
  }
  await measure(name, async () => {
    const args = [
      `${import.meta.dirname}/main.ts`,
      "--as",
      name,
      "--port",
      String(port),
      "--scale",
      values.scale
    ]
    const { stdout } = await run(process.execPath, args)
    const { answers, closed, longest, opened } = JSON.parse(stdout) as Outcome
    const said = Object.entries(answers)
      .map(([line, count]) => `${line.slice(9)}: ${count}`)
      .join(", ")
    return {
      closed: `${closed} of ${opened} after ${longest.toFixed(1)} s at most${said === "" ? "" : ` (${said})`}`,
      isGood: !attacks[name]!.allClosed || closed === opened
    }
  })
}
beside.close()

const complaints = daemon.out.split("\n").filter((line) => /"level":"(ERROR|FATAL)"/i.test(line))
daemon.child.kill("SIGTERM")
await daemon.exit
await upstream.close()

const head = ["attack", "closed", "memory +", "lag p50 / p99 / max", "lost", "/livez p99 / max", "polls", ""]
const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)))
for (const row of [head, ...rows])
  console.log(
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd()
  )
for (const line of [...complaints, ...(daemon.err === "" ? [] : [daemon.err])])
  console.error(line.slice(0, 500))
console.log(
  `\n20 readers beside, ${scale === 1 ? "full size" : `scale ${scale}`}; ${failures + complaints.length === 0 ? "nobody noticed" : `${failures} failed, ${complaints.length} errors in the log`}`
)
process.exit(failures + complaints.length === 0 ? 0 : 1)
