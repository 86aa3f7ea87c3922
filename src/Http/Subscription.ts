/** What one WebSocket reads, and what it asked for and does not read yet: of several the last one counts. */
import { Effect, type Fiber } from "effect"

import type { Pace, Query, Reader, Sink } from "../Hub.ts"
import type { Asked } from "./Asked.ts"
import type { Outlet } from "./Outlet.ts"
import { type Problem, unreadable } from "./Problem.ts"
import { resolve, uncovered } from "./Resolve.ts"
import { admission, arrival, attempt, type Ground, queryOf } from "./Road.ts"
import type { Visit } from "./Visit.ts"

/** Subscriptions that wait at once; more, and the client is not serious. */
const maxWanted = 64

/** Tells the client that a subscription counts, or why it does not. */
export type Answer = (problem?: Problem) => void

/** A query that was asked for and does not count yet: it waits for a revision, or for the end of a frame. */
interface Wanted {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Of this subscription and of those that it overtook. */
  readonly answers: ReadonlyArray<Answer>
}

/** Whose subscription it is. */
export interface Subscriber extends Sink {
  readonly sockets: {
    readonly ground: Ground
    readonly fork: (effect: Effect.Effect<void>) => void
  }
  readonly outlet: Outlet
  readonly visit: Visit
  /** Sends a text of its own. */
  readonly say: (text: string) => void
  /** A subscription counts from now on. */
  readonly begun: () => void
}

/** One for all: a reader that asks for no interval has none of its own. */
const unpaced: Pace = { interval: 0, once: false }

export class Subscription {
  private readonly subscriber: Subscriber
  private reader: Reader | undefined
  private wanted: Wanted | undefined
  private onFree: (() => void) | undefined
  private ended = false

  constructor(subscriber: Subscriber) {
    this.subscriber = subscriber
  }

  /** The query on the URL. Most come for the first time: nothing is waited for, and no fiber is needed. */
  begin(
    asked: Asked,
    minRevision: string | undefined,
    refuse: (problem: Problem) => void
  ): Effect.Effect<void> {
    if (asked.since !== undefined || minRevision !== undefined) {
      this.ask(Effect.succeed(asked), minRevision, (problem) => problem && refuse(problem))
      return Effect.void
    }
    return queryOf(this.subscriber.sockets.ground, asked, this.subscriber.visit.caller, minRevision).pipe(
      Effect.flatMap((query) => this.replace(query, asked, [])),
      Effect.catchTag("Problem", (problem) => Effect.sync(() => refuse(problem)))
    )
  }

  /** Until it counts, the one before it goes on; one that is refused changes nothing. */
  ask(asking: Effect.Effect<Asked, Problem>, minRevision: string | undefined, answer: Answer): void {
    const { visit } = this.subscriber
    const { fork, ground } = this.subscriber.sockets
    fork(
      Effect.gen({ self: this }, function* () {
        const asked = yield* asking
        const caller = yield* visit.current
        const query = yield* attempt(() => resolve(ground.catalog, asked, caller, ground.limits.sizes.items))
        const wanted = yield* this.want(answer)
        yield* arrival(ground, asked.since, minRevision)
        const ready = yield* Effect.result(ground.hub.ready(query, asked.since))
        yield* this.untilFree()
        // The token may be another one by now.
        const problem = uncovered(visit.caller, query)
        const admitted = yield* Effect.result(
          problem ?? (ready._tag === "Failure" ? unreadable : admission(ground, query.parts.keys()))
        )
        if (this.ended || this.wanted !== wanted) return
        this.wanted = undefined
        if (admitted._tag === "Success") return yield* this.replace(query, asked, wanted.answers)
        for (const each of wanted.answers) each(admitted.failure)
        if (this.subscriber.outlet.isFree) this.drained()
      }).pipe(Effect.catchTag("Problem", (problem) => Effect.sync(() => answer(problem))))
    )
  }

  /** Nothing is read any more. Gives what is still to be answered. */
  stop(): ReadonlyArray<Answer> {
    this.leave()
    return this.overtake()
  }

  /** Nothing is read on this connection ever again, nor answered. */
  end(): void {
    this.ended = true
    this.stop()
  }

  /** The client has taken everything. What waits for that goes first: the reader would be given the next frame. */
  drained(): void {
    const { onFree } = this
    this.onFree = undefined
    if (onFree !== undefined) onFree()
    else if (this.reader !== undefined) this.subscriber.sockets.ground.hub.drained(this.reader)
  }

  progressed(): void {
    if (this.reader !== undefined) this.subscriber.sockets.ground.hub.progressed(this.reader)
  }

  private want(answer: Answer): Effect.Effect<Wanted> {
    return Effect.withFiber((fiber) => {
      const wanted = { fiber, answers: [...this.overtake(), answer] }
      this.wanted = wanted
      if (wanted.answers.length > maxWanted) this.subscriber.end("too_many")
      return Effect.succeed(wanted)
    })
  }

  private overtake(): ReadonlyArray<Answer> {
    const { wanted } = this
    this.wanted = undefined
    wanted?.fiber.interruptUnsafe()
    return wanted?.answers ?? []
  }

  private replace(query: Query, asked: Asked, answers: ReadonlyArray<Answer>): Effect.Effect<void> {
    const { subscriber } = this
    const { hub } = subscriber.sockets.ground
    this.leave()
    subscriber.begun()
    for (const each of answers) each()
    const { interval } = asked
    const pace = interval === unpaced.interval ? unpaced : { ...unpaced, interval }
    const reader = hub.enter(query, subscriber, pace)
    this.reader = reader
    return Effect.map(hub.open(reader, { since: asked.since, notBefore: 0 }), () => {
      if (!reader.gone) subscriber.visit.announce(reader, (text) => subscriber.say(text))
    })
  }

  /** What is read and the caller may not read any more. */
  get uncovered(): Problem | undefined {
    return this.reader && uncovered(this.subscriber.visit.caller, this.reader.audience.query)
  }

  /** Waits until the client has taken everything: nothing may break into a frame, and nothing pile up behind it. */
  private untilFree(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.subscriber.outlet.isFree
        ? Effect.void
        : Effect.callback<void>((resume) => {
            const onFree = () => resume(this.untilFree())
            this.onFree = onFree
            return Effect.sync(() => {
              if (this.onFree === onFree) this.onFree = undefined
            })
          })
    )
  }

  private leave(): void {
    if (this.reader !== undefined) this.subscriber.sockets.ground.hub.leave(this.reader)
    this.reader = undefined
  }
}
