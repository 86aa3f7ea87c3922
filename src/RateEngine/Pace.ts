/** Who may write to a collection how often: once in a time each, on whatever thread and over whatever restart of a client. */

/** The one who wrote longest ago is forgotten first, and may write again at once. */
const mostKept = 100_000

export class Pace {
  /** ms */
  readonly every: number
  /** By who writes, when they may again, ms of the steady clock; the first is the first to be over. */
  private readonly again = new Map<string, number>()

  constructor(every: number) {
    this.every = every
  }

  /** What takes it back, where nothing was written after all; or so many ms too soon. */
  take(who: string, now: number): (() => void) | number {
    for (const [one, at] of this.again) {
      if (at > now && this.again.size < mostKept) break
      this.again.delete(one)
    }
    const wait = (this.again.get(who) ?? 0) - now
    if (wait > 0) return wait
    const at = now + this.every
    this.again.set(who, at)
    return () => {
      if (this.again.get(who) === at) this.again.delete(who)
    }
  }
}
