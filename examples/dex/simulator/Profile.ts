/** How large and how busy the world is. `dedust` has the proportions of the real list: 94 % of its pools are dead. */
export interface Profile {
  readonly pools: number
  /** Rows of list.json. */
  readonly assets: number
  /** Jettons that pools use and list.json does not know. */
  readonly unknown: number
  /** Assets that follow TON or the dollar; pools of two with the same peg are the stable ones, about 3 %. */
  readonly pegs: number
  /** The share of pools without reserves or without liquidity. */
  readonly dead: number
  readonly swapsPerSecond: number
  /** Median latency of an answer, ms. */
  readonly latency: number
}

export const profiles = {
  demo: { pools: 60, assets: 24, unknown: 2, pegs: 4, dead: 0.1, swapsPerSecond: 6, latency: 15 },
  listed: { pools: 600, assets: 250, unknown: 12, pegs: 9, dead: 0.05, swapsPerSecond: 1.5, latency: 40 },
  dedust: {
    pools: 42_000,
    assets: 12_000,
    unknown: 600,
    pegs: 10,
    dead: 0.94,
    swapsPerSecond: 1.5,
    latency: 120
  }
} as const satisfies { readonly [name: string]: Profile }

export type ProfileName = keyof typeof profiles

export const profileNames = Object.keys(profiles) as ReadonlyArray<ProfileName>
