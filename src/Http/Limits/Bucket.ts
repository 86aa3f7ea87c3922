/** So many a second, and a second's worth at once: for each message of a socket, where a fiber would cost more than the message. */
import type { Clock } from "effect"

export class Bucket {
  private readonly clock: Clock.Clock
  private readonly perSecond: number
  private left: number
  private at: number

  /** `clock`: one that only goes forward. */
  constructor(clock: Clock.Clock, perSecond: number) {
    this.clock = clock
    this.perSecond = perSecond
    this.left = perSecond
    this.at = clock.currentTimeMillisUnsafe()
  }

  take(): boolean {
    const now = this.clock.currentTimeMillisUnsafe()
    this.left = Math.min(this.perSecond, this.left + ((now - this.at) / 1_000) * this.perSecond)
    this.at = now
    if (this.left < 1) return false
    this.left--
    return true
  }
}
