/**
 * How far a field may drift before it is committed again. Always measured from the value last *committed*, so that slow
 * drift cannot hide; or in time, and then what is held back leaves by itself when its time is over.
 */
import { Duration } from "effect"

import { type Delta, field, type Json, type Row } from "../Collection.ts"
import type { Tolerance as Options } from "../Config.ts"
import { scaleOf, toScaled } from "../Decimal.ts"
import type { Hold } from "./Diff.ts"

interface Limit {
  readonly absolute: number
  readonly relative: number
  /** ms, 0 for none */
  readonly every: number
}

export class Tolerance {
  private readonly limits: ReadonlyMap<string, Limit>
  /** When each field limited in time last moved, by field and key, ms since 1970. */
  private readonly movedAt = new Map<string, Map<string, number>>()
  private now = 0
  /** Rows with a field that waits for its time, as they shall be then. */
  private readonly waiting = new Map<string, Row>()
  private heldKeys = new Map<string, number>()

  constructor(options: { readonly [name: string]: Options }) {
    this.limits = new Map(
      Object.entries(options).map(([name, { absolute = 0, every, relative = 0 }]) => [
        name,
        {
          absolute,
          relative,
          every: every === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(every))
        }
      ])
    )
    for (const [name, { every }] of this.limits) if (every > 0) this.movedAt.set(name, new Map())
  }

  /** Before a diff at this time. */
  begin(now: number): void {
    this.now = now
    this.heldKeys = new Map()
  }

  readonly holds: Hold = (key, name, committed, next) => {
    const limit = this.limits.get(name)
    if (limit === undefined || committed === undefined || next === undefined) return false
    if (isWithin(limit, committed, next)) return true
    const moved = this.movedAt.get(name)?.get(key)
    // Where the clock was set back since, nothing is known of how long ago that was.
    if (moved === undefined || this.now < moved || this.now - moved >= limit.every) return false
    this.heldKeys.set(key, Math.min(this.heldKeys.get(key) ?? Infinity, moved + limit.every))
    return true
  }

  /** After a diff that looked at `keys` (all, where undefined): what it commits, and what waits for its time. */
  end(delta: Delta, next: (key: string) => Row | undefined, keys?: Iterable<string>): void {
    for (const [name, moved] of this.movedAt) {
      for (const [key, row] of delta.put) if (field(row, name) !== undefined) moved.set(key, this.now)
      for (const [key, edit] of delta.set) if (edit.fields.includes(name)) moved.set(key, this.now)
      for (const key of delta.remove) moved.delete(key)
    }
    if (keys === undefined) this.waiting.clear()
    else for (const key of keys) this.waiting.delete(key)
    for (const key of this.heldKeys.keys()) {
      const row = next(key)
      if (row !== undefined) this.waiting.set(key, row)
    }
  }

  /** Rows that wait, as they shall be. */
  get pending(): ReadonlyMap<string, Row> {
    return this.waiting
  }

  /** When the first field that waits may leave, ms since 1970; Infinity where none does. */
  due(): number {
    let due = Infinity
    for (const key of this.waiting.keys()) {
      for (const [name, moved] of this.movedAt) {
        const at = (moved.get(key) ?? -Infinity) + this.limits.get(name)!.every
        if (at > this.now) due = Math.min(due, at)
      }
    }
    return due
  }
}

const isWithin = ({ absolute, relative }: Limit, committed: Json, next: Json): boolean => {
  if (absolute === 0 && relative === 0) return false
  if (typeof committed === "number" && typeof next === "number") {
    const drift = Math.abs(next - committed)
    return drift <= absolute || drift <= relative * Math.abs(committed)
  }
  return typeof committed === "string" && typeof next === "string"
    ? isExactlyWithin(String(absolute), String(relative), committed, next)
    : false
}

/** Of decimal texts, all four: doubles would not see the last digits of a long one, nor anything of a very small one. */
const isExactlyWithin = (absolute: string, relative: string, committed: string, next: string): boolean => {
  const [from, to] = [scaleOf(committed), scaleOf(next)]
  if (from === undefined || to === undefined) return false
  const scale = Math.max(from, to, scaleOf(absolute)!)
  const start = toScaled(committed, scale)
  const drift = size(toScaled(next, scale) - start)
  const share = scaleOf(relative)!
  return (
    drift <= toScaled(absolute, scale) ||
    drift * 10n ** BigInt(share) <= toScaled(relative, share) * size(start)
  )
}

const size = (value: bigint): bigint => (value < 0n ? -value : value)
