/** What stands around every handler: errors become problems, pages of other origins are let in or not, requests counted. */
import { Cause, Effect, Metric } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import { corsHeaders } from "./Cors.ts"
import { handedOver } from "./Handover.ts"
import { Problem, problemResponse } from "./Problem.ts"

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

/** Longer URLs are refused: no query needs them, and each is kept while it is read. */
const maxUrl = 8 * 1024

export type Handler<R = never> = (
  request: HttpServerRequest.HttpServerRequest
) => Effect.Effect<HttpServerResponse.HttpServerResponse, Problem, R>

export const guard =
  <R>(route: string, origins: ReadonlySet<string>, handler: Handler<R>) =>
  (
    request: HttpServerRequest.HttpServerRequest
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
    (request.url.length > maxUrl ? Effect.fail(tooLong) : handler(request)).pipe(
      Effect.catchTag("Problem", (problem) => Effect.succeed(problemResponse(problem))),
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.andThen(clientLeft(route), Effect.failCause(cause))
          : Effect.logError("a handler failed", cause).pipe(
              Effect.annotateLogs({ route }),
              Effect.as(
                problemResponse(
                  new Problem({ code: "internal", detail: "this is our fault; the log says more" })
                )
              )
            )
      ),
      Effect.tap((response) =>
        Metric.update(counted(route, response === handedOver ? 200 : response.status), 1)
      ),
      // Nothing is written of what has been handed over.
      Effect.map((response) =>
        response === handedOver
          ? response
          : HttpServerResponse.setHeaders(response, { ...nosniff, ...corsHeaders(request, origins) })
      )
    )

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

const nosniff = { "x-content-type-options": "nosniff" }

const tooLong = new Problem({ code: "uri_too_long", detail: `the URL is longer than ${maxUrl} characters` })
