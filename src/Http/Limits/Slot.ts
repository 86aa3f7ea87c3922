/** The place of one connection among all. */
import { Effect } from "effect"

import type { Caller } from "../Auth/Caller.ts"
import { Problem } from "../Problem.ts"
import type { Counts } from "./Counts.ts"

/** Connections end all the time: who is one too many may try again soon, ms. */
const retryAfterMs = 5_000
export const tooMany = (detail: string) => new Problem({ code: "too_many", detail, retryAfterMs })

export class Slot {
  /** From where it comes, as it is counted. */
  readonly address: string
  /** Whoever has the connection releases it, not the end of the request. */
  isKept = false
  private readonly perSubject: Counts
  private subject: string | undefined
  private onRelease: (() => void) | undefined

  constructor(address: string, perSubject: Counts, onRelease: () => void) {
    this.address = address
    this.perSubject = perSubject
    this.onRelease = onRelease
  }

  /** Fails where that subject has as many as it may. */
  belongsTo({ subject }: Caller): Effect.Effect<void, Problem> {
    return Effect.suspend(() => {
      if (subject === undefined || this.subject !== undefined || this.onRelease === undefined)
        return Effect.void
      if (!this.perSubject.take(subject))
        return tooMany("there are as many connections of this subject as may be")
      this.subject = subject
      return Effect.void
    })
  }

  release(): void {
    const { onRelease } = this
    this.onRelease = undefined
    if (onRelease === undefined) return
    if (this.subject !== undefined) this.perSubject.give(this.subject)
    onRelease()
  }
}
