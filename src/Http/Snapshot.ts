/** `GET /v1/snapshot`: the whole state now, once. */
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import { frameResponse } from "./Json.ts"
import { askedOf, cachingFor, type Ground, minRevisionOf, queryOf } from "./Road.ts"
import { weakTagsOf } from "./Tags.ts"

export const snapshot = (ground: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { hub, upstream } = ground
    const caller = yield* ground.auth.callerOf(request)
    const query = yield* queryOf(ground, yield* askedOf(request), caller, minRevisionOf(request))
    const caching = cachingFor(caller)
    upstream.touch(query.parts.keys())
    const header = request.headers["if-none-match"]
    const known =
      header?.trim() === "*"
        ? hub.cursor(query)
        : weakTagsOf(header).find((cursor) => hub.isCurrent(query, cursor))
    if (known !== undefined)
      return HttpServerResponse.empty({ status: 304, headers: { ...caching, etag: weakTag(known) } })
    const frame = yield* hub.snapshot(query)
    return yield* frameResponse(request, frame, { ...caching, etag: weakTag(frame.cursor!) })
  })

/** Weak, because a body may carry a newer `asOf` under the same cursor. */
const weakTag = (cursor: string): string => `W/"${cursor}"`
