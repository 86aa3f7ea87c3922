/** The quotas as a thread that serves readers has them: the main thread counts, and is asked. */
import { type Clock, Effect } from "effect"

import type { NoPlace, Place, Quotas } from "../Http.ts"
import type { ThreadAsks, ThreadLine } from "./Messages.ts"

/** Who waits for longer is refused, ms: let in uncounted, they would be more than may be. */
const answeredWithin = 2_000

/** `clock`: that by which the line gives up. */
export const quotasBy = (line: ThreadLine, clock: Clock.Clock): Quotas["Service"] => {
  let places = 0
  const ask = <Name extends "take" | "belongsTo" | "countWrite">(
    name: Name,
    about: ThreadAsks[Name]["about"]
  ): Effect.Effect<ThreadAsks[Name]["answer"] | "late"> =>
    Effect.suspend(() => line.ask(name, about, clock.currentTimeMillisUnsafe() + answeredWithin)).pipe(
      Effect.catch(() => Effect.succeed("late" as const))
    )

  class AskedPlace implements Place {
    /** By which the main thread knows it, from the first question on. */
    private id: number | undefined

    take(address: string): Effect.Effect<NoPlace | undefined> {
      const id = (this.id = places++)
      return ask("take", [id, address])
    }

    belongsTo(subject: string): Effect.Effect<NoPlace | undefined> {
      return this.id === undefined ? Effect.succeed(undefined) : ask("belongsTo", [this.id, subject])
    }

    /** The port keeps the order: whatever has been asked for will have been answered by then. */
    release(): void {
      const { id } = this
      this.id = undefined
      if (id !== undefined) line.tell({ _tag: "Release", place: id })
    }
  }

  return {
    place: () => new AskedPlace(),
    write: (address, subject) => ask("countWrite", [address, subject])
  }
}
