/** How a reader begins: with a snapshot, with what it missed, or where nothing changed with a ping. */
import { Cause, Duration, Effect, type Random } from "effect"

import type { Unreadable } from "../Unreadable.ts"
import type { Place, Reader } from "./Audience.ts"
import type { Delivery } from "./Delivery.ts"
import type { Frame } from "./Frame.ts"
import type { Presence } from "./Presence.ts"
import type { Register } from "./Register.ts"
import type { Snapshot, Snapshots } from "./Snapshots.ts"
import type { Reason, State } from "./State.ts"
import type { Turns } from "./Turns.ts"

export interface Opening {
  /** The cursor of the reader's last message; `now` for no snapshot, nothing for one. */
  readonly since: string | undefined
  /** When the first change may leave, ms of the steady clock. */
  readonly notBefore: number
}

/** A connection ends after this long, spread by a fifth either way, so that a deploy looks like any other hour. */
const rotateAfter = Duration.toMillis("10 minutes")
const rotationSpread = 0.2

const rotate = (_now: number, { sink }: Reader): void => sink.end("rotation")

export const opener = (options: {
  readonly state: State
  readonly presence: Presence
  readonly snapshots: Snapshots
  readonly register: Register
  readonly delivery: Delivery
  readonly turns: Turns
  readonly random: typeof Random.Random.Service
}) => {
  const { delivery, presence, random, register, snapshots, state, turns } = options

  const here = ({ audience }: Reader, notBefore: number): Place => ({
    sent: state.revision,
    seen: state.revision,
    cursor: state.cursor(audience.query),
    notBefore
  })

  const afterChange = (reader: Reader): Place =>
    here(reader, reader.pace.interval > 0 ? register.now + reader.pace.interval : 0)

  const give = Effect.fnUntraced(function* (reader: Reader, frame: Frame, place: Place) {
    if (!frame.isReady(reader.sink.framing)) yield* frame.prepare
    return !reader.gone && delivery.hand(reader, frame, place)
  })

  /** A snapshot that is there, and at once what changed since then. */
  const start = (
    reader: Reader,
    { cursor, revision }: Snapshot,
    frame: Frame,
    notBefore: number
  ): Effect.Effect<void> => {
    const place: Place = { sent: revision, seen: revision, cursor, notBefore }
    if (!delivery.hand(reader, frame, place)) return Effect.void
    const made = reader.audience.change(place)
    if (typeof made === "string") {
      register.stand(reader, place)
      return Effect.void
    }
    const next = afterChange(reader)
    return Effect.map(give(reader, made, next), (given) => {
      if (given) register.stand(reader, next)
    })
  }

  /** The last snapshot built, not older than what the reader has. */
  const reset = Effect.fnUntraced(function* (reader: Reader, reason: Reason, notBefore: number, least = 0) {
    const { audience, pace, sink } = reader
    const snapshot = yield* pace.once
      ? snapshots.current(audience.query)
      : snapshots.recent(audience.query, least)
    yield* turns.take
    const frame = delivery.opening(audience, snapshot, reason)
    if (!frame.isReady(sink.framing)) yield* frame.prepare
    if (!reader.gone) yield* start(reader, snapshot, frame, notBefore)
  })

  /** For nearly all of those that come at once the snapshot and its frame are there, and nothing has to be waited for. */
  const first = (reader: Reader, notBefore: number): Effect.Effect<void, Unreadable> => {
    const { audience, pace, sink } = reader
    const snapshot = pace.once ? undefined : snapshots.ready(audience.query, 0)
    const frame = snapshot && delivery.opening(audience, snapshot, "initial")
    return frame?.isReady(sink.framing)
      ? start(reader, snapshot!, frame, notBefore)
      : reset(reader, "initial", notBefore)
  }

  const rest = Effect.fnUntraced(function* (reader: Reader, since: string, notBefore: number) {
    const { audience, pace } = reader
    const now = here(reader, notBefore)
    if (since === "now") {
      if (pace.once || (yield* give(reader, audience.ping(now), now))) register.stand(reader, now)
      return
    }
    const resume = state.resume(audience.query, since)
    if (resume._tag === "Reset") return yield* reset(reader, resume.reason, notBefore)
    const place: Place = { sent: resume.revision, seen: resume.revision, cursor: since, notBefore }
    if (notBefore > register.now) return register.stand(reader, place)
    const made = audience.change(place)
    if (made === "forgotten" || made === "smaller")
      return yield* reset(reader, made, notBefore, resume.revision)
    if (pace.once && made === "nothing") return register.stand(reader, { ...place, seen: now.seen })
    const next = made === "nothing" ? now : afterChange(reader)
    const frame = made === "nothing" ? audience.ping({ ...place, seen: now.seen }) : made
    if (yield* give(reader, frame, next)) register.stand(reader, next)
  })
  /** Where it cannot be given what it is to begin with, it would wait for good. */
  const sendAway = (reader: Reader, cause: Cause.Cause<Unreadable>): Effect.Effect<void> =>
    Effect.andThen(
      Cause.hasFails(cause) ? Effect.void : Effect.logError("a reader could not begin", cause),
      Effect.sync(() => {
        register.leave(reader)
        reader.sink.end("rotation")
      })
    )

  return (reader: Reader, { notBefore, since }: Opening): Effect.Effect<void> =>
    Effect.andThen(
      turns.take,
      Effect.suspend(() => {
        if (reader.gone) return Effect.void
        if (!reader.pace.once) {
          const lifetime = rotateAfter * (1 - rotationSpread + 2 * rotationSpread * random.nextDoubleUnsafe())
          reader.rotation = register.deadlines.set(register.now + lifetime, rotate, reader)
        }
        if (since === undefined) return first(reader, notBefore)
        const { query } = reader.audience
        const resume = since === "now" ? undefined : state.resume(query, since)
        const going = rest(reader, since, notBefore)
        return resume?._tag === "Resumed" ? presence.ofQuery(query, resume.revision, going) : going
      })
    ).pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause as Cause.Cause<never>)
          : sendAway(reader, cause)
      )
    )
}
