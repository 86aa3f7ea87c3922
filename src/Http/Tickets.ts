/** `POST /v1/tickets`: for an `EventSource`, which can show nothing else than what stands in its URL. */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

import { refusal } from "./Auth/Caller.ts"
import { ticketFor } from "./Auth/Tickets.ts"
import { noParameters } from "./Collections.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { cachingFor, type Ground } from "./Road.ts"

export const tickets = ({ auth, limits }: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const caller = yield* auth.callerOf(request, { changes: true })
    yield* noParameters(request)
    if (caller.by === "nothing") return yield* refusal(caller, "there is no ticket")
    yield* limits.write(caller, limits.addressOf(request))
    const ticket = auth.ticket(caller)
    if (ticket === undefined)
      return yield* new Problem({
        code: "too_many",
        detail: "so many tickets wait already",
        retryAfterMs: ticketFor
      })
    return textResponse(
      JSON.stringify({ ticket, expiresIn: ticketFor / 1000 }),
      cachingFor(caller, "no-store")
    )
  })
