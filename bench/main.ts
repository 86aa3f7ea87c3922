/** `npm run bench`: prints what was measured in this run, with machine and versions, and nothing else. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { parseArgs } from "node:util"

import { cores, killAll, taskset } from "./Child.ts"
import { cohorts } from "./Cohorts.ts"
import { connections } from "./Connections.ts"
import { contestants } from "./Contestants.ts"
import { endToEnd } from "./EndToEnd.ts"
import { fanOut } from "./FanOut.ts"
import { guard } from "./Guard.ts"
import { ingest } from "./Ingest.ts"
import { memory } from "./Memory.ts"
import { load } from "./Native.ts"
import type { Options } from "./Options.ts"
import { Report } from "./Report.ts"
import { state } from "./State.ts"
import { wire } from "./Wire.ts"

const scenarios = {
  "fan-out": { run: fanOut, says: "one event to one reader, against what people use instead" },
  cohorts: { run: cohorts, says: "many queries, many keys, stalled readers, newcomers during commits" },
  memory: { run: memory, says: "resident memory of an idle reader" },
  connect: { run: connections, says: "10,000 at once, and a herd that resumes at 100 cursors" },
  ingest: { run: ingest, says: "a poll from body to commit, against JSON.parse" },
  "end-to-end": { run: endToEnd, says: "from the upstream's socket to the reader's, and /livez meanwhile" },
  wire: { run: wire, says: "bytes on the wire, against polling, JSON Patch and whole snapshots" },
  state: { run: state, says: "what State costs, in one process" },
  guard: { run: guard, says: "the ratios that the tests look after" }
} as const

type Name = keyof typeof scenarios
const names = Object.keys(scenarios) as ReadonlyArray<Name>

const help = `npm run bench -- [options]

Server and load generator are processes of their own, each on a core of its own. Cost is user and system time of the
server by the operating system's account. Read ratios within one run, not absolute times.

  --only a,b         scenarios (default: all)
${names.map((name) => `                       ${name.padEnd(12)} ${scenarios[name].says}`).join("\n")}
  --against a,b      servers beside Ratecast in fan-out, memory and connect (default: all that are installed)
                       ${[...new Set(contestants.map(({ name }) => name).filter((name) => !name.startsWith("ratecast")))].join(", ")}
  --readers a,b      default: 1000,10000
  --bytes a,b        of an event; default: 200,2000
  --rounds n         alternating runs, of which the median counts; default: 5
  --seconds n        of one run; default: 2
  --quick            everything small and once, in a few minutes: whether it works, not what it costs
  --json             a line of JSON for each row
  --profile folder   writes CPU profiles of Ratecast there, for Chrome's or VS Code's viewer
  --install-peers    installs what Ratecast is compared with, into bench/node_modules, and ends
  --help

Examples
  npm run bench -- --install-peers                       once, before the first run
  npm run bench -- --only fan-out --readers 10000        the table in the README
  npm run bench -- --only fan-out --against floor,ws     just these two beside Ratecast
  npm run bench -- --only ingest --profile /tmp/profiles what holds it up
  npm run bench -- --quick --json > run.ndjson           for a script

Nchan is measured where nginx has it (Debian: apt-get install libnginx-mod-nchan).`

const fail = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const parsed = () => {
  try {
    return parseArgs({
      options: {
        only: { type: "string" },
        against: { type: "string" },
        readers: { type: "string" },
        bytes: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        profile: { type: "string" },
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        "install-peers": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false }
      }
    }).values
  } catch (error) {
    return fail(`${(error as Error).message}\nnpm run bench -- --help`)
  }
}

const values = parsed()
if (values.help) {
  console.log(help)
  process.exit()
}
if (values["install-peers"]) {
  const { status } = spawnSync("npm", ["ci", "--prefix", import.meta.dirname, "--no-audit", "--no-fund"], {
    stdio: "inherit"
  })
  process.exit(status ?? 1)
}
if (process.platform !== "linux")
  fail("the bench reads what processes cost from /proc: it needs Linux (in Docker: docker run node:24)")

const list = (text: string | undefined) => text?.split(",").map((item) => item.trim()) ?? []
const among = <A extends string>(option: string, text: string | undefined, known: ReadonlyArray<A>) =>
  list(text).map(
    (item) =>
      known.find((name) => name === item) ??
      fail(`--${option}: there is no ${item}; there are ${known.join(", ")}`)
  )
const numbers = (option: string, text: string | undefined, standard: ReadonlyArray<number>) =>
  text === undefined
    ? standard
    : list(text).map((item) =>
        Number(item) > 0 ? Number(item) : fail(`--${option}: ${item} is no number above 0`)
      )

const { quick } = values
const options: Options = {
  readers: numbers("readers", values.readers, quick ? [300] : [1_000, 10_000]),
  bytes: numbers("bytes", values.bytes, quick ? [200] : [200, 2_000]),
  rounds: numbers("rounds", values.rounds, [quick ? 1 : 5])[0]!,
  seconds: numbers("seconds", values.seconds, [quick ? 1 : 2])[0]!,
  against: among("against", values.against, [...new Set(contestants.map(({ name }) => name))]),
  profile: values.profile,
  quick
}
const only = among("only", values.only, names)

/** Files that a server and the load generator may each have open. */
const room = 300
const mostFiles = Number(
  /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]
)
const mostReaders = Math.max(...options.readers)
if (mostFiles < mostReaders + room)
  fail(
    `${mostReaders} readers need ${mostReaders + room} file descriptors in one process, and this shell allows ${mostFiles}.
Allow more: ulimit -n 65536 (as root, or with LimitNOFILE=65536), or ask for fewer readers: --readers ${Math.max(1, mostFiles - room)}`
  )
if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
const profiled =
  "With --profile the figures of connect, and of newcomers in cohorts, have the profiler's cost in them."

const versionOf = (command: string, args: ReadonlyArray<string>): string => {
  const { stderr, stdout } = spawnSync(command, args, { encoding: "utf8" })
  return `${stdout ?? ""}${stderr ?? ""}`.split("\n")[0]!.trim()
}

const report = new Report(values.json)
report.begin("bench")
report.note(
  [
    new Date().toISOString().slice(0, 10),
    `${cpus().length} × ${cpus()[0]!.model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${versionOf("uname", ["-r"])}`,
    `Node ${process.version}`,
    ...contestants
      .filter(
        ({ missing, name, version }) => missing === undefined && /^\d/.test(version) && name !== "floor"
      )
      .map(({ name, version }) => `${name} ${version}`),
    versionOf("/usr/sbin/nginx", ["-v"])
  ]
    .filter((part) => part !== "")
    .join(" · ")
)
if (loadavg()[0]! > 0.5)
  report.note(
    `Others are at work on this machine (load average ${loadavg()[0]!.toFixed(1)}): ratios of CPU suffer some, latencies a lot.`
  )
// The bench itself stays away from the server's core.
if (taskset !== undefined) execFileSync(taskset, ["-a", "-c", "-p", String(cores.load), String(process.pid)])
else
  report.note(
    "Not pinned to cores (one core, or no taskset): server and load generator share what there is; read this with care."
  )
if (options.profile !== undefined) report.note(profiled)
if ("missing" in load) report.note(`Readers run in Node, which costs more: ${load.missing}.`)

for (const name of only.length === 0 ? names : only) {
  report.begin(name)
  try {
    await scenarios[name].run(options, report)
  } catch (error) {
    report.note(`${name} failed: ${(error as Error).message}`)
    process.exitCode = 1
  }
  killAll()
}
process.exit()
