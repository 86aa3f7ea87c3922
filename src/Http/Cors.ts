/** Reading across origins (WHATWG Fetch): same origin by default, else the origins that the settings name. */
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

const exposed = "ETag, Ratecast-Cursor, Retry-After, Preference-Applied"
const allowedHeaders =
  "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, Ratecast-Min-Revision"

/** Nothing where the request comes from no page, or from one that may not read. */
export const corsHeaders = (
  request: HttpServerRequest.HttpServerRequest,
  origins: ReadonlySet<string>
): { readonly [name: string]: string } => {
  const { origin } = request.headers
  if (origin === undefined) return {}
  // Named origins may send cookies; with `*` a browser would refuse the answer to a request that did.
  if (origins.has(origin)) {
    return {
      "access-control-allow-origin": origin,
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": exposed
    }
  }
  return origins.has("*")
    ? { "access-control-allow-origin": "*", "access-control-expose-headers": exposed }
    : {}
}

export const isPreflight = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined

export const preflightResponse = HttpServerResponse.empty({
  status: 204,
  headers: {
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": allowedHeaders,
    "access-control-max-age": "600",
    vary: "Origin"
  }
})
