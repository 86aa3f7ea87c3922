/**
 * Seeded chance: the same seed and name give the same numbers. Each use has a die of its own name, so that a slow
 * answer or a late poll can never change what happens in the world.
 */
export interface Dice {
  /** 32 random bits. */
  readonly word: () => number
  /** [0, 1) */
  readonly uniform: () => number
  /** 0 … n - 1 */
  readonly below: (n: number) => number
  readonly chance: (probability: number) => boolean
  readonly normal: (mean?: number, deviation?: number) => number
  readonly logNormal: (median: number, deviation: number) => number
  /** The wait until the next event of a Poisson process. */
  readonly wait: (perSecond: number) => number
  readonly pick: <A>(items: ReadonlyArray<A>) => A
}

export const makeDice = (seed: number, name: string): Dice => {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0
  for (const char of name) {
    state = Math.imul(state ^ char.codePointAt(0)!, 0x01000193)
  }

  // splitmix32: small, and good enough for prices nobody can lose money on.
  const word = () => {
    state = (state + 0x9e3779b9) | 0
    let bits = state ^ (state >>> 16)
    bits = Math.imul(bits, 0x21f0aaad)
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
    return (bits ^ (bits >>> 15)) >>> 0
  }
  const uniform = () => word() / 2 ** 32
  const below = (n: number) => Math.floor(uniform() * n)
  const normal = (mean = 0, deviation = 1) =>
    mean + deviation * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())

  return {
    word,
    uniform,
    below,
    normal,
    chance: (probability) => uniform() < probability,
    logNormal: (median, deviation) => median * Math.exp(normal(0, deviation)),
    wait: (perSecond) => -Math.log(1 - uniform()) / perSecond,
    pick: (items) => items[below(items.length)]!
  }
}
