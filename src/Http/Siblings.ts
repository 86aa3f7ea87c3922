/** The threads that serve readers on one port: a client may ask any of them for what another one has. */
import { Context, Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"

export interface Siblings {
  /** Ids of connections begin with it, so that whoever is asked knows where they are. */
  readonly prefix: string
  /** From now on this says whether a connection is here, and notes that its client is there. */
  readonly answer: (ping: (id: string) => boolean) => void
  /** The same of a connection elsewhere. */
  readonly ping: (id: string) => Effect.Effect<boolean>
  /** What all of them have counted, as Prometheus reads it. */
  readonly metrics: Effect.Effect<string>
  /** Whether there is one that takes readers. */
  readonly isServing: () => boolean
}

/** Without others. */
export const Siblings = Context.Reference<Siblings>("ratecast/Http/Siblings", {
  defaultValue: () => ({
    prefix: "",
    answer: () => {},
    ping: () => Effect.succeed(false),
    metrics: PrometheusMetrics.format(),
    isServing: () => true
  })
})
