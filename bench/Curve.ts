/** The recorded answers as a team would declare them: what stands in the body many times is here once. */
import { Schema } from "effect"

import { Decimal, polled, type Source, type Tolerance } from "../src/Config.ts"

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

const optional = Schema.optionalKey

const PoolRow = Schema.Struct({
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
})

const CoinRow = Schema.Struct({
  address: Schema.String,
  symbol: Schema.String,
  decimals: Schema.String,
  usdPrice: Schema.NullOr(Schema.Finite)
})

const RewardRow = Schema.Struct({
  id: Schema.String,
  symbol: Schema.String,
  apy: Schema.NullOr(Schema.Finite)
})

export const curve = (
  source: Source,
  tolerance: { readonly usdPrice?: Tolerance; readonly apy?: Tolerance } = {}
) => ({
  pools: polled({
    source,
    key: "address",
    row: PoolRow,
    // Totals in dollars are left out: they are the balances times the prices, and would change with every price.
    rows: ({ data }: Body) =>
      data.poolData.map(({ coins, gaugeRewards, ...pool }) => ({
        key: pool.address,
        row: {
          ...pool,
          coins: coins.map(({ address }) => address),
          balances: coins.map(({ poolBalance }) => poolBalance),
          ...(gaugeRewards === undefined
            ? {}
            : { rewards: gaugeRewards.map((reward) => reward.tokenAddress) })
        }
      })),
    fixed: ["id", "name", "symbol", "assetTypeName", "coins", "rewards"]
  }),
  coins: polled({
    source,
    key: "address",
    row: CoinRow,
    // Prices stand in every pool that holds the coin; here each stands once.
    rows: ({ data }: Body) =>
      data.poolData.flatMap(({ coins }) => coins.map((coin) => ({ key: coin.address, row: coin }))),
    fixed: ["symbol", "decimals"],
    ...(tolerance.usdPrice === undefined ? {} : { tolerance: { usdPrice: tolerance.usdPrice } })
  }),
  rewards: polled({
    source,
    key: "id",
    row: RewardRow,
    rows: ({ data }: Body) =>
      data.poolData.flatMap(({ gaugeRewards = [] }) =>
        gaugeRewards.map((reward) => ({ key: `${reward.gaugeAddress} ${reward.tokenAddress}`, row: reward }))
      ),
    fixed: ["symbol"],
    allowEmpty: true,
    ...(tolerance.apy === undefined ? {} : { tolerance: { apy: tolerance.apy } })
  })
})
