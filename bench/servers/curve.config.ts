/** The recorded answers as a team would declare them: what stands in the body many times is here once. */
import { Schema } from "effect"

import { Decimal, defineConfig, polled, source } from "../../src/Config.ts"

interface Coin {
  readonly address: string
  readonly poolBalance: string
}
interface Pool {
  readonly address: string
  readonly coins: ReadonlyArray<Coin>
  readonly gaugeRewards?: ReadonlyArray<{ readonly gaugeAddress: string; readonly tokenAddress: string }>
}
interface Body {
  readonly data: { readonly poolData: ReadonlyArray<Pool> }
}

const curve = source({
  url: process.env["BENCH_UPSTREAM"]!,
  every: "1 hour",
  idleEvery: "1 hour",
  refreshEvery: "1 millis",
  retries: 0
})
const optional = Schema.optionalKey

const pools = polled({
  source: curve,
  key: "address",
  row: Schema.Struct({
    address: Schema.String,
    id: Schema.String,
    name: optional(Schema.String),
    symbol: optional(Schema.String),
    assetTypeName: Schema.String,
    coins: Schema.Array(Schema.String),
    balances: Schema.Array(Decimal),
    totalSupply: Decimal,
    priceOracle: optional(Schema.Finite),
    rewards: optional(Schema.Array(Schema.String))
  }),
  rows: ({ data }: Body) =>
    data.poolData.map(({ coins, gaugeRewards, ...pool }) => ({
      key: pool.address,
      row: {
        ...pool,
        coins: coins.map(({ address }) => address),
        balances: coins.map(({ poolBalance }) => poolBalance),
        ...(gaugeRewards === undefined ? {} : { rewards: gaugeRewards.map((reward) => reward.tokenAddress) })
      }
    })),
  fixed: ["id", "name", "symbol", "assetTypeName", "coins", "rewards"]
})

const coins = polled({
  source: curve,
  key: "address",
  row: Schema.Struct({
    address: Schema.String,
    symbol: Schema.String,
    decimals: Schema.String,
    usdPrice: Schema.NullOr(Schema.Finite)
  }),
  rows: ({ data }: Body) =>
    data.poolData.flatMap((pool) => pool.coins.map((coin) => ({ key: coin.address, row: coin }))),
  fixed: ["symbol", "decimals"]
})

const rewards = polled({
  source: curve,
  key: "id",
  row: Schema.Struct({ id: Schema.String, symbol: Schema.String, apy: Schema.NullOr(Schema.Finite) }),
  rows: ({ data }: Body) =>
    data.poolData.flatMap(({ gaugeRewards = [] }) =>
      gaugeRewards.map((reward) => ({ key: `${reward.gaugeAddress} ${reward.tokenAddress}`, row: reward }))
    ),
  fixed: ["symbol"],
  allowEmpty: true
})

export default defineConfig({ collections: { pools, coins, rewards } })
