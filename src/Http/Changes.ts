/** `GET /v1/changes`: a long poll. A reader of one message, in the same cohorts as everybody else. */
import { Clock, Deferred, Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import type { Frame, Sink } from "../Hub.ts"
import { steady } from "../Steady.ts"
import { frameResponse } from "./Json.ts"
import { type Asked } from "./Asked.ts"
import type { Slot } from "./Limits/Slot.ts"
import { askedOf, cachingFor, type Ground, minRevisionOf, queryOf } from "./Road.ts"

const defaultWait = 25_000
const maxWait = 55_000

export const changes = (ground: Ground) => (request: HttpServerRequest.HttpServerRequest) =>
  ground.limits.admit(request, (slot) => answered(ground, request, slot))

const answered = Effect.fnUntraced(function* (
  ground: Ground,
  request: HttpServerRequest.HttpServerRequest,
  slot: Slot
) {
  const { hub, upstream } = ground
  const caller = yield* ground.auth.callerOf(request)
  yield* slot.belongsTo(caller)
  const asked = yield* askedOf(request)
  const { applied, wait } = waitOf(asked, request.headers["prefer"])
  const { currentTimeMillis } = steady(yield* Clock.Clock)
  const came = yield* currentTimeMillis
  const query = yield* queryOf(ground, asked, caller, minRevisionOf(request))
  upstream.touch(query.parts.keys())

  const over = Deferred.makeUnsafe<void>()
  const isOver = () => Deferred.doneUnsafe(over, Effect.void)
  let told: Frame | undefined
  const sink: Sink = {
    framing: "text",
    write: (frame) => {
      told = frame
      isOver()
      return true
    },
    end: isOver
  }
  const answer = yield* Effect.acquireUseRelease(
    Effect.sync(() => ({
      reader: hub.enter(query, sink, { interval: 0, once: true }),
      unwatch: ground.auth.watch(caller, isOver)
    })),
    Effect.fnUntraced(function* ({ reader }) {
      yield* hub.open(reader, { since: asked.since, notBefore: came + Math.min(asked.interval, wait) })
      const left = Math.max(0, came + wait - (yield* currentTimeMillis))
      if (left > 0) yield* Deferred.await(over).pipe(Effect.timeoutOption(left))
      yield* ground.auth.stillGood(caller)
      return told ?? (yield* hub.conclude(reader))
    }),
    ({ reader, unwatch }) =>
      Effect.sync(() => {
        unwatch()
        hub.leave(reader)
      })
  )
  const nothing = typeof answer === "string"
  const headers = {
    ...cachingFor(caller, "no-store"),
    "ratecast-cursor": nothing ? answer : answer.cursor!,
    ...(applied === undefined ? {} : { "preference-applied": applied })
  }
  return nothing
    ? HttpServerResponse.empty({ status: 204, headers })
    : yield* frameResponse(request, answer, headers)
})

/** `wait` wins over `Prefer: wait=N` (RFC 7240, 4.3). */
const waitOf = (
  asked: Asked,
  prefer: string | undefined
): { readonly wait: number; readonly applied?: string } => {
  if (asked.wait !== undefined) return { wait: asked.wait }
  const preferred = /(?:^|[,;\s])wait=(\d{1,6})(?=$|[,;\s])/i.exec(prefer ?? "")?.[1]
  if (preferred === undefined) return { wait: defaultWait }
  const wait = Math.min(Number(preferred) * 1000, maxWait)
  return { wait, applied: `wait=${wait / 1000}` }
}
