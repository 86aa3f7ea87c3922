/**
 * Keys for appended rows: of fixed width, so that they sort as text in the order in which they were given; after a
 * restart and with a clock that went back as well.
 */

import { isGivenKey } from "../GivenKey.ts"

/** Of a time in ms, base 36: enough until the year 5188. */
const timeDigits = 9
/** So many in one millisecond. */
const perMillisecond = 36 ** 3

const keyOf = (at: number, n: number): string =>
  at.toString(36).padStart(timeDigits, "0") + n.toString(36).padStart(3, "0")

export class Keys {
  private at: number
  private n = 0

  /** `after`: ms since 1970; `keys`: those that there are. */
  constructor(after: number, keys: Iterable<string>) {
    this.at = after
    for (const key of keys)
      if (isGivenKey(key)) this.at = Math.max(this.at, Number.parseInt(key.slice(0, timeDigits), 36))
    // What was given in that millisecond is not known.
    this.n = perMillisecond - 1
  }

  next(now: number): string {
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
