/** `GET /v1/changes`: a long poll. A reader of one message, in the same cohorts as everybody else. */
import { Clock, Deferred, Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import type { Frame, Sink } from "../Hub.ts"
import { steady } from "../Steady.ts"
import { frameResponse } from "./Json.ts"
import { type Asked } from "./Asked.ts"
import { askedOf, type Ground, minRevisionOf, queryOf } from "./Road.ts"

const defaultWait = 25_000
const maxWait = 55_000

export const changes = (ground: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { hub, upstream } = ground
    const asked = yield* askedOf(request)
    const { applied, wait } = waitOf(asked, request.headers["prefer"])
    const { currentTimeMillis } = steady(yield* Clock.Clock)
    const came = yield* currentTimeMillis
    const query = yield* queryOf(ground, asked, minRevisionOf(request))
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
      Effect.sync(() => hub.enter(query, sink, { interval: 0, once: true })),
      Effect.fnUntraced(function* (reader) {
        yield* hub.open(reader, { since: asked.since, notBefore: came + Math.min(asked.interval, wait) })
        const left = Math.max(0, came + wait - (yield* currentTimeMillis))
        if (left > 0) yield* Deferred.await(over).pipe(Effect.timeoutOption(left))
        return told ?? (yield* hub.conclude(reader))
      }),
      (reader) => Effect.sync(() => hub.leave(reader))
    )
    const nothing = typeof answer === "string"
    const headers = {
      "cache-control": "no-store",
      vary: "Accept-Encoding, Authorization, Cookie, Origin",
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
