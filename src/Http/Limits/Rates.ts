/** How often somebody may do something, by Effect's RateLimiter. */
import { Clock, Duration, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"

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

  /** Where it is too soon: after how many ms it is possible again. */
  take(name: string): Effect.Effect<number | undefined> {
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
      Effect.as(undefined),
      Effect.provideService(Clock.Clock, this.clock),
      Effect.catchTag("RateLimiterError", ({ reason }) =>
        reason._tag === "RateLimitExceeded"
          ? Effect.succeed(Math.max(1, Duration.toMillis(reason.retryAfter)))
          : Effect.die(reason)
      )
    )
  }
}
