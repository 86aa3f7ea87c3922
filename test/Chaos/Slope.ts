/**
 * Whether a series of samples rises: the median of the slopes between all pairs (Theil and Sen), which no outlier moves, and
 * how far the true slope may be from it (Sen's interval, by Kendall's variance). Garbage collection makes memory a saw whose
 * teeth are correlated, so what is looked at is the lowest sample of each of some thirty stretches.
 */
export interface Sample {
  /** s */
  readonly at: number
  readonly value: number
}

export interface Slope {
  /** A second. */
  readonly median: number
  /** It is no less and no more than this, in 95 of 100 cases. */
  readonly least: number
  readonly most: number
}

const stretches = 30
const confidence = 1.96

export const lowest = (samples: ReadonlyArray<Sample>): ReadonlyArray<Sample> => {
  const size = Math.max(1, Math.floor(samples.length / stretches))
  const found: Array<Sample> = []
  for (let from = 0; from + size <= samples.length; from += size)
    found.push(
      samples.slice(from, from + size).reduce((least, each) => (each.value < least.value ? each : least))
    )
  return found
}

export const slopeOf = (samples: ReadonlyArray<Sample>): Slope => {
  const slopes: Array<number> = []
  for (const [i, a] of samples.entries())
    for (const b of samples.slice(i + 1)) if (b.at > a.at) slopes.push((b.value - a.value) / (b.at - a.at))
  slopes.sort((a, b) => a - b)
  const n = samples.length
  const spread = confidence * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  const at = (index: number) => slopes[Math.min(Math.max(Math.round(index), 0), slopes.length - 1)] ?? 0
  return {
    median: at((slopes.length - 1) / 2),
    least: at((slopes.length - spread) / 2),
    most: at((slopes.length + spread) / 2)
  }
}
