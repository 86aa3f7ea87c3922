/** How often what one source causes may leave: the newest reading wins, and the last one is always delivered. */
import { Duration } from "effect"

import type { Throttle as Options } from "../Config.ts"

export class Throttle<A> {
  private readonly every: number
  private readonly leading: boolean
  private lastAt = -Infinity
  private held: A | undefined

  constructor({ every, leading = true }: Options) {
    this.every = Duration.toMillis(Duration.fromInputUnsafe(every))
    this.leading = leading
  }

  /**
   * Offers what came: it leaves now, or it is held, in the place of what was held before. Where a time of waiting
   * begins, `wait` is how long it is in ms, and then `release` is due.
   */
  offer(value: A, now: number, replace: (held: A) => A): { readonly leaves?: A; readonly wait?: number } {
    if (this.held !== undefined) {
      this.held = replace(this.held)
      return {}
    }
    const wait = this.leading ? this.lastAt + this.every - now : this.every
    if (wait > 0) {
      this.held = value
      return { wait }
    }
    this.lastAt = now
    return { leaves: value }
  }

  /** Says more about what is held; `false` where nothing is. */
  revise(change: (held: A) => A): boolean {
    if (this.held === undefined) return false
    this.held = change(this.held)
    return true
  }

  /** Lets go of what is held. */
  release(now: number): A | undefined {
    const released = this.held
    this.held = undefined
    if (released !== undefined) this.lastAt = now
    return released
  }
}
