/** Who reads on one connection: until when they may, and with what they come back. */
import { Deferred, Effect } from "effect"

import { type GoodbyeCode, pingMessage, type Reader } from "../Hub.ts"
import type { Caller } from "./Auth/Caller.ts"
import type { Ending } from "./Auth/Watches.ts"
import type { Slot } from "./Limits/Slot.ts"
import type { Problem } from "./Problem.ts"
import type { Ground } from "./Road.ts"

/** Before the end of a connection that was opened by a ticket another one is sent, ms; it is good until a while after. */
const announceBefore = 60_000
const announcedFor = 90_000
/** With these nobody comes back. */
const forGood: ReadonlySet<GoodbyeCode> = new Set(["expired", "revoked", "unauthenticated", "forbidden"])

const none = (): void => {}

export class Visit {
  caller: Caller
  readonly slot: Slot
  private readonly ground: Pick<Ground, "auth" | "hub">
  private end: ((why: Ending) => void) | undefined
  private unwatch = none
  private cancelTicket = none
  private renewing: Deferred.Deferred<void> | undefined

  /** Has the slot from now on. */
  constructor(ground: Pick<Ground, "auth" | "hub">, caller: Caller, slot: Slot) {
    this.ground = ground
    this.caller = caller
    this.slot = slot
    slot.isKept = true
  }

  /** `end` is called when the caller's token ends. */
  begin(end: (why: Ending) => void): void {
    this.end = end
    this.watch()
  }

  /** The caller as of all that has been said before. */
  get current(): Effect.Effect<Caller> {
    return Effect.suspend(() =>
      this.renewing === undefined
        ? Effect.succeed(this.caller)
        : Effect.map(Deferred.await(this.renewing), () => this.caller)
    )
  }

  /** From now on another token of the same subject counts; one after the other, in the order they came. */
  renew(token: string): Effect.Effect<void, Problem> {
    return Effect.suspend(() => {
      const before = this.renewing
      const done = Deferred.makeUnsafe<void>()
      this.renewing = done
      return (before === undefined ? Effect.void : Deferred.await(before)).pipe(
        Effect.andThen(Effect.suspend(() => this.ground.auth.renew(this.caller, token, this.slot.address))),
        Effect.map((next) => {
          // Meanwhile the connection may have ended.
          if (this.end === undefined) return
          this.caller = next
          this.watch()
        }),
        Effect.ensuring(
          Effect.sync(() => {
            if (this.renewing === done) this.renewing = undefined
            Deferred.doneUnsafe(done, Effect.void)
          })
        )
      )
    })
  }

  /** Who cannot show anything but a ticket gets one before the connection ends, should its goodbye be lost. */
  announce(reader: Reader, say: (ping: string, cursor: string) => void): void {
    this.cancelTicket()
    const { auth, hub } = this.ground
    if (this.end === undefined) return
    const left = this.caller.byTicket ? hub.endsIn(reader) : undefined
    if (left === undefined) return
    this.cancelTicket = hub.after(Math.max(0, left - announceBefore), () => {
      const ticket = auth.ticket(this.caller, announcedFor)
      const cursor = hub.stands(reader)
      if (ticket === undefined || cursor === undefined) return
      say(pingMessage({ from: cursor, cursor, at: hub.at(), asOf: [], ticket }), cursor)
    })
  }

  /** What a goodbye says beside why. */
  farewell(code: GoodbyeCode): { readonly ticket?: string } {
    if (!this.caller.byTicket || forGood.has(code)) return {}
    const ticket = this.ground.auth.ticket(this.caller)
    return ticket === undefined ? {} : { ticket }
  }

  leave(): void {
    this.end = undefined
    this.unwatch()
    this.cancelTicket()
    this.slot.release()
  }

  private watch(): void {
    this.unwatch()
    this.unwatch = this.ground.auth.watch(this.caller, (why) => this.end?.(why))
  }
}
