/**
 * Rates from the reserves of pools: a pure function, and all of the arithmetic on scaled integers, so that no float
 * creeps in between a reserve of thirty digits and the price that is made of it.
 *
 * The price of an asset comes over its deepest path from TON: of all paths of at most three pools, the one whose
 * shallowest pool is worth most. Prices are cut after 12 digits, values after 2.
 */
import { fromScaled, type Rows } from "ratecast"

export interface Asset {
  readonly symbol: string
  readonly decimals: number
}

export interface Pool {
  readonly type: "volatile" | "stable"
  readonly assets: ReadonlyArray<string>
  readonly reserves: ReadonlyArray<string>
  readonly fees: ReadonlyArray<string>
}

export interface Rate {
  readonly asset: string
  readonly symbol: string
  /** Price in TON and in US dollars. */
  readonly ton: string
  readonly usd: string
  /** What the pools hold of it, in US dollars. */
  readonly tvlUsd: string
  /** What its liquidity earned in fees, as a year's share of itself: 0.05 is 5 %. */
  readonly apr: number
}

const native = "native"
const dollar = "USDT"
const maxHops = 3
/** Digits kept after the point while computing. */
const scale = 24
const one = 10n ** BigInt(scale)

/** A price in TON per whole unit, and the worth in TON of the shallowest pool on the way to it. */
interface Priced {
  readonly price: bigint
  readonly depth: bigint
}

/** One pool seen from one of its two sides, in whole units. */
interface Edge {
  readonly from: string
  readonly to: string
  readonly reserveFrom: bigint
  readonly reserveTo: bigint
  readonly stable: boolean
}

export const ratesOf = function* (pools: Rows<Pool>, assets: Rows<Asset>) {
  const edges = [...edgesOf(pools, assets)]
  const priced = deepest(edges)
  const usdPerTon = dollarsPerTon(priced, assets)
  const held = sums(pools, assets, "reserves")
  const earned = sums(pools, assets, "fees")
  for (const [asset, { price }] of priced) {
    const usd = usdPerTon === 0n ? 0n : (price * usdPerTon) / one
    const tvl = ((held.get(asset) ?? 0n) * usd) / one
    const fees = ((earned.get(asset) ?? 0n) * usd) / one
    const row: Rate = {
      asset,
      symbol: assets.get(asset)!.symbol,
      ton: fromScaled(price, scale, 12),
      usd: fromScaled(usd, scale, 12),
      tvlUsd: fromScaled(tvl, scale, 2),
      // The upstream counts fees over a day.
      apr: tvl === 0n ? 0 : Number((fees * 365n * 10_000n) / tvl) / 10_000
    }
    yield { key: asset, row }
  }
}

const whole = (units: string, decimals: number): bigint => (BigInt(units) * one) / 10n ** BigInt(decimals)

const edgesOf = function* (pools: Rows<Pool>, assets: Rows<Asset>): Generator<Edge> {
  for (const [, { assets: sides, reserves, type }] of pools) {
    const [a, b] = sides as [string, string]
    const assetA = assets.get(a)
    const assetB = assets.get(b)
    if (assetA === undefined || assetB === undefined) continue
    const reserveA = whole(reserves[0]!, assetA.decimals)
    const reserveB = whole(reserves[1]!, assetB.decimals)
    if (reserveA === 0n || reserveB === 0n) continue
    const stable = type === "stable"
    yield { from: a, to: b, reserveFrom: reserveA, reserveTo: reserveB, stable }
    yield { from: b, to: a, reserveFrom: reserveB, reserveTo: reserveA, stable }
  }
}

const deepest = (edges: ReadonlyArray<Edge>): ReadonlyMap<string, Priced> => {
  let priced: ReadonlyMap<string, Priced> = new Map([[native, { price: one, depth: one ** 2n }]])
  for (let hop = 0; hop < maxHops; hop++) {
    const next = new Map(priced)
    for (const { from, reserveFrom, reserveTo, stable, to } of edges) {
      const before = priced.get(from)
      if (before === undefined || to === native) continue
      const worth = (reserveFrom * before.price) / one
      const depth = worth < before.depth ? worth : before.depth
      if (depth <= (next.get(to)?.depth ?? 0n)) continue
      // Near par the curve of a stable pool is flat, so its reserves say little about its price.
      next.set(to, { price: stable ? before.price : (worth * one) / reserveTo, depth })
    }
    priced = next
  }
  return priced
}

const dollarsPerTon = (priced: ReadonlyMap<string, Priced>, assets: Rows<Asset>): bigint => {
  let best: Priced | undefined
  for (const [asset, found] of priced) {
    if (assets.get(asset)?.symbol === dollar && found.depth > (best?.depth ?? 0n)) best = found
  }
  return best === undefined || best.price === 0n ? 0n : (one * one) / best.price
}

/** What all pools hold, or have earned, of each asset, in whole units. */
const sums = (
  pools: Rows<Pool>,
  assets: Rows<Asset>,
  member: "reserves" | "fees"
): ReadonlyMap<string, bigint> => {
  const totals = new Map<string, bigint>()
  for (const [, pool] of pools) {
    for (const [side, asset] of pool.assets.entries()) {
      const known = assets.get(asset)
      if (known === undefined) continue
      totals.set(asset, (totals.get(asset) ?? 0n) + whole(pool[member][side] ?? "0", known.decimals))
    }
  }
  return totals
}
