/**
 * Keys for appended rows: of fixed width, so that they sort as text in the order in which they were given; after a
 * restart and with a clock that went back as well.
 */

import { isGivenKey } from "../GivenKey.ts"

/** Of a time in ms, base 36: enough until the year 5188. */
const timeDigits = 9
/** So many in one millisecond. */
const perMillisecond = 36 ** 3

/**
 * How far ahead of the clock of its birth a key may be, and still count as one of ours, ms: with a clock that was set back
 * we go on from where we were. One that is further ahead is of a client's choice, and what follows it could have no room.
 */
const mostAhead = 24 * 60 * 60 * 1000

const keyOf = (at: number, n: number): string =>
  at.toString(36).padStart(timeDigits, "0") + n.toString(36).padStart(3, "0")

export class Keys {
  private at: number
  private n = 0

  /** `now`, and `after`, when the newest commit was made: ms since 1970; `births`: of the rows that there are, as that. */
  constructor(now: number, after: number, births: Iterable<readonly [key: string, at: number]>) {
    this.at = after
    for (const [key, bornAt] of births) {
      if (!isGivenKey(key)) continue
      const at = Number.parseInt(key.slice(0, timeDigits), 36)
      if (at <= Math.max(now, after, bornAt) + mostAhead) this.at = Math.max(this.at, at)
    }
    // What was given in that millisecond is not known.
    this.n = perMillisecond - 1
  }

  /** One that no row has: a client may have chosen it. */
  next(now: number, rows: { readonly has: (key: string) => boolean }): string {
    for (;;) {
      const key = this.following(now)
      if (!rows.has(key)) return key
    }
  }

  private following(now: number): string {
    if (now > this.at) {
      this.at = now
      this.n = 0
    } else if (++this.n >= perMillisecond) {
      this.at++
      this.n = 0
    }
    return keyOf(this.at, this.n)
  }
}
