/** What several threads have counted, added up. Each counts what happens on it and nothing else, so the sum is the whole. */
import type { Metric } from "effect"

type Snapshot = Metric.Metric.Snapshot
type Of<Type extends Snapshot["type"]> = Extract<Snapshot, { readonly type: Type }>["state"]

export class Totals {
  private readonly metrics = new Map<string, Snapshot>()

  add(snapshots: Iterable<Snapshot>): this {
    for (const snapshot of snapshots) {
      const attributes = Object.entries(snapshot.attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
      const id = JSON.stringify([snapshot.id, snapshot.type, attributes])
      const before = this.metrics.get(id)
      this.metrics.set(id, before === undefined ? snapshot : summed(before, snapshot))
    }
    return this
  }

  /** Of a thread that has ended: a counter that fell would be read as one that began anew. What is now is no more. */
  addCounted(snapshots: Iterable<Snapshot>): this {
    return this.add([...snapshots].filter(({ type }) => type !== "Gauge"))
  }

  values(): Iterable<Snapshot> {
    return this.metrics.values()
  }

  /** For whatever reads metrics from a registry. */
  registry(): Metric.MetricRegistry {
    return new Map(
      [...this.metrics].map(([id, { state, ...meta }]) => [
        id,
        { ...meta, hooks: { get: () => state, update: ignore, modify: ignore } }
      ])
    )
  }
}

/** Nothing is counted on a sum. */
const ignore = () => {}

const summed = (a: Snapshot, b: Snapshot): Snapshot => {
  switch (a.type) {
    case "Counter": {
      const [one, other] = [a.state, b.state as Of<"Counter">]
      return { ...a, state: { ...one, count: plus(one.count, other.count) } }
    }
    case "Gauge": {
      const [one, other] = [a.state.value, (b.state as Of<"Gauge">).value]
      // How long something takes does not add up: the longest counts.
      return {
        ...a,
        state: { value: a.id.endsWith("_seconds") ? (one > other ? one : other) : plus(one, other) }
      }
    }
    case "Frequency": {
      const occurrences = new Map(a.state.occurrences)
      for (const [word, count] of (b.state as Of<"Frequency">).occurrences)
        occurrences.set(word, (occurrences.get(word) ?? 0) + count)
      return { ...a, state: { occurrences } }
    }
    case "Histogram": {
      const [one, other] = [a.state, b.state as Of<"Histogram">]
      const counts = new Map(other.buckets)
      return {
        ...a,
        state: {
          buckets: one.buckets.map(([boundary, count]) => [boundary, count + (counts.get(boundary) ?? 0)]),
          count: one.count + other.count,
          sum: one.sum + other.sum,
          min: Math.min(one.min, other.min),
          max: Math.max(one.max, other.max)
        }
      }
    }
    case "Summary":
      // Quantiles of several cannot be made from theirs.
      return a
  }
}

const plus = (a: number | bigint, b: number | bigint): number | bigint =>
  typeof a === "bigint" && typeof b === "bigint" ? a + b : Number(a) + Number(b)
