/**
 * A constant product pool in integers of the smallest unit. Rounding is always in favour of the pool: reserves stay
 * positive, and their product per share of liquidity never falls, whatever is done here.
 */
import type { Asset } from "./Asset.ts"

export type Side = 0 | 1

export interface Pool {
  readonly address: string
  readonly type: "volatile" | "stable"
  /** Per cent, as text. */
  readonly tradeFee: string
  readonly assets: readonly [Asset, Asset]
  readonly reserves: [bigint, bigint]
  /** Both of what came in, by asset, over about a day: a pool forgets as it is used, so a demo left on stays sane. */
  readonly fees: [bigint, bigint]
  readonly volume: [bigint, bigint]
  totalSupply: bigint
  /** The logical time of the last change. */
  lt: number
  /** The row as sent, until the next change. */
  text: string | undefined
}

const million = 1_000_000n

/** How many swaps of a pool make its day. */
const swapsADay = 400n

const divideUp = (a: bigint, b: bigint): bigint => (a + b - 1n) / b

export const feePerMillion = (tradeFee: string): bigint => BigInt(Math.round(Number(tradeFee) * 10_000))

export const isLive = ({ reserves, totalSupply }: Pool): boolean =>
  totalSupply > 0n && reserves[0] > 0n && reserves[1] > 0n

/** What one side is worth outside. */
const worth = ({ assets, reserves }: Pool, side: Side): number => Number(reserves[side]) * assets[side].price

/** How far the pool's price is from the world's: 0.01 is 1 %; above zero there is too much of the first asset. */
export const gap = (pool: Pool): number => Math.log(worth(pool, 0) / worth(pool, 1))

/** Gives `amount` of one asset for the other. False when it is too little to get anything. */
export const swap = (pool: Pool, side: Side, amount: bigint): boolean => {
  const { fees, reserves, volume } = pool
  const other = side === 0 ? 1 : 0
  const fee = divideUp(amount * feePerMillion(pool.tradeFee), million)
  if (amount <= fee) {
    return false
  }
  const rest = divideUp(reserves[side] * reserves[other], reserves[side] + amount - fee)
  if (rest >= reserves[other]) {
    return false
  }
  reserves[side] += amount
  reserves[other] = rest
  for (const each of [0, 1] as const) {
    fees[each] -= fees[each] / swapsADay
    volume[each] -= volume[each] / swapsADay
  }
  fees[side] += fee
  volume[side] += amount
  return true
}

/** The swap of somebody who sees the gap and takes the profit, until only `target` of it is left. */
export const arbitrage = (pool: Pool, target: number): boolean => {
  const side = gap(pool) > target ? 1 : 0
  const much = worth(pool, side)
  const ratio = Math.exp(side === 0 ? target : -target)
  const kept = 1 - Number(feePerMillion(pool.tradeFee)) / 1e6
  // (much + d)(much + kept·d) = much · other · ratio, solved for d.
  const b = (1 + kept) * much
  const c = much * (much - worth(pool, side === 0 ? 1 : 0) * ratio)
  const d = (Math.sqrt(b * b - 4 * kept * c) - b) / (2 * kept)
  return d > 0 && swap(pool, side, BigInt(Math.floor(d / pool.assets[side].price)))
}

/** Adds liquidity, or removes it below zero, in parts per million of what is there. */
export const provide = (pool: Pool, perMillion: bigint): void => {
  const { reserves, totalSupply } = pool
  const shares = (totalSupply * perMillion) / million
  for (const side of [0, 1] as const) {
    reserves[side] +=
      perMillion > 0n
        ? divideUp(reserves[side] * perMillion, million)
        : -((reserves[side] * -shares) / totalSupply)
  }
  pool.totalSupply += shares
}

/** By JSON.stringify, and not a template: thousands of flat strings join five times faster than of glued ones. */
export const rowText = (pool: Pool): string => {
  const { address, assets, fees, lt, reserves, totalSupply, tradeFee, type, volume } = pool
  return (pool.text ??= JSON.stringify({
    address,
    lt: String(lt),
    totalSupply: String(totalSupply),
    type,
    tradeFee,
    assets: assets.map(({ id }) => id),
    reserves: reserves.map(String),
    fees: fees.map(String),
    volume: volume.map(String)
  }))
}
