/**
 * Who is reading: how many readers each poll has, and when it was last read by somebody who did not stay. Plain
 * functions, because a reader leaves by a close callback.
 */

export interface Demand {
  readonly readers: number
  /** When a request last read it, ms of the steady clock. */
  readonly touchedAt: number
}

const none: Demand = { readers: 0, touchedAt: -Infinity }

export class Demands {
  private readonly bySource = new Map<string, Demand>()

  of(source: string): Demand {
    return this.bySource.get(source) ?? none
  }

  add(source: string, readers: number, now: number): void {
    const before = this.of(source)
    this.bySource.set(source, { readers: before.readers + readers, touchedAt: now })
  }

  /** Those that nobody reads, and were read last before a time. */
  expire(before: number): void {
    for (const [source, { readers, touchedAt }] of this.bySource)
      if (readers <= 0 && touchedAt < before) this.bySource.delete(source)
  }

  forget(source: string): void {
    if (this.of(source).readers === 0) this.bySource.delete(source)
  }
}
