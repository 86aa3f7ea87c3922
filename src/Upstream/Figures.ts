/** What operators read of the polls of a source. */
import { Clock, Effect, Metric } from "effect"

import type { Outcome } from "./Reading.ts"

const polls = Metric.counter("upstream_polls_total", {
  description: "Polls by source and outcome: changed, unchanged, or the code of the failure",
  incremental: true
})
const pollSeconds = Metric.histogram("upstream_poll_seconds", {
  description: "Time of one poll, retries included",
  boundaries: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]
})
const bodySize = Metric.gauge("upstream_body_size", {
  description:
    "Size of the last answer that was read, unpacked, in bytes: what every client would fetch by itself"
})
const rejected = Metric.counter("upstream_polls_rejected_total", {
  description: "Polls not made because the circuit breaker of the source is open",
  incremental: true
})
const breakerOpen = Metric.gauge("upstream_breaker_open", {
  description: "1 while the circuit breaker of the source lets nothing through"
})
const lastAt = Metric.gauge("upstream_last_poll_timestamp_seconds", {
  description: "When the last poll ended, seconds since 1970"
})
const lastSeconds = Metric.gauge("upstream_last_poll_seconds", {
  description: "Time of the last poll, retries included"
})
const nextAt = Metric.gauge("upstream_next_poll_timestamp_seconds", {
  description: "When the next poll is due, seconds since 1970; 0 where it has to be asked for"
})

export const figuresOf = (source: string) => {
  const update = <A>(metric: Metric.Metric<A, unknown>, value: A) =>
    Metric.update(Metric.withAttributes(metric, { source }), value)
  return {
    /** `took`: ms, retries included. */
    polled: Effect.fnUntraced(function* (outcome: Outcome, took: number) {
      yield* update(lastAt, (yield* Clock.currentTimeMillis) / 1000)
      yield* update(lastSeconds, took / 1000)
      yield* update(pollSeconds, took / 1000)
      const label =
        outcome._tag === "Failed" ? outcome.failure.code : outcome._tag === "Bodies" ? "changed" : "unchanged"
      yield* Metric.update(Metric.withAttributes(polls, { source, outcome: label }), 1)
      if (outcome._tag === "Bodies") yield* update(bodySize, outcome.size)
    }),
    /** The breaker did not let one through. */
    rejected: update(rejected, 1),
    /** `next`: when one is due, ms since 1970; `Infinity` where it has to be asked for. */
    due: Effect.fnUntraced(function* (next: number, isOpen: boolean) {
      yield* update(breakerOpen, isOpen ? 1 : 0)
      yield* update(nextAt, Number.isFinite(next) ? next / 1000 : 0)
    })
  }
}
