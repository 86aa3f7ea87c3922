/**
 * Newcomers take turns. Ten thousand that wait for one snapshot would all be served the moment it is built, and hold the
 * event loop for seconds; so would as many that come back at once.
 */
import { type Clock, Effect } from "effect"

/** The event loop is left to others after this long, ms. */
const slice = 4

export class Turns {
  private readonly clock: Clock.Clock
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly waiting = new Set<(turn: Effect.Effect<void>) => void>()
  /** `undefined` where nobody has had a turn since the event loop was last left. */
  private heldSince: number | undefined

  constructor(clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => void) {
    this.clock = clock
    this.fork = fork
  }

  /** Waits for a turn; for nothing where the loop has not been held for long. First come, first served. */
  readonly take: Effect.Effect<void> = Effect.suspend(() => {
    const isFirst = this.heldSince === undefined
    this.heldSince ??= this.now
    if (isFirst) this.fork(this.round)
    if (this.waiting.size === 0 && this.now - this.heldSince < slice) return Effect.void
    return Effect.callback<void>((resume) => {
      this.waiting.add(resume)
      return Effect.sync(() => this.waiting.delete(resume))
    })
  })

  private get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** Whoever is resumed runs to where it waits again before this goes on. */
  private readonly round: Effect.Effect<void> = Effect.gen({ self: this }, function* (this: Turns) {
    do {
      yield* Effect.yieldNow
      this.heldSince = this.now
      for (const resume of this.waiting) {
        this.waiting.delete(resume)
        resume(Effect.void)
        if (this.now - this.heldSince >= slice) break
      }
    } while (this.waiting.size > 0)
    this.heldSince = undefined
  })
}
