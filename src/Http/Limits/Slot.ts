/** The place of one connection among all, as long as somebody has it. */
import { Effect } from "effect"

import type { Caller } from "../Auth/Caller.ts"
import { Problem } from "../Problem.ts"
import type { NoPlace, Place } from "./Quotas.ts"

/** Connections end all the time: who is one too many may try again soon, ms. */
const retryAfterMs = 5_000
const whose = { all: "", address: " of this address", subject: " of this subject" }

export const noPlace = (why: NoPlace): Problem =>
  why === "late"
    ? new Problem({
        code: "unavailable",
        detail: "whether there is room for one more was not known in time; try again",
        retryAfterMs
      })
    : new Problem({
        code: "too_many",
        detail: `there are as many connections${whose[why]} as may be`,
        retryAfterMs
      })

export class Slot {
  /** From where it comes, as it is counted. */
  readonly address: string
  /** Whoever has the connection releases it, not the end of the request. */
  isKept = false
  private readonly place: Place

  constructor(address: string, place: Place) {
    this.address = address
    this.place = place
  }

  take(): Effect.Effect<NoPlace | undefined> {
    return this.place.take(this.address)
  }

  /** Fails where that subject has as many as it may. */
  belongsTo({ subject }: Caller): Effect.Effect<void, Problem> {
    return subject === undefined
      ? Effect.void
      : Effect.flatMap(this.place.belongsTo(subject), (why) =>
          why === undefined ? Effect.void : noPlace(why)
        )
  }

  release(): void {
    this.place.release()
  }
}
