/** Connections that end when the token that opened them does: by its time, or because it is revoked. */
import type { Clock } from "effect"

import type { Readers } from "../../Hub.ts"
import type { Caller } from "./Caller.ts"
import { idOf, type Revoked } from "./Revocations.ts"

export type Ending = "expired" | "revoked"

/** The wall clock is looked at again after this long at most, ms: it may be set, and a timer cannot count for years. */
const look = 60_000

interface Watch {
  readonly caller: Caller
  readonly end: (why: Ending) => void
}

const none = (): void => {}

export class Watches {
  private readonly hub: Readers["Service"]
  private readonly clock: Clock.Clock
  private readonly watches = new Map<string, Set<Watch>>()

  /** `clock`: of the wall. */
  constructor(hub: Readers["Service"], clock: Clock.Clock) {
    this.hub = hub
    this.clock = clock
  }

  /** Gives what takes it out again. */
  add(caller: Caller, end: (why: Ending) => void): () => void {
    const { expiresAt } = caller
    const ids = idsOf(caller)
    if (expiresAt === undefined && ids.length === 0) return none
    const watch: Watch = { caller, end }
    for (const id of ids) {
      const those = this.watches.get(id)
      if (those === undefined) this.watches.set(id, new Set([watch]))
      else those.add(watch)
    }
    let cancel = none
    if (expiresAt !== undefined) {
      const arm = (): void => {
        const left = expiresAt - this.clock.currentTimeMillisUnsafe()
        cancel = this.hub.after(Math.max(0, Math.min(left, look)), left > look ? arm : fire)
      }
      const fire = (): void => {
        if (expiresAt > this.clock.currentTimeMillisUnsafe()) return arm()
        end("expired")
      }
      arm()
    }
    return () => {
      cancel()
      for (const id of ids) {
        const those = this.watches.get(id)
        those?.delete(watch)
        if (those?.size === 0) this.watches.delete(id)
      }
    }
  }

  /** Ends those whose token is revoked by this. */
  revoke(revoked: Revoked, isRevoked: (caller: Caller) => boolean): void {
    for (const { caller, end } of this.watches.get(idOf(revoked)) ?? []) if (isRevoked(caller)) end("revoked")
  }
}

const idsOf = ({ subject, tokenId }: Caller): ReadonlyArray<string> => [
  ...(subject === undefined ? [] : [idOf({ sub: subject })]),
  ...(tokenId === undefined ? [] : [idOf({ jti: tokenId })])
]
