/** `npm run soak`: clients come and go for half an hour; the daemon's memory does not grow, and no row is wrong. */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"

import { manyQueries } from "./Query.ts"
import { lowest, type Sample, slopeOf } from "./Slope.ts"
import { pass, World } from "./World.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    clients: { type: "string", default: "2000" },
    seed: { type: "string" },
    csv: { type: "string" },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run soak -- [--minutes 30] [--clients 2000] [--seed N] [--csv FILE]

  Clients of every road come, stay for half a minute or so, drop, come back and leave for good, while the upstream
  changes every second. The daemon's resident memory is sampled every second; the first quarter is warm-up. Exit code 1
  where it rises afterwards by more than its noise, or a client holds a wrong row.

  --csv FILE   seconds and KiB, a line a sample

  npm run soak -- --minutes 2 --clients 300`)
  process.exit(0)
}

const number = (name: "minutes" | "clients" | "seed", otherwise: number): number => {
  const text = values[name]
  if (text === undefined) return otherwise
  const value = Number(text)
  if (value > 0 && (name === "minutes" || Number.isInteger(value))) return value
  console.error(`--${name} is a number above 0, not ${text}`)
  process.exit(2)
}
const minutes = number("minutes", 30)
const clients = number("clients", 2000)
const seed = number("seed", 1 + Math.floor(Math.random() * 1e9))
const seconds = minutes * 60
const warmUp = seconds / 4

/**
 * Growth in all of the time measured that is taken for noise whatever the samples say: a share of what there is. A short
 * run is warm-up to its end: tombstones fill up to their bound, and the heap has not been as large as it will be.
 */
const tolerated = minutes < 10 ? 0.1 : 0.05

const began = performance.now()
const now = () => (performance.now() - began) / 1000
const say = (text: string) => console.log(`${now().toFixed(0).padStart(6)} s  ${text}`)
const mib = (kib: number) => `${(kib / 1024).toFixed(1)} MiB`

const world = await World.make({ seed, queries: manyQueries(120), pools: 100, files: 2 * clients + 200 })
const { crowd, daemon, oracle, tally, truth } = world
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))
oracle.onViolation = (what) => {
  say(`WRONG  ${what}`)
  if (oracle.violations.length > 20) process.exit(1)
}

say(`seed ${seed}: ${clients} clients for ${minutes} min, daemon at ${daemon.url}`)
daemon.start()
await world.wait("the daemon answers", () => daemon.life.answeredAt !== undefined)
crowd.come(clients)
await world.wait("everybody is there", () => crowd.present === crowd.size)
crowd.stir({ drops: 0.003, leaves: 0.003, pauses: 0.001 })

const samples: Array<Sample> = []
const held: Array<Sample> = []
for (let next = 0; now() < seconds;) {
  await pass(1_000)
  samples.push({ at: now(), value: daemon.resident })
  if (now() < next) continue
  next = now() + Math.max(10, seconds / 30)
  held.push({ at: now(), value: await daemon.held() })
  say(
    `${mib(samples.at(-1)!.value)}, ${mib(held.at(-1)!.value)} of it held, ${await daemon.metric("hub_readers")} readers, ${tally.of("left")} have left, ` +
      `${oracle.checks.toLocaleString("en")} checks`
  )
}
if (values.csv !== undefined)
  writeFileSync(values.csv, samples.map(({ at, value }) => `${at.toFixed(1)},${value}\n`).join(""))

const measured = samples.filter(({ at }) => at >= warmUp)
const lows = lowest(measured)
const slope = slopeOf(lows)
const typical = lows.map(({ value }) => value).toSorted((a, b) => a - b)[lows.length >> 1]!
const grown = slope.median * (measured.at(-1)!.at - measured[0]!.at)
const perMinute = (value: number) => `${((value * 60) / 1024).toFixed(3)}`
const isFlat = slope.least <= 0 || grown < tolerated * typical
// What is held depends on how many are there just then, so a few samples say little: printed, and not judged.
const heldSlope = slopeOf(held.filter(({ at }) => at >= warmUp))

await world.settle()
const readers = await daemon.metric("hub_readers")
await world.close()

console.log(`
  resident memory   ${mib(samples[0]!.value)} at first, ${mib(typical)} after warm-up, ${mib(samples.at(-1)!.value)} at last, ${mib(samples.reduce((most, { value }) => Math.max(most, value), 0))} at most
  slope             ${perMinute(slope.median)} MiB/min, with 95 % between ${perMinute(slope.least)} and ${perMinute(slope.most)}; ${mib(grown)} (${((100 * grown) / typical).toFixed(1)} %) in the ${((measured.at(-1)!.at - measured[0]!.at) / 60).toFixed(1)} min after warm-up
  held after a GC   ${mib(held.find(({ at }) => at >= warmUp)?.value ?? 0)} after warm-up, ${mib(held.at(-1)!.value)} at last; ${perMinute(heldSlope.median)} MiB/min, with 95 % between ${perMinute(heldSlope.least)} and ${perMinute(heldSlope.most)}
  clients           ${clients} at once, ${readers} readers at the end; ${tally.of("left")} left and as many came, ${tally.of("dropped")} dropped, ${tally.of("lost patience")} out of patience
  resumed by        ${tally.under("return ")}
  snapshots         ${tally.under("snapshot ")}
  messages          ${tally.under("message ")}
  upstream          ${truth.steps} versions
  checked           ${oracle.checks.toLocaleString("en")} times, at ${oracle.places.toLocaleString("en")} places of a query's history; ${tally.of("compared row by row")} clients row by row at the end
`)
if (!isFlat) oracle.violated(`memory rises by ${perMinute(slope.median)} MiB a minute`)
const verdict =
  minutes < 10 ? "no row wrong; too short to say whether memory is flat" : "flat, and no row wrong"
if (oracle.violations.length === 0) say(`${verdict}; seed ${seed}`)
else console.error(`${oracle.violations.length} promises broken, the first: ${oracle.violations[0]}`)
process.exit(oracle.violations.length === 0 ? 0 : 1)
