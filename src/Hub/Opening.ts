/** How a reader begins: with a snapshot, with what it missed, or where nothing changed with a ping. */
import { Duration, Effect, type Random } from "effect"

import type { Place, Reader } from "./Audience.ts"
import type { Delivery } from "./Delivery.ts"
import type { Frame } from "./Frame.ts"
import type { Register } from "./Register.ts"
import type { Snapshots } from "./Snapshots.ts"
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
  readonly snapshots: Snapshots
  readonly register: Register
  readonly delivery: Delivery
  readonly turns: Turns
  readonly random: typeof Random.Random.Service
}) => {
  const { delivery, random, register, snapshots, state, turns } = options

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

  /** The last snapshot built, not older than what the reader has, and at once what changed since then. */
  const reset = Effect.fnUntraced(function* (reader: Reader, reason: Reason, notBefore: number, least = 0) {
    const { audience, pace } = reader
    const snapshot = yield* pace.once
      ? snapshots.current(audience.query)
      : snapshots.recent(audience.query, least)
    yield* turns.take
    const frame = delivery.opening(audience, snapshot, reason)
    const place: Place = {
      sent: snapshot.revision,
      seen: snapshot.revision,
      cursor: snapshot.cursor,
      notBefore
    }
    if (!(yield* give(reader, frame, place))) return
    const made = audience.change(place)
    if (typeof made === "string") return register.stand(reader, place)
    const next = afterChange(reader)
    if (yield* give(reader, made, next)) register.stand(reader, next)
  })

  return Effect.fnUntraced(function* (reader: Reader, { notBefore, since }: Opening) {
    const { audience, pace } = reader
    yield* turns.take
    if (reader.gone) return
    if (!pace.once) {
      const lifetime = rotateAfter * (1 - rotationSpread + 2 * rotationSpread * random.nextDoubleUnsafe())
      reader.rotation = register.deadlines.set(register.now + lifetime, rotate, reader)
    }
    if (since === undefined) return yield* reset(reader, "initial", notBefore)
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
}
