/** What the bench serves: the rows of Upstream.ts, from BENCH_UPSTREAM, every BENCH_EVERY. */
import { Schema } from "effect"

import { Decimal, defineConfig, polled, source } from "../../src/Config.ts"

const rows = polled({
  source: source({
    url: process.env["BENCH_UPSTREAM"]!,
    every: `${Number(process.env["BENCH_EVERY"])} millis`,
    idleEvery: `${Number(process.env["BENCH_EVERY"])} millis`,
    refreshEvery: "1 millis",
    retries: 0,
    maxBytes: 64 * 1024 * 1024,
    rows: "rows"
  }),
  key: "id",
  row: Schema.Struct({
    id: Schema.String,
    name: Schema.String,
    type: Schema.String,
    token0: Schema.String,
    token1: Schema.String,
    reserve0: Decimal,
    reserve1: Decimal,
    supply: Decimal,
    price: Schema.Finite,
    apr: Schema.Finite,
    fee: Schema.Finite,
    active: Schema.Boolean
  }),
  fixed: ["type", "token0", "token1"]
})

export default defineConfig({ collections: { rows } })
