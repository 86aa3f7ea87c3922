/**
 * Tickets: what an `EventSource` can show in place of a header. Each opens one connection, once and soon, so the URL it
 * stood in is worth nothing to whoever finds it.
 */
import { randomBytes } from "node:crypto"

import type { Clock } from "effect"

import type { Caller } from "./Caller.ts"

/** ms */
export const ticketFor = 30_000
/** Tickets that wait at once; each holds a caller. */
const most = 20_000

interface Ticket {
  readonly caller: Caller
  /** ms of the steady clock */
  readonly until: number
}

export class Tickets {
  readonly prefix: string
  private readonly clock: Clock.Clock
  private readonly issued = new Map<string, Ticket>()

  /** `clock`: one that only goes forward. `prefix`: of each, by which it is known where it was issued. */
  constructor(clock: Clock.Clock, prefix: string) {
    this.clock = clock
    this.prefix = prefix
  }

  /** `undefined`: too many wait. */
  issue(caller: Caller, forMs = ticketFor): string | undefined {
    const now = this.clock.currentTimeMillisUnsafe()
    this.forget(now)
    if (this.issued.size >= most) return undefined
    const ticket = this.prefix + randomBytes(16).toString("base64url")
    this.issued.set(ticket, { caller: { ...caller, byTicket: true, byCookie: false }, until: now + forMs })
    return ticket
  }

  /** Taken out before it is looked at: of many who come with it at once one is let in. */
  redeem(ticket: string): Caller | undefined {
    const found = this.issued.get(ticket)
    this.issued.delete(ticket)
    return found !== undefined && found.until > this.clock.currentTimeMillisUnsafe()
      ? found.caller
      : undefined
  }

  /** The oldest; those that live longer are met again later. */
  private forget(now: number): void {
    for (const [ticket, { until }] of this.issued) {
      if (until > now) return
      this.issued.delete(ticket)
    }
  }
}
