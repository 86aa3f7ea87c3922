/** A clock whose hands somebody moves, by hours and backwards. What only goes forward, and whoever sleeps, know nothing of it. */
import { type Clock, Effect } from "effect"

export class WallClock implements Clock.Clock {
  /** How far it is set from the time that passes, ms. */
  shift = 0
  private readonly truly: Clock.Clock

  constructor(truly: Clock.Clock) {
    this.truly = truly
  }

  currentTimeMillisUnsafe(): number {
    return this.truly.currentTimeMillisUnsafe() + this.shift
  }
  currentTimeNanosUnsafe(): bigint {
    return this.truly.currentTimeNanosUnsafe() + BigInt(this.shift) * 1_000_000n
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.truly.monotonicTimeNanosUnsafe()
  }
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Parameters<Clock.Clock["sleep"]>[0]): Effect.Effect<void> {
    return this.truly.sleep(duration)
  }
}
