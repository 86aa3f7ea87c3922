/**
 * The world: pools that people swap in, prices that drift, and arbitrage that ties the two together. It knows no
 * clock: what it is depends on the profile, the seed and how many swaps there have been, to the byte.
 */
import { type Asset, listText, makeAssets } from "./Asset.ts"
import { type Dice, makeDice } from "./Dice.ts"
import { makeGenesis, makePool } from "./Genesis.ts"
import { arbitrage, gap, isLive, type Pool, provide, rowText, type Side, swap } from "./Pool.ts"
import { type Profile, type ProfileName, profiles } from "./Profile.ts"

/** A pool further from the world's price than this is somebody's profit; two pools so differ by less than 1 %. */
const band = 0.003

export class World {
  readonly profile: ProfileName
  readonly seed: number
  /** Those of list.json; it never changes. */
  readonly assets: ReadonlyArray<Asset>
  readonly pools: Array<Pool>
  swaps = 0
  private readonly size: Profile
  private readonly dice: Dice
  private readonly dollars: ReadonlyArray<Asset>
  /** By how much they are traded; it has nothing dead in it. */
  private readonly live: Array<Pool>
  private readonly poolsOf = new Map<Asset, Array<Pool>>()
  /** Sums of Zipf's weights, so that a rank is found by bisection. */
  private readonly zipf: Array<number> = []
  private lt = 46_000_000_000_000

  constructor(profile: ProfileName, seed: number) {
    this.profile = profile
    this.seed = seed
    this.size = profiles[profile]
    this.dice = makeDice(seed, "world")
    const everything = makeAssets(this.dice, this.size.assets + this.size.unknown, this.size.pegs)
    this.assets = everything.slice(0, this.size.assets)
    this.dollars = this.assets.filter(({ peg }) => peg === "dollar")
    const unknown = everything.slice(this.size.assets)
    const genesis = makeGenesis(this.dice, this.size, this.assets, unknown, this.lt)
    this.pools = genesis.pools
    this.live = genesis.live
    this.live.forEach((pool) => this.enrol(pool))
  }

  /** One swap is the step of the world; the rarer things happen by the way. */
  swap(count = 1): void {
    for (let done = 0; done < count; done++) {
      this.swaps++
      this.trade()
      if (this.swaps % 8 === 0) {
        this.drift(this.dollars, 0.00012)
      }
      if (this.swaps % 4 === 0) {
        const asset = this.busy().assets[this.side()]
        this.drift(asset.peg === undefined ? [asset] : [], 0.0004)
      }
      const perMinute = 1 / (60 * this.size.swapsPerSecond)
      if (this.dice.chance(2 * perMinute)) {
        const pool = this.busy()
        provide(pool, BigInt(this.dice.below(30_000) - 15_000))
        this.touch(pool)
      }
      if (this.dice.chance(perMinute / 3) && this.pools.length < this.size.pools * 1.25) {
        this.found()
      }
      if (this.dice.chance(perMinute / 15)) {
        this.vanish()
      }
    }
  }

  poolsText(): string {
    return `[${this.pools.map(rowText).join(",")}]`
  }

  listText(): string {
    return listText(this.assets)
  }

  private trade(): void {
    const pool = this.busy()
    const side = this.side()
    // Above 1 % of a pool people split their order.
    const share = Math.min(0.01, this.dice.logNormal(0.0008, 1))
    const amount = BigInt(Math.ceil(Number(pool.reserves[side]) * share))
    if (swap(pool, side, amount)) {
      this.touch(pool)
    }
    this.settle(pool)
  }

  /** The world pays another price, and the pools it now pays to trade in follow. */
  private drift(assets: ReadonlyArray<Asset>, deviation: number): void {
    const factor = this.dice.logNormal(1, deviation)
    for (const asset of assets) {
      asset.price *= factor
    }
    for (const pool of assets.flatMap((asset) => this.poolsOf.get(asset) ?? [])) {
      this.settle(pool)
    }
  }

  private settle(pool: Pool): void {
    if (Math.abs(gap(pool)) > band && arbitrage(pool, (this.dice.uniform() - 0.5) * (band / 2))) {
      this.touch(pool)
    }
  }

  private found(): void {
    const pair = [this.busy().assets[this.side()], this.dice.pick(this.assets)] as const
    if (pair[0] === pair[1] || this.poolsOf.get(pair[0])?.some(({ assets }) => assets.includes(pair[1]))) {
      return
    }
    const pool = makePool(this.dice, pair, this.dice.logNormal(3000, 0.5), this.lt)
    this.pools.push(pool)
    this.live.push(pool)
    this.enrol(pool)
    this.touch(pool)
  }

  /** Never one with TON: its asset might have no price without it. */
  private vanish(): void {
    const pool = this.dice.pick(this.pools)
    if (pool.assets.some(({ id }) => id === "native")) {
      return
    }
    const lists = [
      this.pools,
      ...(isLive(pool) ? [this.live, ...pool.assets.map((a) => this.poolsOf.get(a)!)] : [])
    ]
    for (const list of lists) {
      list.splice(list.indexOf(pool), 1)
    }
  }

  private enrol(pool: Pool): void {
    if (this.zipf.length < this.live.length) {
      this.zipf.push((this.zipf.at(-1) ?? 0) + 1 / (this.zipf.length + 1) ** 1.05)
    }
    for (const asset of pool.assets) {
      const pools = this.poolsOf.get(asset)
      if (pools === undefined) {
        this.poolsOf.set(asset, [pool])
      } else {
        pools.push(pool)
      }
    }
  }

  private touch(pool: Pool): void {
    this.lt += 1 + this.dice.below(2_000_000)
    pool.lt = this.lt
    pool.text = undefined
  }

  private side(): Side {
    return this.dice.chance(0.5) ? 0 : 1
  }

  private busy(): Pool {
    const { live, zipf } = this
    const sought = this.dice.uniform() * zipf[live.length - 1]!
    let from = 0
    let to = live.length - 1
    while (from < to) {
      const middle = (from + to) >>> 1
      if (zipf[middle]! < sought) {
        from = middle + 1
      } else {
        to = middle
      }
    }
    return live[from]!
  }
}
