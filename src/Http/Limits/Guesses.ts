/**
 * Guesses at the key and at tokens: of one address so many may be wrong in a minute, and further ones are not even looked
 * at. What has been good before is looked at whatever others guess, so that whoever shares the address goes on.
 */
import { createHash } from "node:crypto"

import type { Clock } from "effect"

/** Addresses, and tokens that were good; the oldest are forgotten. */
const most = 20_000
const minute = 60_000

interface Missed {
  /** How many may still be wrong. */
  readonly left: number
  /** ms of the steady clock */
  readonly at: number
}

export class Guesses {
  private readonly clock: Clock.Clock
  private readonly perMinute: number
  private readonly missed = new Map<string, Missed>()
  private readonly good = new Set<string>()

  /** `clock`: one that only goes forward. */
  constructor(clock: Clock.Clock, perMinute: number) {
    this.clock = clock
    this.perMinute = perMinute
  }

  /** `undefined`: it may be looked at; else after how many ms one may be. */
  wait(address: string, text: string): number | undefined {
    const { at, left } = this.now(address)
    if (left >= 1 || this.good.has(idOf(text))) return undefined
    return Math.max(
      1,
      Math.ceil(at + ((1 - left) * minute) / this.perMinute - this.clock.currentTimeMillisUnsafe())
    )
  }

  /**
   * Counts one before it is looked at, since many may be looked at together. A number: not now, but after so many ms. Else
   * what takes it back, where it turns out to be no guess.
   */
  take(address: string, text: string): number | (() => void) {
    const wait = this.wait(address, text)
    if (wait !== undefined) return wait
    if (this.good.has(idOf(text))) return () => {}
    this.add(address, -1)
    return () => this.add(address, 1)
  }

  wasGood(text: string): void {
    const id = idOf(text)
    this.good.delete(id)
    this.good.add(id)
    if (this.good.size > most) this.good.delete(first(this.good)!)
  }

  private add(address: string, n: number): void {
    const { at, left } = this.now(address)
    this.missed.delete(address)
    this.missed.set(address, { at, left: Math.min(this.perMinute, left + n) })
    if (this.missed.size > most) this.missed.delete(first(this.missed.keys())!)
  }

  private now(address: string): Missed {
    const now = this.clock.currentTimeMillisUnsafe()
    const { at, left } = this.missed.get(address) ?? { at: now, left: this.perMinute }
    return { at: now, left: Math.min(this.perMinute, left + ((now - at) / minute) * this.perMinute) }
  }
}

const first = <A>(all: Iterable<A>): A | undefined => {
  for (const each of all) return each
  return undefined
}

/** Nothing that is secret is kept. */
const idOf = (text: string): string => createHash("sha256").update(text).digest("base64")
