/** Leaves alone what fails: after five failures in a row it is tried less and less often, until it succeeds. */
import { Cause, Clock, Duration, Effect, Exit, Option, Schedule, type Scope } from "effect"
import { CircuitBreaker } from "effect/persistence"

import { steady } from "../Steady.ts"

type Guard = <A, E>(
  run: Effect.Effect<A, E>,
  /** Whether this failure counts; one that does not shows that somebody is there. Default: every one. */
  counts?: (failure: E) => boolean
) => Effect.Effect<A, E | CircuitBreaker.CircuitBreakerError>

export type Breaker = Guard & {
  /** For how long nothing is let through, ms; 0 while it is not open. */
  readonly openFor: Effect.Effect<number>
}

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
  const guard: Guard = (run, counts = () => true) =>
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
  const openFor = breaker.state(name).pipe(
    Effect.map((state) => (state._tag === "Open" ? Duration.toMillis(state.retryAfter) : 0)),
    // In memory there is nothing that could fail.
    Effect.orDie,
    Effect.provideService(Clock.Clock, steady(wall))
  )
  return Object.assign(guard, { openFor })
})
