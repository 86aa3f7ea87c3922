/** Rows of a written collection that a function of the config reads from where they were: as if they came in a body. */
import { Duration, Effect } from "effect"
import { HttpClient } from "effect/http"

import type { Load } from "../Config.ts"
import { Body } from "./Body.ts"
import type { Extraction } from "./Extraction.ts"
import { broken, type PollFailed, timedOut } from "./Failure.ts"
import type { Polled } from "./Poll.ts"

const within = Duration.seconds(30)

export const makeLoad = (
  client: HttpClient.HttpClient,
  load: Load<unknown>,
  asked: Parameters<Load<unknown>>[0],
  extract: Extraction
): Effect.Effect<Polled, PollFailed> =>
  Effect.suspend(() => {
    const rows = load(asked)
    return Effect.isEffect(rows) ? rows : Effect.succeed(rows)
  }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.map((rows) => {
      if (rows instanceof Promise)
        throw new TypeError("load returned a promise; return an Effect: Effect.promise(…)")
      return new Body(Buffer.from(JSON.stringify([...rows])))
    }),
    Effect.catchCause((cause) => Effect.andThen(Effect.logError("load failed", cause), broken(cause))),
    Effect.timeoutOrElse({ duration: within, orElse: () => timedOut(within) }),
    Effect.flatMap((body) =>
      Effect.map(extract([body]), (extracts) => ({
        _tag: "Bodies" as const,
        extracts,
        size: body.bytes.length
      }))
    ),
    Effect.annotateLogs({ collection: asked.collection })
  )
