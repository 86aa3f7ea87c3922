/** Keys as people ask for them: a few by very many, most by hardly anybody. The same in every run. */
import { keyOf } from "./Event.ts"

export class Zipf {
  private readonly sums: Float64Array
  private seed: number

  /** Rank `r` of `size` is drawn in proportion to 1/r. */
  constructor(size: number, seed: number) {
    this.seed = seed
    this.sums = new Float64Array(size)
    let sum = 0
    for (let i = 0; i < size; i++) this.sums[i] = sum += 1 / (i + 1)
  }

  /** So many different keys. */
  keys(count: number): ReadonlySet<string> {
    const keys = new Set<string>()
    while (keys.size < count) keys.add(keyOf(this.rank()))
    return keys
  }

  private rank(): number {
    const wanted = this.random() * this.sums.at(-1)!
    let low = 0
    let high = this.sums.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }

  /** mulberry32 */
  private random(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0
    let t = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
