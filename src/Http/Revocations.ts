/** `POST /v1/revocations`: a backend says that tokens do not count any more, by their subject or one by its id. */
import { Effect, Option, Schema } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import { parseBody, textBody } from "./Body.ts"
import { noParameters } from "./Collections.ts"
import { Problem } from "./Problem.ts"
import { cachingFor, type Ground } from "./Road.ts"

/** No token is longer, so no subject of one is. */
const maxName = 8 * 1024
const name = Schema.String.check(Schema.isMaxLength(maxName))
const Revoked = Schema.Union([Schema.Struct({ sub: name }), Schema.Struct({ jti: name })])
const decode = Schema.decodeUnknownOption(Revoked, { onExcessProperty: "error" })

export const revocations = ({ auth, limits }: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const caller = yield* auth.callerOf(request, { changes: true })
    if (caller.by !== "api key")
      return yield* caller.by === "nothing"
        ? new Problem({ code: "unauthenticated", detail: "only a backend may, by the API key" })
        : new Problem({ code: "forbidden", detail: "only a backend may, by the API key" })
    yield* noParameters(request)
    const revoked = decode(yield* Effect.flatMap(textBody(request, limits.sizes.body), parseBody))
    if (Option.isNone(revoked))
      return yield* new Problem({
        code: "bad_request",
        detail: `the body is {"sub":"…"} or {"jti":"…"}, of at most ${maxName} characters`
      })
    const of = "sub" in revoked.value ? "sub" : "jti"
    yield* auth.audit(caller, { what: "revocation", of, address: limits.addressOf(request) })
    if (!(yield* auth.revoke(revoked.value)))
      return yield* new Problem({
        code: "unavailable",
        detail:
          "connections are ended, but no more revocations can be remembered: the token counts when it is shown again",
        retryAfterMs: 60_000
      })
    return HttpServerResponse.empty({ status: 204, headers: cachingFor(caller, "no-store") })
  })
