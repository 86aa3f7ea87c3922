/** Headers that the config gives, as they are sent: secrets revealed, and what is an Effect run. */
import { Effect, Redacted } from "effect"
import { HttpClient } from "effect/http"

import type { Headers, SourceOptions } from "../Config.ts"
import { noHeaders, type PollFailed } from "./Failure.ts"
import type { Request } from "./Fetch.ts"

export const headersOf = (
  headers: SourceOptions["headers"],
  client: HttpClient.HttpClient
): Effect.Effect<Request["headers"], PollFailed> => {
  if (headers === undefined) return Effect.succeed({})
  if (!Effect.isEffect(headers)) return Effect.succeed(revealed(headers))
  return headers.pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.mapError(noHeaders),
    Effect.map(revealed)
  )
}

const revealed = (headers: Headers): Request["headers"] =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    ])
  )
