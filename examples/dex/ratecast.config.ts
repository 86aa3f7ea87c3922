/**
 * The system that asked for this product: a frontend that polled a DEX for 13 MB every ten seconds. Here the daemon polls
 * it once for everybody, and casts what moved.
 *
 * BASE_API_URL and ASSETS_API_URL point it at a real one (https://api.dedust.io/v2 and https://assets.dedust.io/list.json).
 */
import { Schema } from "effect"
import { Decimal, defineConfig, derived, polled, source } from "ratecast"

import { ratesOf } from "./rates.ts"

const simulator = `http://127.0.0.1:${process.env["SIMULATOR_PORT"] ?? 8081}`
const api = process.env["BASE_API_URL"] ?? `${simulator}/v2`
const list = process.env["ASSETS_API_URL"] ?? `${simulator}/list.json`
// Somebody else's API is asked as often as its own frontend used to ask.
const every = process.env["BASE_API_URL"] === undefined ? "2 seconds" : "10 seconds"
const everyList = process.env["ASSETS_API_URL"] === undefined ? "2 seconds" : "10 minutes"

const Asset = Schema.Struct({
  id: Schema.String,
  symbol: Schema.String,
  name: Schema.String,
  image: Schema.String,
  decimals: Schema.Int
})

const assets = polled({
  source: source({ url: list, every: everyList }),
  rows: (body: ReadonlyArray<{ readonly type: string; readonly address?: string }>) =>
    body.map((asset) => ({
      key: asset.type === "native" ? "native" : `${asset.type}:${asset.address}`,
      row: asset
    })),
  key: "id",
  row: Asset,
  fixed: ["id", "symbol", "name", "image", "decimals"]
})

const Pool = Schema.Struct({
  address: Schema.String,
  type: Schema.Literals(["volatile", "stable"]),
  fee: Decimal,
  assets: Schema.Array(Schema.String),
  reserves: Schema.Array(Decimal),
  volume: Schema.Array(Decimal),
  fees: Schema.Array(Decimal),
  totalSupply: Decimal
})

const pools = polled({
  source: source({
    url: `${api}/pools-lite`,
    every,
    timeout: "8 seconds"
  }),
  rows: (body: ReadonlyArray<{ readonly address: string; readonly tradeFee: string }>) =>
    body.map(({ tradeFee, ...pool }) => ({ key: pool.address, row: { ...pool, fee: tradeFee } })),
  key: "address",
  row: Pool,
  fixed: ["type", "fee", "assets"],
  // Most pools that were ever made are empty.
  keep: ({ reserves, totalSupply }) => totalSupply !== "0" && reserves.every((reserve) => reserve !== "0")
})

const Rate = Schema.Struct({
  asset: Schema.String,
  symbol: Schema.String,
  ton: Decimal,
  usd: Decimal,
  tvlUsd: Decimal,
  apr: Schema.Finite
})

const rates = derived({
  from: { pools, assets },
  key: "asset",
  row: Rate,
  fixed: ["asset", "symbol"],
  rows: ({ assets, pools }) => ratesOf(pools, assets),
  tolerance: { apr: { relative: 0.001, every: "30 seconds" } }
})

export default defineConfig({ collections: { assets, pools, rates } })
