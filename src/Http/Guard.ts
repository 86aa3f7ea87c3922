/** What stands around every handler: errors become problems, pages of other origins are let in or not, requests counted. */
import { Cause, Effect, Metric } from "effect"
import { HttpEffect, type HttpServerRequest, HttpServerResponse } from "effect/http"

import type { Unreadable } from "../Unreadable.ts"
import { corsHeaders } from "./Cors.ts"
import { handedOver } from "./Handover/Release.ts"
import { isAllowedOrigin, nameInLog } from "./Origin.ts"
import { Problem, problemIn, problemResponse } from "./Problem.ts"

const requests = Metric.counter("http_requests_total", {
  description: "Requests by route and status",
  incremental: true
})
const disconnects = Metric.counter("http_client_disconnects_total", {
  description: "Clients that left before they had their answer",
  incremental: true
})

export const clientLeft = (route: string): Effect.Effect<void> =>
  Metric.update(Metric.withAttributes(disconnects, { route }), 1).pipe(
    Effect.andThen(Effect.logDebug("the client left").pipe(Effect.annotateLogs({ route })))
  )

export type Handler<R = never> = (
  request: HttpServerRequest.HttpServerRequest
) => Effect.Effect<HttpServerResponse.HttpServerResponse, Problem | Unreadable, R>

/** In as few steps as it can be: it stands in the way of every connection. */
export const guard = <R>(
  route: string,
  { maxUrl, origins }: { readonly origins: ReadonlySet<string>; readonly maxUrl: number },
  handler: Handler<R>
) => {
  const tooLong = new Problem({
    code: "uri_too_long",
    detail: `the URL is longer than ${maxUrl} characters`
  })
  const failed = (
    cause: Cause.Cause<Problem | Unreadable>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, never> =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.andThen(clientLeft(route), Effect.failCause(cause as Cause.Cause<never>))
      : Effect.map(Effect.annotateLogs(problemIn(cause), { route }), problemResponse)
  const cutShort: HttpEffect.PreResponseHandler = (request, response) =>
    isCutShort(response)
      ? Effect.succeed(
          HttpServerResponse.setHeaders(problemResponse(stopping), {
            ...always,
            ...corsHeaders(request, origins)
          })
        )
      : Effect.succeed(response)
  return (
    request: HttpServerRequest.HttpServerRequest
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> => {
    const answer = (response: HttpServerResponse.HttpServerResponse) =>
      Effect.withFiber<HttpServerResponse.HttpServerResponse>(({ context }) => {
        const isHandedOver = response === handedOver
        counted(route, isHandedOver ? 200 : response.status).updateUnsafe(1, context)
        // Nothing is written of what has been handed over.
        return Effect.succeed(
          isHandedOver
            ? response
            : HttpServerResponse.setHeaders(response, { ...always, ...corsHeaders(request, origins) })
        )
      })
    return Effect.withFiber(({ context }) => {
      HttpEffect.appendPreResponseHandlerUnsafe(context, cutShort)
      const answered = Effect.matchCauseEffect(
        request.url.length > maxUrl ? Effect.fail(tooLong) : handler(request),
        { onSuccess: answer, onFailure: (cause) => Effect.flatMap(failed(cause), answer) }
      )
      return isAllowedOrigin(request, origins)
        ? answered
        : Effect.andThen(nameInLog(request, origins), answered)
    })
  }
}

/** One for each route and status: a series works its key out once, and that costs more than counting. */
const series = new Map<string, Metric.Counter<number>>()

const counted = (route: string, status: number): Metric.Counter<number> => {
  const name = `${route} ${status}`
  let counter = series.get(name)
  if (counter === undefined) {
    counter = Metric.withAttributes(requests, { route, status: String(status) })
    series.set(name, counter)
  }
  return counter
}

/** The second: a ticket in a URL is told to nobody. */
const always = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" }

/** What Effect makes of a request that the end of the server interrupts: 503 and no word. Ours have a body. */
const isCutShort = ({ body, status }: HttpServerResponse.HttpServerResponse): boolean =>
  status === 503 && body._tag === "Empty"

const stopping = new Problem({
  code: "unavailable",
  detail: "the server stops before this was answered, and it may have been done all the same; try again",
  retryAfterMs: 2_000
})
