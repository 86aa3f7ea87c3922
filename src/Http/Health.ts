/** `/livez` and `/readyz`: whether the process runs, and whether it should get requests. Stale data keeps it ready. */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

import { textResponse } from "./Json.ts"
import type { Ground } from "./Road.ts"

const headers = { "cache-control": "no-store" }

export const livez = Effect.succeed(textResponse('{"status":"ok"}', headers))

export const readyz = ({ catalog, hub, siblings }: Ground) => {
  const required = [...catalog.declared.values()].filter((declared) => declared.required)
  return (_request: HttpServerRequest.HttpServerRequest) =>
    Effect.sync(() => {
      const waitingFor = required
        .map(({ name }) => name)
        .filter((name) => hub.look(name).health.state === "loading")
      const draining = hub.isDraining()
      const ready = waitingFor.length === 0 && !draining && siblings.isServing()
      const status = ready ? "ok" : draining ? "draining" : "loading"
      return textResponse(
        JSON.stringify({
          status,
          ...(waitingFor.length === 0 ? {} : { waitingFor }),
          // Not a reason to get no requests, but to look after it: a restart loses what was committed since.
          journal: hub.outlives() ? "file" : "memory"
        }),
        ready ? headers : { ...headers, "retry-after": "1" },
        ready ? 200 : 503
      )
    })
}
