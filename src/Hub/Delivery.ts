/**
 * The register of readers, and the one loop that serves those that are due.
 *
 * Plain code on purpose: this runs per reader and message, where a fiber wake-up costs more than the write itself. The
 * loop is an Effect only so that it can leave the event loop to others, and wait.
 */
import { Cause, type Clock, Effect, Exit } from "effect"

import type { Commit } from "../Collection.ts"
import { Audience, Cohort, type Next, type Pace, type Place, Reader, type Sink } from "./Audience.ts"
import { Deadlines } from "./Deadlines.ts"
import type { Frame } from "./Frame.ts"
import type { Framing } from "./Framing.ts"
import { Interest } from "./Interest.ts"
import { pingEvery } from "./Message.ts"
import type { Query } from "./Query.ts"
import type { Snapshot, Snapshots } from "./Snapshots.ts"
import type { Reason, State } from "./State.ts"

/** The event loop is left to others after this long, ms. */
const slice = 4
/** A snapshot message is kept for those who come together, ms. */
const openingKept = 1_000
/** A reader that takes nothing of a frame for this long is ended, ms. */
const stalledAfter = 60_000

/** What the loop tells the outside. */
export interface Hooks {
  /** The first reader of these collections came, or the last one left. */
  readonly enter: (collections: Iterable<string>) => void
  readonly leave: (collections: Iterable<string>) => void
  /** A reader came or left: so many are there now. */
  readonly counted: (readers: number) => void
  /** Something is due, now or earlier than everything else was. */
  readonly wake: () => void
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

export class Delivery {
  readonly deadlines: Deadlines
  readonly readers = new Set<Reader>()
  private readonly state: State
  private readonly snapshots: Snapshots
  private readonly clock: Clock.Clock
  private readonly hooks: Hooks
  private readonly audiences = new Map<string, Audience>()
  private readonly interest = new Interest<Audience>()
  private dueAudiences = new Set<Audience>()
  private dueCohorts = new Set<Cohort>()
  private sends = 0
  private rounds = 0

  constructor(options: {
    readonly state: State
    readonly snapshots: Snapshots
    readonly clock: Clock.Clock
    readonly hooks: Hooks
  }) {
    this.state = options.state
    this.snapshots = options.snapshots
    this.clock = options.clock
    this.hooks = options.hooks
    this.deadlines = new Deadlines(this.hooks.wake)
  }

  get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  get hasDue(): boolean {
    return this.dueAudiences.size + this.dueCohorts.size > 0
  }

  /** Whoever is concerned by a commit is due. */
  ring(commit: Commit): void {
    for (const [name, delta] of commit.deltas) this.interest.concerned(name, delta, this.dueAudiences)
    if (this.dueAudiences.size > 0) this.hooks.wake()
  }

  /** A reader that stands nowhere yet: `hand` gives it its first frames, `stand` puts it among the others. */
  enter(query: Query, sink: Sink, pace: Pace): Reader {
    let audience = this.audiences.get(query.id)
    if (audience === undefined) {
      audience = new Audience(query, this.state)
      this.audiences.set(query.id, audience)
      this.interest.add(audience)
      this.hooks.enter(query.parts.keys())
    }
    audience.readers++
    const reader = new Reader(audience, sink, pace)
    this.readers.add(reader)
    this.hooks.counted(this.readers.size)
    return reader
  }

  leave(reader: Reader): void {
    if (reader.gone) return
    reader.gone = true
    this.deadlines.cancel(reader.stall)
    this.deadlines.cancel(reader.rotation)
    this.takeOut(reader)
    this.readers.delete(reader)
    this.hooks.counted(this.readers.size)
    const { audience } = reader
    if (--audience.readers > 0) return
    this.audiences.delete(audience.query.id)
    this.interest.delete(audience)
    this.dueAudiences.delete(audience)
    this.hooks.leave(audience.query.parts.keys())
  }

  /** Gives a reader a frame of its own and notes where it stands then. `false`: it has not taken all of it yet. */
  hand(reader: Reader, frame: Frame, place: Place): boolean {
    reader.place = place
    this.write(reader, frame)
    return !reader.gone && reader.stall === undefined
  }

  /** Puts a reader among those who stand where it does. */
  stand(reader: Reader, place: Place): void {
    if (reader.gone) return
    reader.place = undefined
    let cohort = reader.audience.cohortAt(reader.pace, place)
    if (cohort === undefined) {
      cohort = new Cohort(reader.audience, reader.pace, place, this.now)
      reader.audience.add(cohort)
      if (!reader.pace.once) this.armPing(cohort, cohort.messageAt + pingEvery)
    }
    cohort.readers.add(reader)
    reader.cohort = cohort
    if (place.seen < this.state.revision) this.mark(cohort)
  }

  /** The connection has taken all of the last frame. */
  drained(reader: Reader): void {
    if (reader.stall === undefined || reader.gone) return
    this.deadlines.cancel(reader.stall)
    reader.stall = undefined
    this.stand(reader, reader.place!)
  }

  /** The connection has taken some of the last frame. */
  progressed(reader: Reader): void {
    if (reader.stall === undefined || reader.gone) return
    this.deadlines.cancel(reader.stall)
    this.armStall(reader)
  }

  /** The snapshot message for readers of one query. */
  opening(audience: Audience, snapshot: Snapshot, reason: Reason): Frame {
    return audience.snapshot(snapshot, reason, () =>
      this.deadlines.set(this.now + openingKept, () => audience.forgetOpening())
    )
  }

  /** Serves whoever is due, once. */
  readonly round: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const audiences = this.dueAudiences
    const due = this.dueCohorts
    this.dueAudiences = new Set()
    this.dueCohorts = new Set()
    const now = this.now
    const turn: Turn = { at: now, heldSince: now }
    for (const audience of audiences) for (const cohort of audience.everyCohort()) due.add(cohort)
    const cohorts = [...due]
    // Another cohort is first every time, so that the last is not always the same one.
    const first = this.rounds++ % Math.max(cohorts.length, 1)
    for (let i = 0; i < cohorts.length; i++) {
      const cohort = cohorts[(first + i) % cohorts.length]!
      try {
        if (cohort.readers.size > 0) yield* this.serve(cohort, turn)
      } catch (error) {
        this.hooks.failed(error)
      }
      yield* this.pause(turn)
    }
  });

  /** Leaves the event loop to others where it has been held for long. */
  private *pause(turn: Turn) {
    if (this.now - turn.heldSince < slice) return
    yield* Effect.yieldNow
    turn.heldSince = this.now
  }

  private *serve(cohort: Cohort, turn: Turn) {
    if (cohort.preparing) return
    const { audience, pace, place } = cohort
    const pinging = !pace.once && turn.at - cohort.messageAt >= pingEvery
    if (place.notBefore > turn.at) {
      cohort.pacing ??= this.deadlines.set(place.notBefore, () => {
        cohort.pacing = undefined
        this.mark(cohort)
      })
      // What changed is not looked at yet, so the ping goes no further than what is known.
      if (pinging) yield* this.send(cohort, { frame: audience.ping(place), revision: place.seen }, turn)
      return
    }
    const { revision } = this.state
    const made = cohort.next === undefined ? audience.change(place) : undefined
    if (made === "nothing") {
      const moved = this.move(cohort, { ...place, seen: revision, notBefore: 0 })
      if (pinging) yield* this.send(moved, { frame: audience.ping(moved.place), revision }, turn)
      return
    }
    const next =
      cohort.next ?? (typeof made === "string" ? this.reset(cohort, made) : { frame: made!, revision })
    if (next !== undefined && this.isReady(cohort, next)) yield* this.send(cohort, next, turn)
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
    for (const { sink } of cohort.readers) {
      if (next.frame.isReady(sink.framing)) continue
      cohort.next = next
      this.prepare(cohort, next.frame.prepare)
      return false
    }
    return true
  }

  /** Takes long, so it is done beside the loop; the cohort stays where it is, and is due when it is done. */
  private prepare(cohort: Cohort, work: Effect.Effect<void>): void {
    cohort.preparing = true
    this.hooks.fork(
      Effect.onExit(work, (exit) =>
        Effect.sync(() => {
          cohort.preparing = false
          // What failed is not tried again at once, and for ever, but with the next commit or ping.
          if (Exit.isSuccess(exit)) this.mark(cohort)
          else if (!Cause.hasInterruptsOnly(exit.cause)) this.hooks.failed(exit.cause)
        })
      ).pipe(Effect.ignoreCause)
    )
  }

  private *send(cohort: Cohort, { frame, revision }: Next, turn: Turn) {
    const { pace, place } = cohort
    const members = [...cohort.readers]
    // The cohort moves before its readers are written to: whoever comes while the loop pauses stands at the new place.
    cohort.messageAt = turn.at
    cohort.next = undefined
    const moved = this.move(cohort, {
      sent: revision,
      seen: revision,
      cursor: frame.cursor!,
      notBefore: frame.type === "change" && pace.interval > 0 ? turn.at + pace.interval : place.notBefore
    })
    if (revision < this.state.revision && frame.type !== "ping") this.mark(moved)
    // Another reader is first every time, here too.
    const first = this.sends++ % Math.max(members.length, 1)
    for (let i = 0; i < members.length; i++) {
      const reader = members[(first + i) % members.length]!
      if (!reader.gone) this.write(reader, frame)
      yield* this.pause(turn)
    }
  }

  private write(reader: Reader, frame: Frame): void {
    const taken = this.offer(reader, frame)
    if (taken === undefined) return this.leave(reader)
    this.hooks.sent(frame, reader.sink.framing)
    if (reader.pace.once) return this.leave(reader)
    if (taken || reader.gone) return
    const place = reader.cohort?.place ?? reader.place
    this.takeOut(reader)
    reader.place = place
    this.armStall(reader)
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

  private takeOut(reader: Reader): void {
    const { cohort } = reader
    if (cohort === undefined) return
    reader.cohort = undefined
    cohort.readers.delete(reader)
    if (cohort.readers.size === 0) this.dissolve(cohort)
  }

  private dissolve(cohort: Cohort): void {
    this.deadlines.cancel(cohort.ping)
    this.deadlines.cancel(cohort.pacing)
    this.dueCohorts.delete(cohort)
    cohort.audience.delete(cohort)
  }

  /** Moves a cohort; where another stands there already, the two become one. */
  private move(cohort: Cohort, place: Place): Cohort {
    const { audience } = cohort
    audience.delete(cohort)
    const other = audience.cohortAt(cohort.pace, place)
    if (other === undefined) {
      cohort.place = place
      audience.add(cohort)
      return cohort
    }
    for (const reader of cohort.readers) {
      reader.cohort = other
      other.readers.add(reader)
    }
    other.messageAt = Math.min(other.messageAt, cohort.messageAt)
    cohort.readers.clear()
    this.dissolve(cohort)
    return other
  }

  private mark(cohort: Cohort): void {
    this.dueCohorts.add(cohort)
    this.hooks.wake()
  }

  private armPing(cohort: Cohort, at: number): void {
    cohort.ping = this.deadlines.set(at, (now) => {
      const due = cohort.messageAt + pingEvery
      if (due <= now) this.mark(cohort)
      this.armPing(cohort, due <= now ? now + pingEvery : due)
    })
  }

  private armStall(reader: Reader): void {
    reader.stall = this.deadlines.set(this.now + stalledAfter, () => reader.sink.end("stalled"))
  }
}
