/** The threads that serve readers on one port: a client may ask any of them for what another one has. */
import { Context, Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"

import type { Caller } from "./Auth/Caller.ts"
import type { Revocation } from "./Auth/Revocations.ts"

/** What the others may ask of one. */
export interface Own {
  /** Whether a connection is here; notes that its client is there. */
  readonly ping: (id: string) => boolean
  /** Who was given a ticket here; it is used up. */
  readonly redeem: (ticket: string) => Caller | undefined
  /** `false`: no more can be remembered. */
  readonly revoke: (revocation: Revocation) => boolean
  /** Brings what its metrics say of readers up to now. */
  readonly count: () => void
}

export interface Siblings {
  /** Ids of connections and tickets begin with it, so that whoever is asked knows where they are. */
  readonly prefix: string
  /** From now on this is asked by the others. */
  readonly answer: (own: Own) => void
  /** The same of what is elsewhere. */
  readonly ping: (id: string) => Effect.Effect<boolean>
  readonly redeem: (ticket: string) => Effect.Effect<Caller | undefined>
  /** Told to all others. */
  readonly revoke: (revocation: Revocation) => Effect.Effect<boolean>
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
    redeem: () => Effect.succeed(undefined),
    revoke: () => Effect.succeed(true),
    metrics: PrometheusMetrics.format(),
    isServing: () => true
  })
})
