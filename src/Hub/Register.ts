/**
 * The register of readers: who stands where, who is due, and what comes due when.
 *
 * Plain code on purpose: this runs per reader and message, where a fiber wake-up costs more than the write itself.
 */
import type { Clock } from "effect"

import type { Commit } from "../Collection.ts"
import { Audience, Cohort, type Pace, type Place, Reader, type Sink } from "./Audience.ts"
import { Deadlines } from "./Deadlines.ts"
import { Interest } from "./Interest.ts"
import { pingEvery } from "./Message.ts"
import type { Query } from "./Query.ts"
import type { State } from "./State.ts"

/** A reader that takes nothing of a frame for this long is ended, ms. */
export const stalledAfter = 60_000

const endStalled = (_now: number, { sink }: Reader): void => sink.end("stalled")

/** What the register tells the outside. */
export interface RegisterHooks {
  /** The first reader of these collections came, or the last one left. */
  readonly enter: (collections: Iterable<string>) => void
  readonly leave: (collections: Iterable<string>) => void
  /** A reader came or left: so many are there now. */
  readonly counted: (readers: number) => void
  /** Something is due, now or earlier than everything else was. */
  readonly wake: () => void
}

export class Register {
  readonly deadlines: Deadlines
  readonly readers = new Set<Reader>()
  private readonly state: State
  private readonly clock: Clock.Clock
  private readonly hooks: RegisterHooks
  private readonly audiences = new Map<string, Audience>()
  private readonly interest = new Interest<Audience>()
  private dueAudiences: Array<Audience> = []
  private dueCohorts: Array<Cohort> = []

  constructor(options: {
    readonly state: State
    readonly clock: Clock.Clock
    readonly hooks: RegisterHooks
  }) {
    this.state = options.state
    this.clock = options.clock
    this.hooks = options.hooks
    this.deadlines = new Deadlines(this.hooks.wake)
  }

  get now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  get hasDue(): boolean {
    return this.dueAudiences.length + this.dueCohorts.length > 0
  }

  /** Every cohort that is due, which none is from then on. */
  takeDue(): ReadonlyArray<Cohort> {
    const audiences = this.dueAudiences
    const due = this.dueCohorts
    this.dueAudiences = []
    this.dueCohorts = []
    for (const audience of audiences) {
      audience.isDue = false
      for (const cohort of audience.cohorts.all()) if (!cohort.isDue) due.push(cohort)
    }
    for (const cohort of due) cohort.isDue = false
    return due
  }

  /** Whoever is concerned by a commit is due. */
  ring(commit: Commit): void {
    for (const [name, delta] of commit.deltas) this.interest.concerned(name, delta)
    if (this.dueAudiences.length > 0) this.hooks.wake()
  }

  private readonly due = (audience: Audience): void => {
    this.dueAudiences.push(audience)
  }

  mark(cohort: Cohort): void {
    if (!cohort.isDue) {
      cohort.isDue = true
      this.dueCohorts.push(cohort)
    }
    this.hooks.wake()
  }

  /** A reader that stands nowhere yet: `hand` gives it its first frames, `stand` puts it among the others. */
  enter(query: Query, sink: Sink, pace: Pace): Reader {
    let audience = this.audiences.get(query.id)
    if (audience === undefined) {
      audience = new Audience(query, this.state, this.due)
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
    this.hooks.leave(audience.query.parts.keys())
  }

  /** Puts a reader among those who stand where it does. */
  stand(reader: Reader, place: Place): void {
    if (reader.gone) return
    reader.place = undefined
    let cohort = reader.audience.cohorts.at(reader.pace, place)
    if (cohort === undefined) {
      cohort = new Cohort(reader.audience, reader.pace, place, this.now)
      reader.audience.cohorts.add(cohort)
      if (!reader.pace.once) this.armPing(cohort, cohort.messageAt + pingEvery)
    }
    cohort.readers.add(reader)
    reader.cohort = cohort
    if (place.seen < this.state.revision) this.mark(cohort)
  }

  /** A reader that has not taken all of its last frame stands alone until it has. */
  hold(reader: Reader): void {
    const place = reader.cohort?.place ?? reader.place
    this.takeOut(reader)
    reader.place = place
    this.armStall(reader)
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

  /** Moves a cohort; where another stands there already, the two become one. */
  move(cohort: Cohort, place: Place): Cohort {
    const { cohorts } = cohort.audience
    cohorts.delete(cohort)
    const other = cohorts.at(cohort.pace, place)
    if (other === undefined) {
      cohort.place = place
      cohorts.add(cohort)
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

  takeOut(reader: Reader): void {
    const { cohort } = reader
    if (cohort === undefined) return
    reader.cohort = undefined
    cohort.readers.delete(reader)
    if (cohort.readers.size === 0) this.dissolve(cohort)
  }

  private dissolve(cohort: Cohort): void {
    this.deadlines.cancel(cohort.ping)
    this.deadlines.cancel(cohort.pacing)
    cohort.audience.cohorts.delete(cohort)
  }

  private armPing(cohort: Cohort, at: number): void {
    cohort.ping = this.deadlines.set(at, (now) => {
      const due = cohort.messageAt + pingEvery
      if (due <= now) this.mark(cohort)
      this.armPing(cohort, due <= now ? now + pingEvery : due)
    })
  }

  private armStall(reader: Reader): void {
    reader.stall = this.deadlines.set(this.now + stalledAfter, endStalled, reader)
  }
}
