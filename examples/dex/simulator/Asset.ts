/** Assets: TON, a few pegged ones, and jettons with invented names and log-normal prices. */
import { makeAddress } from "./Address.ts"
import type { Dice } from "./Dice.ts"

export interface Asset {
  /** As pools write it: `native`, or `jetton:` and the address. */
  readonly id: string
  readonly name: string
  readonly symbol: string
  readonly decimals: number
  readonly image: string
  /** All assets of a peg move as one. */
  readonly peg: "ton" | "dollar" | undefined
  /** What the outside world pays for the smallest unit, in the smallest unit of TON. */
  price: number
}

const tonPerDollar = 0.32

const pegged = [
  { name: "Toncoin", symbol: "TON", decimals: 9, peg: "ton" },
  { name: "Tether USD", symbol: "USDT", decimals: 6, peg: "dollar" },
  { name: "Staked Toncoin", symbol: "stTON", decimals: 9, peg: "ton" },
  { name: "Bridged USD", symbol: "bUSD", decimals: 18, peg: "dollar" },
  { name: "Vault Dollar", symbol: "VUSD", decimals: 6, peg: "dollar" },
  { name: "Liquid Toncoin", symbol: "lqTON", decimals: 9, peg: "ton" },
  { name: "Open Dollar", symbol: "oUSD", decimals: 9, peg: "dollar" },
  { name: "Harbour Toncoin", symbol: "hbTON", decimals: 9, peg: "ton" },
  { name: "Mint Dollar", symbol: "mUSD", decimals: 6, peg: "dollar" },
  { name: "Pooled Toncoin", symbol: "plTON", decimals: 9, peg: "ton" }
] as const

const kinds = ["Coin", "Token", "Cash", "Gold", "Protocol", "Network", "DAO", "Finance"]

const perUnit = (price: number, decimals: number): number => price * 10 ** (9 - decimals)

/** A picture without a server for pictures. */
const image = (dice: Dice): string =>
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 2 2'%3E" +
  `%3Ccircle cx='1' cy='1' r='1' fill='hsl(${dice.below(360)} 60%25 55%25)'/%3E%3C/svg%3E`

/** Few consonants, so that no word comes out that one would rather not read. */
const symbol = (dice: Dice, syllables: number): string =>
  Array.from({ length: syllables }, () => dice.pick([..."BDLMNRSTVZ"]) + dice.pick([..."AEIOU"])).join("")

/** In the order of how much they are traded; TON first, then USDT, then others that are as good as one of the two. */
export const makeAssets = (dice: Dice, count: number, pegs: number): Array<Asset> => {
  const used = new Set<string>()
  return Array.from({ length: count }, (_, rank): Asset => {
    const id = rank === 0 ? "native" : `jetton:${makeAddress(dice)}`
    const known = rank < pegs ? pegged[rank] : undefined
    if (known !== undefined) {
      const price = (known.peg === "ton" ? 1 : tonPerDollar) * (rank < 2 ? 1 : dice.logNormal(1, 0.0005))
      return { ...known, id, image: image(dice), price: perUnit(price, known.decimals) }
    }
    let name = symbol(dice, 2)
    while (used.has(name)) {
      name = symbol(dice, 3)
    }
    used.add(name)
    const decimals = dice.pick([9, 9, 9, 9, 9, 9, 6, 6, 18, 18])
    // Between a millionth and a few thousand dollars: dearer, and six decimals would be too coarse for small pools.
    const price = tonPerDollar * Math.min(5000, Math.max(1e-6, dice.logNormal(0.05, 2.5)))
    return {
      id,
      name: `${name.charAt(0)}${name.slice(1).toLowerCase()} ${dice.pick(kinds)}`,
      symbol: name,
      decimals,
      image: image(dice),
      peg: undefined,
      price: perUnit(price, decimals)
    }
  })
}

export const listText = (assets: ReadonlyArray<Asset>): string =>
  JSON.stringify(
    assets.map(({ decimals, id, image, name, symbol }) =>
      id === "native"
        ? { type: "native", name, symbol, image, decimals }
        : { type: "jetton", address: id.slice("jetton:".length), name, symbol, image, decimals }
    )
  )
