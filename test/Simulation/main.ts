/** `npm run simulate -- --seed 7 --minutes 60 --seeds 100`: looks for a seed that breaks a promise, and says how to replay it. */
import { parseArgs } from "node:util"

import { type Outcome, simulate } from "./Simulation.ts"

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1" },
    minutes: { type: "string", default: "10" },
    trace: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run simulate -- [--seed N] [--seeds COUNT] [--minutes M] [--trace]

  The real daemon without its sockets on a virtual clock, in a world made by a seed. Without --seed: fresh ones.
  Ends at the first seed that breaks a promise, with the command that replays it.

  npm run simulate -- --seeds 100
  npm run simulate -- --seed 7 --minutes 60 --trace`)
  process.exit(0)
}

const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const seeds = Number(values.seeds)
const minutes = Number(values.minutes)
const began = performance.now()
const total: { [name: string]: number } = {}

for (let seed = first; seed < first + seeds; seed++) {
  let outcome: Outcome
  try {
    outcome = await simulate({ seed, minutes, ...(values.trace ? { trace: console.log } : {}) })
  } catch (error) {
    console.error(error)
    console.error(
      `\nseed ${seed} breaks a promise; replay it: npm run simulate -- --seed ${seed} --minutes ${minutes}`
    )
    process.exit(1)
  }
  for (const [name, count] of Object.entries(outcome))
    if (name !== "hash") total[name] = (total[name] ?? 0) + count
  if (process.stderr.isTTY) process.stderr.write(`\r${seed - first + 1} of ${seeds} `)
}

const seconds = (performance.now() - began) / 1000
const simulated = seeds * minutes
const time =
  simulated < 60 ? `${simulated} simulated minutes` : `${(simulated / 60).toFixed(1)} simulated hours`
console.log(
  `${seeds} seed${seeds === 1 ? "" : "s"} from ${first}, ${time} in ${seconds.toFixed(1)} s (${Math.round((simulated * 60) / seconds)} × real time), no promise broken`
)
console.log(
  Object.entries(total)
    .map(([name, count]) => `  ${name} ${count.toLocaleString("en")}`)
    .join("\n")
)
