/** Leaves alone what fails: after five failures in a row it is tried less and less often, until it succeeds. */
import { Cause, Clock, Duration, Effect, Exit, Option, Schedule, type Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"

import { steady } from "../Steady.ts"

export type Breaker = <A, E>(
  run: Effect.Effect<A, E>,
  /** Whether this failure counts; one that does not shows that somebody is there. Default: every one. */
  counts?: (failure: E) => boolean
) => Effect.Effect<A, E | CircuitBreaker.CircuitBreakerError>

/** `first`: how long it is left alone at first; `most`: at last. Both ms. */
export const makeBreaker = Effect.fnUntraced(function* (
  name: string,
  { first, most }: { readonly first: number; readonly most: number }
): Effect.fn.Return<Breaker, never, Scope.Scope> {
  const wall = yield* Clock.Clock
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(5),
    openDuration: Schedule.min([Schedule.exponential(first), Schedule.spaced(most)]),
    maxOpenDuration: Duration.minutes(15)
  }).pipe(Effect.provide(CircuitBreaker.layerStoreMemory()))
  return (run, counts = () => true) =>
    run.pipe(
      Effect.provideService(Clock.Clock, wall),
      (whole) =>
        breaker.execute(whole, {
          key: name,
          classify: (exit) => {
            if (Exit.isSuccess(exit)) return CircuitBreaker.success
            const failure = Cause.findErrorOption(exit.cause)
            return Option.isSome(failure) && !counts(failure.value)
              ? CircuitBreaker.success
              : CircuitBreaker.failure()
          }
        }),
      // For how long it stays open is told by this clock.
      Effect.provideService(Clock.Clock, steady(wall))
    )
})
