/** The body of a request: JSON, and not more of it than may be. */
import { Effect } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"

import { Problem } from "./Problem.ts"

/** A body that comes slower than this is not waited for. */
const within = "10 seconds"

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** A form of any page can send anything but this type, so what changes something asks for it. */
const isJson = (type: string | undefined): boolean =>
  /^application\/(?:json|merge-patch\+json)\s*(?:;|$)/i.test(type ?? "")

/** `maxBytes`: more are refused while they come. */
export const textBody = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  maxBytes: number
): Effect.fn.Return<string, Problem> {
  if (!isJson(request.headers["content-type"]))
    return yield* new Problem({
      code: "unsupported_media_type",
      detail: "the body is JSON: Content-Type: application/json"
    })
  const bytes = yield* request.arrayBuffer.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, maxBytes as never),
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => new Problem({ code: "request_timeout", detail: "the body took too long" })
    }),
    Effect.catchIf(
      (error) => error._tag !== "Problem",
      (error) =>
        isOverflow(error)
          ? new Problem({ code: "too_large", detail: `a body has at most ${maxBytes} bytes` })
          : new Problem({ code: "bad_request", detail: "the body did not come whole" })
    )
  )
  return yield* Effect.try({
    try: () => utf8.decode(bytes),
    catch: () => new Problem({ code: "bad_request", detail: "the body is not UTF-8" })
  })
})

export const parseBody = (
  text: string,
  parse: (text: string) => unknown = JSON.parse
): Effect.Effect<unknown, Problem> =>
  Effect.try({
    try: () => parse(text),
    catch: (error) =>
      new Problem({
        code: "bad_request",
        detail: `the body is not JSON: ${String((error as Error).message)}`
      })
  })

const isOverflow = (error: unknown): boolean => {
  for (
    let at: unknown = error;
    typeof at === "object" && at !== null;
    at = "cause" in at ? at.cause : undefined
  )
    if ("_tag" in at && at._tag === "MaxBytesError") return true
  return false
}
