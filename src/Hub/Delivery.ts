/**
 * The one loop that serves whoever is due. Plain code but for its pauses: it is an Effect only so that it can leave the
 * event loop to others, and wait.
 */
import { Cause, Effect, Exit, Option } from "effect"

import type { Unreadable } from "../Unreadable.ts"
import type { Audience, Cohort, Next, Place, Reader } from "./Audience.ts"
import type { Frame } from "./Frame.ts"
import type { Framing } from "./Framing.ts"
import { pingEvery } from "./Message.ts"
import type { Register } from "./Register.ts"
import type { Snapshot, Snapshots } from "./Snapshots.ts"
import type { Reason, State } from "./State.ts"

/** The event loop is left to others after this long, ms. */
const slice = 4
/** So many readers of a short frame are written to before the time is looked at, which is not free. */
const stride = 16
const shortFrame = 4 * 1024
/** A snapshot message is kept for those who come together, ms. */
const openingKept = 1_000

/** What the loop tells the outside. */
export interface DeliveryHooks {
  /** A frame left to one reader. */
  readonly sent: (frame: Frame, framing: Framing) => void
  /** A connection threw while it was written to: one reader's trouble. */
  readonly broken: (error: unknown) => void
  /** A cohort could not be served, which is a mistake of ours. */
  readonly failed: (error: unknown) => void
  /** Runs beside the loop, which waits for nothing. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** One turn of the loop: its time, and since when the event loop has been held. */
interface Turn {
  readonly at: number
  heldSince: number
}

/** A frame, and who is to have it. */
interface Sending {
  readonly frame: Frame
  readonly members: ReadonlyArray<Reader>
}

export class Delivery {
  private readonly state: State
  private readonly snapshots: Snapshots
  private readonly register: Register
  private readonly hooks: DeliveryHooks
  private sends = 0
  private rounds = 0

  constructor(options: {
    readonly state: State
    readonly snapshots: Snapshots
    readonly register: Register
    readonly hooks: DeliveryHooks
  }) {
    this.state = options.state
    this.snapshots = options.snapshots
    this.register = options.register
    this.hooks = options.hooks
  }

  /** Gives a reader a frame of its own and notes where it stands then. `false`: it has not taken all of it yet. */
  hand(reader: Reader, frame: Frame, place: Place): boolean {
    reader.place = place
    this.write(reader, frame)
    return !reader.gone && reader.stall === undefined
  }

  /** The snapshot message for readers of one query. */
  opening(audience: Audience, snapshot: Snapshot, reason: Reason): Frame {
    return audience.snapshot(snapshot, reason, () =>
      this.register.deadlines.set(this.register.now + openingKept, () => audience.forgetOpening())
    )
  }

  /** Serves whoever is due, once. */
  readonly round: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { now } = this.register
    const turn: Turn = { at: now, heldSince: now }
    const cohorts = this.register.takeDue()
    // Another cohort is first every time, so that the last is not always the same one.
    const first = this.rounds++ % Math.max(cohorts.length, 1)
    for (let i = 0; i < cohorts.length; i++) {
      const cohort = cohorts[(first + i) % cohorts.length]!
      try {
        const sending = cohort.readers.size > 0 ? this.serve(cohort, turn) : undefined
        if (sending !== undefined) yield* this.send(sending, turn)
      } catch (error) {
        this.hooks.failed(error)
      }
      if (this.hasHeldLong(turn)) yield* this.pause(turn)
    }
  })

  private hasHeldLong(turn: Turn): boolean {
    return this.register.now - turn.heldSince >= slice
  }

  /** Leaves the event loop to others. */
  private *pause(turn: Turn) {
    yield* Effect.yieldNow
    turn.heldSince = this.register.now
  }

  /** Moves a cohort on; what it returns is still to be written, to more readers than one. */
  private serve(cohort: Cohort, turn: Turn): Sending | undefined {
    if (cohort.preparing) return undefined
    const { audience, pace, place } = cohort
    const pinging = !pace.once && turn.at - cohort.messageAt >= pingEvery
    if (place.notBefore > turn.at) {
      cohort.pacing ??= this.register.deadlines.set(place.notBefore, () => {
        cohort.pacing = undefined
        this.register.mark(cohort)
      })
      // What changed is not looked at yet, so the ping goes no further than what is known.
      return pinging
        ? this.begin(cohort, { frame: audience.ping(place), revision: place.seen }, turn)
        : undefined
    }
    const { revision } = this.state
    const made = cohort.next === undefined ? audience.next(place) : undefined
    if (made === "nothing") {
      const moved = this.register.move(cohort, { ...place, seen: revision, notBefore: 0 })
      return pinging ? this.begin(moved, { frame: audience.ping(moved.place), revision }, turn) : undefined
    }
    const next =
      cohort.next ?? (typeof made === "string" ? this.reset(cohort, made) : { frame: made!, revision })
    return next !== undefined && this.isReady(cohort, next) ? this.begin(cohort, next, turn) : undefined
  }

  /** Not older than what the cohort has. `undefined`: one is being built. */
  private reset(cohort: Cohort, reason: Reason): Next | undefined {
    const { audience, place } = cohort
    const next = (snapshot: Snapshot): Next => ({
      frame: this.opening(audience, snapshot, reason),
      revision: snapshot.revision
    })
    const snapshot = this.snapshots.ready(audience.query, place.seen)
    if (snapshot !== undefined) return next(snapshot)
    this.prepare(
      cohort,
      // However much has changed by then: what is told next begins there.
      Effect.map(this.snapshots.recent(audience.query, place.seen), (built) => {
        cohort.next = next(built)
      })
    )
    return undefined
  }

  private isReady(cohort: Cohort, next: Next): boolean {
    if (next.frame.isReadyForAll) return true
    for (const { sink } of cohort.readers) {
      if (next.frame.isReady(sink.framing)) continue
      cohort.next = next
      this.prepare(cohort, next.frame.prepare)
      return false
    }
    return true
  }

  /** Takes long, so it is done beside the loop; the cohort stays where it is, and is due when it is done. */
  private prepare(cohort: Cohort, work: Effect.Effect<void, Unreadable>): void {
    cohort.preparing = true
    this.hooks.fork(
      Effect.onExit(work, (exit) =>
        Effect.sync(() => {
          cohort.preparing = false
          // What failed is not tried again at once, and for ever, but with the next commit or ping.
          if (Exit.isSuccess(exit)) this.register.mark(cohort)
          // They would wait for what may not come; when they are back it is looked at anew.
          else if (Option.isSome(Exit.findErrorOption(exit)))
            for (const reader of cohort.readers) reader.sink.end("rotation")
          else if (!Cause.hasInterruptsOnly(exit.cause)) this.hooks.failed(exit.cause)
        })
      ).pipe(Effect.ignoreCause)
    )
  }

  private begin(cohort: Cohort, { frame, revision }: Next, turn: Turn): Sending | undefined {
    const { pace, place } = cohort
    const members = [...cohort.readers]
    // The cohort moves before its readers are written to: whoever comes while the loop pauses stands at the new place.
    cohort.messageAt = turn.at
    cohort.next = undefined
    const moved = this.register.move(cohort, {
      sent: revision,
      seen: revision,
      cursor: frame.cursor!,
      notBefore: frame.type === "change" && pace.interval > 0 ? turn.at + pace.interval : place.notBefore
    })
    if (revision < this.state.revision && frame.type !== "ping") this.register.mark(moved)
    if (members.length > 1) return { frame, members }
    this.write(members[0]!, frame)
    return undefined
  }

  private *send({ frame, members }: Sending, turn: Turn) {
    // Another reader is first every time, here too.
    const first = this.sends++ % members.length
    const every = frame.in(members[first]!.sink.framing).bytes > shortFrame ? 1 : stride
    for (let i = 0; i < members.length; i++) {
      const reader = members[(first + i) % members.length]!
      if (!reader.gone) this.write(reader, frame)
      if (i % every === 0 && this.hasHeldLong(turn)) yield* this.pause(turn)
    }
  }

  private write(reader: Reader, frame: Frame): void {
    const taken = this.offer(reader, frame)
    if (taken === undefined) return this.register.leave(reader)
    this.hooks.sent(frame, reader.sink.framing)
    if (reader.pace.once) return this.register.leave(reader)
    if (!taken && !reader.gone) this.register.hold(reader)
  }

  /** `undefined`: the connection is broken. What breaks one reader must not stop the loop that serves all. */
  private offer(reader: Reader, frame: Frame): boolean | undefined {
    try {
      return reader.sink.write(frame)
    } catch (error) {
      this.hooks.broken(error)
      return undefined
    }
  }
}
