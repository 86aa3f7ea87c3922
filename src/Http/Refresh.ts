/** `POST /v1/refresh/{collection}`: polls its upstream now, once however many ask. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest } from "effect/http"

import { noParameters } from "./Collections.ts"
import { isAllowedOrigin, notLetIn } from "./Origin.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { lookUp } from "./Resolve.ts"
import { admission, attempt, cachingFor, type Ground } from "./Road.ts"

export const refresh = (ground: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { catalog, hub, upstream } = ground
    const caller = yield* ground.auth.callerOf(request, { changes: true })
    yield* noParameters(request)
    // A form of any page could send this one, and never see the answer.
    if (!isAllowedOrigin(request, ground.origins))
      return yield* notLetIn(request, ground.origins, "ask for a refresh")
    const name = (yield* HttpRouter.params)["collection"] ?? ""
    yield* attempt(() => lookUp(catalog, name, caller, "refresh"))
    if (name.includes("*"))
      return yield* new Problem({
        code: "unknown_collection",
        detail: "one collection is refreshed at a time, not a pattern"
      })
    yield* admission(ground, [name])
    // Before it is made: it is made though the client leaves.
    yield* ground.auth.audit(caller, { what: "refresh", of: name, address: ground.limits.addressOf(request) })
    const { ok, refreshed, retryAfterMs } = yield* upstream.refresh(name)
    const { asOf, health, revision } = hub.look(name)
    if (!ok) {
      const detail = health.error?.detail ?? "The upstream did not answer."
      return yield* new Problem({ code: "unavailable", detail, retryAfterMs: Math.max(retryAfterMs, 1_000) })
    }
    const answer = {
      epoch: hub.epoch,
      // Whoever reads this one is told of no other.
      revision,
      ...(asOf === 0 ? {} : { asOf }),
      refreshed,
      retryAfterMs
    }
    return textResponse(JSON.stringify(answer), cachingFor(caller, "no-store"))
  })
