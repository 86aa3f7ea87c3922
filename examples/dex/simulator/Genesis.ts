/**
 * The world on its first day: TON as the hub, TON/USDT by far the deepest pool, and depth by Zipf after it. Comes out
 * with the live pools by depth, and all of them in the order in which the list has them.
 */
import { makeAddress } from "./Address.ts"
import type { Asset } from "./Asset.ts"
import type { Dice } from "./Dice.ts"
import { feePerMillion, type Pool } from "./Pool.ts"
import type { Profile } from "./Profile.ts"

export interface Genesis {
  readonly pools: Array<Pool>
  readonly live: Array<Pool>
}

type Pair = readonly [Asset, Asset]

const pairKey = ([a, b]: Pair): string => (a.id < b.id ? `${a.id} ${b.id}` : `${b.id} ${a.id}`)

const isStable = ([a, b]: Pair): boolean => a.peg !== undefined && a.peg === b.peg

const units = (asset: Asset, ton: number): bigint => BigInt(Math.ceil((ton * 1e9) / asset.price))

const fees = ["0.25", "0.25", "0.25", "0.25", "0.25", "0.4", "0.3", "1"]

/** `depth`: what each side is worth, in TON. */
export const makePool = (dice: Dice, assets: Pair, depth: number, lt: number): Pool => {
  const stable = isStable(assets)
  const tradeFee = stable ? "0.05" : depth > 100_000 ? "0.25" : dice.pick(fees)
  const off = dice.normal(0, 0.0007)
  const reserves: [bigint, bigint] = [units(assets[0], depth), units(assets[1], depth * Math.exp(off))]
  const turnover = BigInt(Math.ceil(dice.logNormal(250, 0.5)))
  const volume: [bigint, bigint] = [(reserves[0] * turnover) / 1000n, (reserves[1] * turnover) / 1000n]
  const perMillion = feePerMillion(tradeFee)
  return {
    address: makeAddress(dice),
    type: stable ? "stable" : "volatile",
    tradeFee,
    assets,
    reserves,
    volume,
    fees: [(volume[0] * perMillion) / 1_000_000n, (volume[1] * perMillion) / 1_000_000n],
    totalSupply: BigInt(Math.ceil(Math.sqrt(Number(reserves[0]) * Number(reserves[1])))),
    lt,
    text: undefined
  }
}

/** Created once and left: nothing in it, or dust that no share owns. */
const makeDead = (dice: Dice, assets: Pair, lt: number): Pool => {
  const dust = BigInt(1 + dice.below(1000))
  const [reserves, totalSupply]: [[bigint, bigint], bigint] = dice.chance(0.8)
    ? [[0n, 0n], 0n]
    : dice.chance(0.6)
      ? [[dust, dust * 3n], 0n]
      : [[dust, 0n], dust]
  const used = dice.chance(0.3)
  const volume: [bigint, bigint] = used ? [BigInt(dice.word()), BigInt(dice.word())] : [0n, 0n]
  return {
    address: makeAddress(dice),
    type: dice.chance(0.03) ? "stable" : "volatile",
    tradeFee: "0.25",
    assets,
    reserves,
    volume,
    fees: [volume[0] / 400n, volume[1] / 400n],
    totalSupply,
    lt,
    text: undefined
  }
}

export const makeGenesis = (
  dice: Dice,
  { dead, pegs, pools }: Profile,
  known: ReadonlyArray<Asset>,
  unknown: ReadonlyArray<Asset>,
  lt: number
): Genesis => {
  const [ton, usdt] = known as unknown as Pair
  const everything = [...known, ...unknown]
  const deadPools = Math.round(pools * dead)
  const livePools = pools - deadPools
  const taken = new Set<string>()
  const pairs: Array<Pair> = []
  const add = (pair: Pair) => {
    if (pair[0] !== pair[1] && !taken.has(pairKey(pair))) {
      taken.add(pairKey(pair))
      pairs.push(pair)
    }
  }
  /** Assets that are traded more are met more. */
  const popular = (from: ReadonlyArray<Asset>) => from[Math.floor(from.length * dice.uniform() ** 2)]!

  add([ton, usdt])
  for (const asset of known.slice(1, 1 + Math.floor(livePools * 0.45))) {
    add([ton, asset])
  }
  for (const asset of known.slice(2, 2 + Math.floor(livePools * 0.25))) {
    add([usdt, asset])
  }
  for (const asset of unknown.slice(0, Math.ceil(livePools * 0.03))) {
    add([ton, asset])
  }
  const stable = known.slice(0, pegs).flatMap((a, rank, few) => few.slice(rank + 1).map((b): Pair => [a, b]))
  stable.filter(isStable).forEach(add)
  const traded = known.slice(0, Math.max(12, Math.floor(livePools * 0.45)))
  while (pairs.length < livePools) {
    add([popular(traded), popular(traded)])
  }
  const rank = new Map(everything.map((asset, rank) => [asset, rank + 1]))
  const [deepest, ...rest] = pairs
    .map((pair, index) => {
      const [a, b] = pair
      return { pair, pull: index === 0 ? Infinity : dice.logNormal(1 / (rank.get(a)! * rank.get(b)!), 0.5) }
    })
    .toSorted((a, b) => b.pull - a.pull)
    .map(({ pair }) => pair)
  const live = [
    makePool(dice, deepest!, 9e6, lt),
    ...rest.map((pair, index) =>
      makePool(dice, pair, Math.max(300, dice.logNormal(1.5e6, 0.2) / (index + 1) ** 1.1), lt)
    )
  ]

  while (pairs.length < pools) {
    add([dice.chance(0.3) ? ton : dice.pick(everything), dice.pick(everything)])
  }
  const all = [...live, ...pairs.slice(livePools).map((pair) => makeDead(dice, pair, dice.below(lt)))]
  for (let at = all.length - 1; at > 0; at--) {
    const other = dice.below(at + 1)
    ;[all[at], all[other]] = [all[other]!, all[at]!]
  }
  return { pools: all, live }
}
