/** How the readers are just now, for the metrics: counted when somebody looks, since it goes over all of them. */
import { type Context, Metric } from "effect"

import type { Reader } from "./Audience.ts"
import type { Framing } from "./Framing.ts"
import { stalledAfter } from "./Register.ts"

const byRoad = Metric.gauge("hub_road_readers", { description: "Readers by road: stream, socket, changes" })
const cohortsNow = Metric.gauge("hub_cohorts", {
  description: "Groups of readers that stand at the same place of the same query, and share every frame"
})
const behindNow = Metric.gauge("hub_readers_behind", {
  description: "Readers whose connection has not taken all of its last frame"
})
const slowest = Metric.gauge("hub_slowest_reader_seconds", {
  description: "For how long the slowest of them has taken nothing; one that takes nothing for 60 s is ended"
})

const roads = ["stream", "socket", "changes"] as const

const roadOf = (framing: Framing): (typeof roads)[number] =>
  framing === "socket" || framing === "deflateSocket"
    ? "socket"
    : framing === "text" || framing === "gzipText"
      ? "changes"
      : "stream"

/** `now`: ms of the steady clock. */
export const census = (readers: Iterable<Reader>, now: number, context: Context.Context<never>): void => {
  const counts = { stream: 0, socket: 0, changes: 0 }
  const cohorts = new Set<unknown>()
  let behind = 0
  let longest = 0
  for (const { cohort, sink, stall } of readers) {
    counts[roadOf(sink.framing)]++
    if (cohort !== undefined) cohorts.add(cohort)
    if (stall === undefined) continue
    behind++
    longest = Math.max(longest, now - (stall.at - stalledAfter))
  }
  for (const road of roads) Metric.withAttributes(byRoad, { road }).updateUnsafe(counts[road], context)
  cohortsNow.updateUnsafe(cohorts.size, context)
  behindNow.updateUnsafe(behind, context)
  slowest.updateUnsafe(longest / 1000, context)
}
