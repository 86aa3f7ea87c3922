/** Rows of a written collection that are older than what is kept here, by a function of the config; asked once by all who ask the same at once. */
import { Deferred, Duration, Effect, FiberSet, type Scope } from "effect"
import { HttpClient } from "effect/http"

import type { Declared } from "../Catalog.ts"
import type { OlderAsked, OnHistory } from "../Config.ts"
import { Body } from "./Body.ts"
import { makeBulkhead, type Unanswered } from "./Bulkhead.ts"
import { Extractor } from "./Extractor.ts"
import { polledAs } from "./Extractors.ts"
import { failed, notMeant, PollFailed } from "./Failure.ts"

/** A row that a backend has, as JSON. */
export interface OlderRow {
  readonly key: string
  readonly row: string
}
export type Older = (asked: OlderAsked) => Effect.Effect<ReadonlyArray<OlderRow>, Unanswered>

const concurrency = 8
const timeout = Duration.seconds(5)

export const makeOlder = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  declared: Declared,
  onHistory: OnHistory<unknown>
): Effect.fn.Return<Older, never, Scope.Scope> {
  const bulkhead = yield* makeBulkhead(declared.name, {
    concurrency,
    timeout,
    // Anything else may be about what one reader asked, and no reader turns it off for the others.
    counts: ({ code }) => code === "upstream_timeout"
  })
  const fork = yield* FiberSet.makeRuntime<never>()
  const extractor = new Extractor(polledAs(declared))
  const running = new Map<string, Deferred.Deferred<ReadonlyArray<OlderRow>, Unanswered>>()

  /** Newest first, as they came. */
  const rowsOf = Effect.fnUntraced(function* (
    found: Iterable<unknown>,
    { before, limit }: OlderAsked
  ): Effect.fn.Return<ReadonlyArray<OlderRow>, PollFailed> {
    const { extract } = yield* Effect.try({
      try: () => {
        if (found instanceof Promise) throw new TypeError("a promise; return an Effect: Effect.promise(…)")
        const body = new Body(Buffer.from(JSON.stringify([...found].slice(0, limit))))
        // What it remembers of a body is of no use to the next.
        return extractor.extract([body])
      },
      catch: (thrown) => notMeant(`no rows: ${String(thrown)}`)
    })
    const [bad] = extract.notes.bad
    // Left out, it would be missed by nobody, or taken for the end.
    if (bad !== undefined) return yield* misfit(`${bad.key ?? "a row"}: ${bad.reason}`)
    if (before !== undefined && extract.rows.has(before))
      return yield* misfit(`it has ${before}, which it was to begin before`)
    return [...extract.rows].map(([key, row]) => ({ key, row: JSON.stringify(row) }))
  })

  const asking = (asked: OlderAsked) =>
    Effect.suspend(() => {
      const rows = onHistory(asked)
      return Effect.isEffect(rows) ? rows : Effect.succeed(rows)
    }).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      Effect.mapError(failed),
      Effect.flatMap((found) => rowsOf(found, asked)),
      (question) => bulkhead(question, { ...asked, what: "history" }, () => "answered")
    )

  return (asked) =>
    Effect.suspend(() => {
      const id = JSON.stringify([asked.collection, asked.before, asked.limit])
      const same = running.get(id)
      if (same !== undefined) return Deferred.await(same)
      const answer = Deferred.makeUnsafe<ReadonlyArray<OlderRow>, Unanswered>()
      running.set(id, answer)
      // Not by whoever asks first: they may leave, and others wait for it.
      fork(
        asking(asked).pipe(
          Effect.onExit((exit) => {
            running.delete(id)
            return Deferred.done(answer, exit)
          }),
          Effect.ignore
        )
      )
      return Deferred.await(answer)
    })
})

const misfit = (cause: string) =>
  new PollFailed({
    code: "upstream_shape",
    detail: "The answer of the upstream has a row that does not fit.",
    retryable: false,
    cause
  })
