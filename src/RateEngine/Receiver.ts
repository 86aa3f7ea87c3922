/** What becomes of readings: settled at once, or held for a while by the throttle of their source. */
import { type Clock, Deferred, Effect, Exit } from "effect"

import type { Catalog } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import type { PollFailed, Reading } from "../Upstream.ts"
import { Throttle } from "./Throttle.ts"

/** A reading, everybody who waits for it or for one it replaced, and how the source has failed since. */
interface Held {
  readonly reading: Reading
  readonly waiting: ReadonlyArray<Deferred.Deferred<boolean>>
  readonly since?: PollFailed
}

export interface ReceiverHooks {
  /** Makes a commit of it; whether it counted. */
  readonly commit: (reading: Reading, since: PollFailed | undefined) => Effect.Effect<boolean>
  /** Has `release` called after so many ms. */
  readonly later: (source: string, ms: number) => Effect.Effect<unknown>
}

export class Receiver {
  private readonly catalog: Catalog["Service"]
  private readonly clock: Clock.Clock
  private readonly hooks: ReceiverHooks
  private readonly throttles = new Map<string, Throttle<Held>>()

  /** `clock`: one that only goes forward. */
  constructor(catalog: Catalog["Service"], clock: Clock.Clock, hooks: ReceiverHooks) {
    this.catalog = catalog
    this.clock = clock
    this.hooks = hooks
  }

  readonly receive = Effect.fnUntraced({ self: this }, function* (this: Receiver, reading: Reading) {
    const throttle = this.throttleOf(reading.source)
    const held: Held = { reading, waiting: [reading.settled] }
    if (throttle === undefined) return yield* this.settle(held)
    switch (reading.outcome._tag) {
      case "Bodies": {
        const now = this.clock.currentTimeMillisUnsafe()
        const { leaves, wait } = throttle.offer(held, now, ({ waiting }) => ({
          reading,
          waiting: [...waiting, reading.settled]
        }))
        if (wait !== undefined) yield* this.hooks.later(reading.source, wait)
        if (leaves !== undefined) yield* this.settle(leaves)
        return
      }
      case "Unchanged": {
        // What is held is what the upstream says still; whoever waits for this waits for that.
        const joined = throttle.revise(({ reading, waiting }) => ({
          reading,
          waiting: [...waiting, held.reading.settled]
        }))
        return yield* joined ? Effect.void : this.settle(held)
      }
      case "Failed": {
        // Told at once, though the rows that are held have to wait.
        const since = reading.outcome.failure
        throttle.revise((before) => ({ ...before, since }))
        return yield* this.settle(held)
      }
      case "Idle":
        // Whoever waits for what is held back would wait for good.
        throttle.revise((before) => {
          for (const waiter of before.waiting) Deferred.doneUnsafe(waiter, Effect.succeed(false))
          return { ...before, waiting: [] }
        })
        this.throttles.delete(reading.source)
        return yield* this.settle(held)
    }
  })

  /** Lets go of what the throttle of this source holds. */
  release(source: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const released = this.throttles.get(source)?.release(this.clock.currentTimeMillisUnsafe())
      return released === undefined ? Effect.void : this.settle(released)
    })
  }

  private settle({ reading, since, waiting }: Held): Effect.Effect<void> {
    return this.hooks.commit(reading, since).pipe(
      // Whoever waits is told, whatever becomes of it.
      Effect.onExit((exit) => {
        const counts = Exit.isSuccess(exit) && exit.value
        return Effect.forEach(waiting, (waiter) => Deferred.succeed(waiter, counts), { discard: true })
      }),
      Effect.asVoid
    )
  }

  private throttleOf(source: string): Throttle<Held> | undefined {
    const { options } = this.catalog.sources.get(familyOf(source)?.family ?? source)!
    if (options.throttle !== undefined && !this.throttles.has(source))
      this.throttles.set(source, new Throttle(options.throttle))
    return this.throttles.get(source)
  }
}
