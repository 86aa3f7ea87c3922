/**
 * Quotas: how much there is of what all share, and how much of it one address and one subject may have. Counted once for
 * all, here or elsewhere.
 */
import { Clock, Context, Effect, Layer } from "effect"

import { type Limited, Settings } from "../../Settings.ts"
import { steady } from "../../Steady.ts"
import { Counts } from "./Counts.ts"
import { Rates } from "./Rates.ts"

/** What has as many connections as it may; `late`: whoever counts has not answered in time. */
export type NoPlace = "all" | "address" | "subject" | "late"
/** ms until it may be; `late`: whoever counts has not answered in time. */
export type TooSoon = number | "late"

/** The place of one connection among all. Where it is counted here the answer is there as soon as it is asked for. */
export interface Place {
  readonly take: (address: string) => Effect.Effect<NoPlace | undefined>
  /** Of a place that was taken. */
  readonly belongsTo: (subject: string) => Effect.Effect<NoPlace | undefined>
  /** Gives back whatever was taken, once; also what was asked for and has not been answered. */
  readonly release: () => void
}

export class Quotas extends Context.Service<
  Quotas,
  {
    /** Nothing is taken yet. */
    readonly place: () => Place
    /** Counts one write. */
    readonly write: (address: string, subject: string | undefined) => Effect.Effect<TooSoon | undefined>
  }
>()("ratecast/Http/Quotas") {
  static readonly layer = Layer.effect(
    Quotas,
    Effect.flatMap(Settings, ({ limits }) => quotasOf(limits))
  )
}

export const quotasOf = (
  limited: Omit<Limited, "authFailuresPerMinute" | "messagesPerSecond" | "trustedProxies">
): Effect.Effect<Quotas["Service"]> =>
  Effect.map(Clock.Clock, (clock) => {
    const room: Room = {
      left: limited.connections,
      perAddress: new Counts(limited.connectionsPerAddress),
      perSubject: new Counts(limited.connectionsPerSubject)
    }
    const writes = new Rates(steady(clock), limited.writesPerSecond, limited.writeBurst)
    return Quotas.of({
      place: () => new CountedPlace(room),
      write: (address, subject) => {
        const ofAddress = writes.take(`address ${address}`)
        if (subject === undefined) return ofAddress
        return Effect.flatMap(writes.take(`subject ${subject}`), (tooSoon) =>
          tooSoon === undefined ? ofAddress : Effect.succeed(tooSoon)
        )
      }
    })
  })

interface Room {
  left: number
  readonly perAddress: Counts
  readonly perSubject: Counts
}

const answer = (why: NoPlace | undefined) => Effect.succeed(why)
const given = answer(undefined)
const none = { all: answer("all"), address: answer("address"), subject: answer("subject") }

class CountedPlace implements Place {
  private readonly room: Room
  /** While it is taken. */
  private address: string | undefined
  private subject: string | undefined

  constructor(room: Room) {
    this.room = room
  }

  take(address: string): Effect.Effect<NoPlace | undefined> {
    const { room } = this
    if (room.left <= 0) return none.all
    if (!room.perAddress.take(address)) return none.address
    room.left--
    this.address = address
    return given
  }

  belongsTo(subject: string): Effect.Effect<NoPlace | undefined> {
    // The connection may have ended meanwhile.
    if (this.address === undefined || this.subject !== undefined) return given
    if (!this.room.perSubject.take(subject)) return none.subject
    this.subject = subject
    return given
  }

  release(): void {
    const { address, room, subject } = this
    if (address === undefined) return
    this.address = undefined
    room.left++
    room.perAddress.give(address)
    if (subject !== undefined) room.perSubject.give(subject)
  }
}
