/** What one WebSocket writes: one write after the other, in the order in which they came. */
import { Cause, Effect, Semaphore } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import { exactly } from "../Upstream.ts"
import { Problem, problemIn } from "./Problem.ts"
import { attempt, type Ground } from "./Road.ts"
import type { Visit } from "./Visit.ts"
import { permitted, problemOf, writable, writeBy, writeInMessage } from "./WriteAsked.ts"

/** More that wait, and the client does not wait for its answers. */
const maxWaiting = 64
const route = { route: "/v1/socket" }

/** The members of an `ack`, or why there is none. */
export type Written = Problem | { readonly epoch: string; readonly revision: number; readonly key: string }

export class SocketWrites {
  private readonly ground: Ground
  private readonly visit: Visit
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly turn = Semaphore.makeUnsafe(1)
  private waiting = 0

  constructor(ground: Ground, visit: Visit, fork: (effect: Effect.Effect<void>) => void) {
    this.ground = ground
    this.visit = visit
    this.fork = fork
  }

  /** `data`: the same as it came. */
  ask(message: { readonly [name: string]: unknown }, data: Buffer, answer: (written: Written) => void): void {
    if (this.waiting >= maxWaiting)
      return answer(
        new Problem({ code: "too_many", detail: "so many writes of this connection wait already" })
      )
    this.waiting++
    const { auth, catalog, hub, limits, writes } = this.ground
    const { current, slot } = this.visit
    const written = Effect.gen(function* () {
      const { collection } = yield* attempt(() => writeInMessage(message))
      const caller = yield* current
      // It may have waited for others meanwhile.
      yield* auth.stillGood(caller)
      yield* attempt(() => writable(catalog, collection, caller))
      yield* limits.write(caller, slot.address)
      // To read it digit by digit costs, so it is done for whoever may write.
      const write = yield* attempt(() => writeInMessage(exact(catalog, message, data)))
      const { key, revision } = yield* writes
        .write(
          writeBy(write, caller, slot.address),
          undefined,
          permitted(auth, caller, write.collection, slot.address, current)
        )
        .pipe(Effect.mapError(problemOf))
      return { epoch: hub.epoch, revision, key }
    })
    this.fork(
      written.pipe(
        // Whoever waits for an answer gets one, whatever becomes of it.
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause) ? Effect.interrupt : Effect.annotateLogs(problemIn(cause), route)
        ),
        this.turn.withPermit,
        Effect.map(answer),
        Effect.ensuring(Effect.sync(() => void this.waiting--))
      )
    )
  }
}

/** With the digits of decimals, which a number has lost. */
const exact = (
  catalog: Catalog["Service"],
  message: { readonly [name: string]: unknown },
  data: Buffer
): { readonly [name: string]: unknown } => {
  const { collection, op } = message
  const declared = typeof collection === "string" ? declares(catalog, collection) : undefined
  if (declared === undefined) return message
  return exactly(data.toString("utf8"), declared.row, op === "patch" ? "set" : "row") as typeof message
}
