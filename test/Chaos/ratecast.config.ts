/** What the daemon of `npm run chaos` and `npm run soak` serves: polled, derived, rows that change their type, and a family. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { isMainThread } from "node:worker_threads"

import { Schema } from "effect"

import { Decimal, defineConfig, derived, polled, source } from "../../src/Config.ts"
import { Total, totalOf } from "../Total.ts"

const upstream = process.env["CHAOS_UPSTREAM"]!
const polling = { every: "1 second", idleEvery: "2 seconds", timeout: "2 seconds", retries: 1 } as const

/** Of the process, and not of the thread that reads large answers, which loads this file too and has a stdin that ends. */
const ofTheProcess = (): void => {
  // Whoever started this daemon may die in any way, and shall leave none behind.
  process.stdin
    .on("end", () => process.kill(process.pid, "SIGKILL"))
    .resume()
    .on("error", () => {})

  // What is really held, which resident memory only hints at: asked for by a signal, answered on stdout.
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  process.on("SIGUSR2", () => {
    collect()
    const { arrayBuffers, heapUsed } = process.memoryUsage()
    process.stdout.write(`${JSON.stringify({ held: heapUsed + arrayBuffers })}\n`)
  })
}
if (isMainThread) ofTheProcess()

const pools = polled({
  key: "id",
  row: Schema.Struct({
    id: Schema.String,
    type: Schema.String,
    rate: Decimal,
    n: Schema.Finite,
    note: Schema.optionalKey(Schema.Json)
  }),
  fixed: ["type"],
  source: source({ url: `${upstream}/pools`, ...polling })
})
const total = derived({ from: { pools }, key: "id", row: Total, rows: ({ pools }) => totalOf(pools) })
const typed = polled({
  key: "id",
  row: Schema.Struct({ id: Schema.String, type: Schema.NullOr(Schema.String), n: Schema.Finite }),
  fixed: ["type"],
  minKeep: 0,
  allowEmpty: true,
  source: source({ url: `${upstream}/typed`, ...polling })
})
const bulk = polled({
  key: "id",
  row: Schema.Struct({ id: Schema.String, text: Schema.String, n: Schema.Finite }),
  minKeep: 0,
  source: source({ url: `${upstream}/bulk`, ...polling, idleEvery: "1 minute" })
})
const order = polled({
  key: "id",
  row: Schema.Struct({ id: Schema.String, n: Schema.Finite }),
  minKeep: 0,
  allowEmpty: true,
  required: false,
  source: source({ url: `${upstream}/orders/{id}`, ...polling, forgetAfter: "10 seconds" })
})

export default defineConfig({ collections: { pools, total, typed, bulk, "order:{id}": order } })
