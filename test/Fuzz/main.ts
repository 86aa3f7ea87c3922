/** `npm run fuzz -- --for 1h`: looks for input that breaks a promise, and says how to replay it. */
import { inspect, parseArgs } from "node:util"

import { freePort } from "../Daemon.ts"
import { ratecast } from "../Process.ts"
import { fuzz, shown } from "./Fuzz.ts"
import { env, Ground, type Running } from "./Ground.ts"
import { liveTargets } from "./Live.ts"
import { cursorTarget, messageTarget, queryTarget, rowTarget } from "./Pure.ts"

const pure = [queryTarget(), messageTarget, cursorTarget(), rowTarget]
const names = [...pure.map(({ name }) => name), "http", "socket", "writes", "upstream"]

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    for: { type: "string", default: "1m" },
    only: { type: "string", default: names.join() },
    at: { type: "string" },
    help: { type: "boolean", default: false }
  }
})

const units: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000 }
const [, count = "", unit = ""] = /^(\d+)([smh])$/.exec(values.for) ?? []
const forMs = Number(count) * (units[unit] ?? NaN)
const only = values.only.split(",")
const unknown = only.find((name) => !names.includes(name))
const mistake =
  unknown !== undefined
    ? `--only ${unknown}: the targets are ${names.join(", ")}`
    : Number.isFinite(forMs)
      ? undefined
      : `--for ${values.for}: expected a time such as 30s, 10m or 1h`

if (values.help || mistake !== undefined) {
  console.log(`${mistake === undefined ? "" : `${mistake}\n\n`}npm run fuzz -- [--for 1m] [--seed N] [--only ${names.join()}] [--at N]

  Random input on what reads queries, messages, cursors and rows, and on a running daemon by HTTP, by WebSocket and by
  its upstream, with readers beside who have to hold the right rows. Without --seed: a fresh one. Ends at the first input
  that breaks a promise, with the command that replays it.

  npm run fuzz -- --for 1h
  npm run fuzz -- --only http,socket --for 10m
  npm run fuzz -- --seed 7 --only query --at 1234`)
  process.exit(mistake === undefined ? 0 : 1)
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
/** MiB: a leak ends the daemon, and that is noticed. */
const heap = 300

const start = async (upstream: string): Promise<Running> => {
  const port = await freePort()
  const daemon = ratecast(["serve", "--config", `${import.meta.dirname}/ratecast.config.ts`], {
    ...env,
    PORT: String(port),
    FUZZ_UPSTREAM: upstream,
    LOG_FORMAT: "json",
    // `obj.__proto__` throws: nothing of ours may go by it.
    NODE_OPTIONS: `--max-old-space-size=${heap} --disable-proto=throw`
  })
  process.once("exit", () => daemon.kill())
  let death: string | undefined
  let isClosing = false
  daemon.child.once("exit", (code, signal) => {
    death = isClosing ? undefined : `the daemon ended with ${signal ?? code}`
  })
  return {
    port,
    complaints: () => [
      ...daemon.out.split("\n").filter((line) => /"level":"(ERROR|FATAL)"/i.test(line)),
      ...(daemon.err === "" ? [] : [daemon.err]),
      ...(death === undefined ? [] : [death])
    ],
    close: async () => {
      isClosing = true
      daemon.child.kill("SIGTERM")
      await daemon.exit
    }
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

const isLive = only.some((name) => !pure.some((target) => target.name === name))
const ground = isLive ? await Ground.open(start) : undefined
const targets = [...pure, ...(ground === undefined ? [] : liveTargets(ground))].filter(({ name }) =>
  only.includes(name)
)
const began = performance.now()
const seconds = () => (performance.now() - began) / 1_000
let told = 0

console.log(`seed ${seed}, ${targets.map(({ name }) => name).join(", ")}, for ${values.for}`)
const { found, tried } = await fuzz({
  targets,
  seed,
  forMs,
  at: values.at === undefined ? undefined : Number(values.at),
  onProgress: (tried) => {
    const line = `${seconds().toFixed(0)} s  ${[...tried].map(([name, count]) => `${name} ${count.toLocaleString("en")}`).join("  ")}`
    if (process.stderr.isTTY) process.stderr.write(`\r${line} `)
    else if (seconds() - told > 60) {
      told = seconds()
      console.log(line)
    }
  }
})
await ground?.close()
if (process.stderr.isTTY) process.stderr.write("\n")

if (found !== undefined) {
  console.error(inspect(found.error, { maxStringLength: 500 }).slice(0, 4_000))
  console.error(`\n${found.target} breaks a promise with\n${shown(found.input)}`)
  if (found.least.length > 0) console.error(`of which this is enough:\n${shown(found.least)}`)
  const again = `npm run fuzz -- --only ${found.target} --seed ${seed}`
  console.error(
    found.input.length > 0
      ? `replay it: ${again} --at ${found.at}`
      : `seen only of many together; again: npm run fuzz -- --only ${values.only} --seed ${seed} --for ${values.for}`
  )
  process.exit(1)
}
const total = [...tried.values()].reduce((sum, count) => sum + count, 0)
console.log(`${total.toLocaleString("en")} inputs in ${seconds().toFixed(0)} s, no promise broken`)
console.log([...tried].map(([name, count]) => `  ${name} ${count.toLocaleString("en")}`).join("\n"))
process.exit(0)
