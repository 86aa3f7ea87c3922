/** `npm run bench`: prints machine, versions and what was measured in this run, and nothing else. `--json` for scripts. */
import { cpus } from "node:os"

import { type Measured, measure } from "./FanOut.ts"
import { stateFigures } from "./State.ts"

const json = process.argv.includes("--json")
const say = (line: string) => json || console.log(line)

say(
  `machine  ${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}\n`
)

say("State, 42,000 rows of 12 fields, one core                           ms")
for (const { name, ms } of stateFigures()) {
  if (json) console.log(JSON.stringify({ scenario: "state", name, ms }))
  else console.log(`${name.padEnd(62)} ${ms.toFixed(2).padStart(8)}`)
}

const readers = Number(process.env["READERS"] ?? 1_000)
say(`\nfan-out, ${readers} readers, 200-byte events, server on a core of its own      µs CPU   × bare`)
const scenarios = [
  { server: "bare", road: "stream" },
  { server: "ratecast", road: "stream" },
  { server: "ratecast", road: "socket" }
] as const
const runs = new Map<string, Array<Measured>>()
for (let round = 0; round < 3; round++) {
  for (const scenario of scenarios) {
    const measured = await measure(scenario, readers, 200)
    const name = `${scenario.server} ${scenario.road}`
    runs.set(name, [...(runs.get(name) ?? []), measured])
  }
}
const median = (measured: ReadonlyArray<Measured>) =>
  measured.map(({ microseconds }) => microseconds).toSorted((a, b) => a - b)[Math.floor(measured.length / 2)]!
const floor = median(runs.get("bare stream")!)
for (const [name, measured] of runs) {
  const microseconds = median(measured)
  if (json)
    console.log(
      JSON.stringify({ scenario: "fan-out", name, readers, microseconds, ratio: microseconds / floor })
    )
  else
    console.log(
      `${`${name}, median of ${measured.length}`.padEnd(62)} ${microseconds.toFixed(2).padStart(8)} ${(microseconds / floor).toFixed(2).padStart(8)}`
    )
}
