/** What happened, counted. */
export class Tally {
  private readonly counts = new Map<string, number>()
  private readonly times = new Map<string, Array<number>>()

  add(name: string, count = 1): void {
    this.counts.set(name, this.of(name) + count)
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0
  }

  /** Those whose names begin so, without that beginning. */
  under(beginning: string): string {
    const found = [...this.counts].filter(([name]) => name.startsWith(beginning))
    return found.length === 0
      ? "none"
      : found
          .toSorted(([, a], [, b]) => b - a)
          .map(([name, count]) => `${name.slice(beginning.length)} ${count.toLocaleString("en")}`)
          .join(" · ")
  }

  time(name: string, ms: number): void {
    const all = this.times.get(name)
    if (all === undefined) this.times.set(name, [ms])
    else all.push(ms)
  }

  /** p50, p99 and the longest. */
  spread(name: string): string {
    return spread(this.times.get(name) ?? [])
  }
}

export const spread = (times: ReadonlyArray<number>): string => {
  if (times.length === 0) return "none"
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  return `p50 ${seconds(at(0.5))} · p99 ${seconds(at(0.99))} · most ${seconds(sorted.at(-1)!)}  (${sorted.length.toLocaleString("en")})`
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
