/** Time that only goes forward: for whatever waits, while somebody may set the wall clock at any moment. */
import { type Clock, Effect } from "effect"

/**
 * The same clock, but its `currentTimeMillis` is whole milliseconds since a moment that nobody knows. By the wall clock,
 * one that is set back by an hour holds every poll, ping and change for an hour, and one set forward sends everybody
 * away at once.
 */
export const steady = (clock: Clock.Clock): Clock.Clock => {
  const currentTimeMillisUnsafe = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  return {
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}
