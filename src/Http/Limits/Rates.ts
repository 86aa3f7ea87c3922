/** How often somebody may do something, by Effect's RateLimiter. */
import { Clock, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"

import { Problem } from "../Problem.ts"

/** The store in memory never forgets a name, so from so many on it is begun anew: everybody has their burst again. */
const mostNames = 100_000

const fresh = RateLimiter.make.pipe(Effect.provide(Layer.fresh(RateLimiter.layerStoreMemory)))

export class Rates {
  private readonly clock: Clock.Clock
  private readonly perSecond: number
  private readonly burst: number
  private limiter: RateLimiter.RateLimiter | undefined
  private readonly names = new Set<string>()

  /** `clock`: one that only goes forward. */
  constructor(clock: Clock.Clock, perSecond: number, burst: number) {
    this.clock = clock
    this.perSecond = perSecond
    this.burst = burst
  }

  /** Fails with the time after which it is possible again. */
  take(name: string, detail: string): Effect.Effect<void, Problem> {
    return Effect.gen({ self: this }, function* () {
      if (this.names.size >= mostNames && !this.names.has(name)) {
        this.names.clear()
        this.limiter = undefined
      }
      this.names.add(name)
      const limiter = (this.limiter ??= yield* fresh)
      yield* limiter.consume({
        algorithm: "token-bucket",
        key: name,
        limit: this.burst,
        window: Duration.millis((this.burst / this.perSecond) * 1_000)
      })
    }).pipe(
      Effect.provideService(Clock.Clock, this.clock),
      Effect.catchTag("RateLimiterError", ({ reason }) =>
        reason._tag === "RateLimitExceeded"
          ? new Problem({
              code: "too_many",
              detail,
              retryAfterMs: Math.max(1, Duration.toMillis(reason.retryAfter))
            })
          : Effect.die(reason)
      )
    )
  }
}
