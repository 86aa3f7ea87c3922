/** Errors as RFC 9457 problem details, on every road in the same words. */
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"

import { Cause, Effect, Option, Schema } from "effect"
import { HttpServerResponse, ProblemDetails } from "effect/http"

import type { Unreadable } from "../Unreadable.ts"

const titles = {
  invalid_query: [400, "The query is not understood"],
  bad_request: [400, "The request is not understood"],
  bad_message: [400, "The message is not understood"],
  invalid_row: [400, "The row is not as it has to be"],
  unauthenticated: [401, "It is not known who asks"],
  forbidden: [403, "This is not allowed"],
  unknown_collection: [404, "There is no such collection"],
  unknown_row: [404, "There is no such row"],
  not_found: [404, "There is nothing here"],
  method_not_allowed: [405, "This method is not allowed here"],
  not_writable: [405, "This collection is not written to"],
  request_timeout: [408, "The request took too long"],
  conflict: [409, "This conflicts with what was written before"],
  precondition_failed: [412, "The row is not as it was expected"],
  too_large: [413, "The request is too large"],
  uri_too_long: [414, "The URL is too long"],
  unsupported_media_type: [415, "The body is of another type"],
  upgrade_required: [426, "This is a WebSocket"],
  too_many: [429, "Too many"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "Something went wrong here"],
  unavailable: [503, "Not available now"]
} as const

export type ProblemCode = keyof typeof titles

/** What a client did wrong, or what stands in its way. `retryAfterMs`: when it may try again. */
export class Problem extends Schema.TaggedError<Problem>()("Problem", {
  code: Schema.Literals(Object.keys(titles) as ReadonlyArray<ProblemCode>),
  detail: Schema.String,
  retryAfterMs: Schema.optional(Schema.Finite),
  allow: Schema.optional(Schema.String)
}) {
  get status(): number {
    return titles[this.code][0]
  }
}

/** What a client is told of whatever went wrong; what only the log says more of is our fault. */
export const problemIn = (cause: Cause.Cause<Problem | Unreadable>): Effect.Effect<Problem> => {
  const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (failure === undefined) return Effect.as(Effect.logError("a handler failed", cause), ours)
  return Effect.succeed(failure instanceof Problem ? failure : unreadable)
}

const ours = new Problem({ code: "internal", detail: "this is our fault; the log says more" })
export const unreadable = new Problem({
  code: "unavailable",
  detail: "what is kept of this cannot be read just now; try again",
  retryAfterMs: 2_000
})

/** The members of a problem, as they stand in a response or in a WebSocket message. */
export const problemDetails = (problem: Problem) => ({
  type: `/problems/${problem.code}`,
  title: titles[problem.code][1],
  status: problem.status,
  detail: problem.detail,
  code: problem.code
})

export const problemResponse = (problem: Problem): HttpServerResponse.HttpServerResponse => {
  const headers: { [name: string]: string } = { "cache-control": "no-store" }
  if (problem.retryAfterMs !== undefined)
    headers["retry-after"] = String(Math.ceil(problem.retryAfterMs / 1000))
  if (problem.allow !== undefined) headers["allow"] = problem.allow
  // RFC 6750, 3
  if (problem.code === "unauthenticated") headers["www-authenticate"] = "Bearer"
  // RFC 9110, 15.5.22
  if (problem.code === "upgrade_required")
    Object.assign(headers, { connection: "Upgrade", upgrade: "websocket" })
  return HttpServerResponse.setHeaders(ProblemDetails.toResponse(problemDetails(problem)), headers)
}

/** The last answer on a connection that no handler ever sees: what came on it is no request, or no handshake. */
export const refuseConnection = (
  socket: Duplex,
  problem: Problem,
  headers: { readonly [name: string]: string } = {}
): void => {
  const body = Buffer.from(JSON.stringify(problemDetails(problem)))
  const lines = Object.entries({
    ...headers,
    "content-type": "application/problem+json",
    "content-length": String(body.length),
    "cache-control": "no-store",
    connection: "close"
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  const { status } = problem
  // Otherwise a client that does not close either would hold the connection for good.
  socket.once("finish", () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body.toString()}`)
}
