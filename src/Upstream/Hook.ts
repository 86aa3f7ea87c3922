/**
 * A backend's say in writes, asked over HTTP. A few questions at once, the others wait for their turn; a backend that fails
 * is left alone for a while, as a source is. Never asked twice: it may have done something.
 */
import { Data, Duration, Effect, Metric, type Scope, Semaphore } from "effect"
import type { HttpClient } from "effect/http"

import { familyOf, type Row } from "../Collection.ts"
import { type Hook, type HookedWrite, type Refused, isRefused, refuse } from "../Config.ts"
import { Body } from "./Body.ts"
import { makeBreaker } from "./Breaker.ts"
import { notJson, type PollFailed, timedOut } from "./Failure.ts"
import { exchange, unpack } from "./Fetch.ts"
import { headersOf } from "./Headers.ts"

/** There is no answer that counts. */
export class HookFailed extends Data.TaggedError("HookFailed")<{
  /** When it may be asked again, ms. */
  readonly retryAfterMs: number | undefined
}> {}

/** The row to keep, why there shall be none, or nothing where the write is as it may be. */
export type Asking = (write: HookedWrite<Row>) => Effect.Effect<Row | Refused | undefined, HookFailed>

const asked = Metric.counter("hook_questions_total", {
  description:
    "Writes that a backend was asked about, by collection and outcome: accepted, changed, refused, or why there was no answer",
  incremental: true
})

const defaults = { timeout: Duration.seconds(5), concurrency: 16 }
/** More, and the writers are told at once. */
const maxWaiting = 256
const maxBytes = 1024 * 1024
/** Characters of a refusal that the writer is told. */
const maxRefusal = 1_000
/** For how long one that fails is left alone, at first and at last, ms. */
const open = { first: 1_000, most: 30_000 }

export const makeHook = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  { options }: Hook
): Effect.fn.Return<Asking, never, Scope.Scope> {
  const timeout = options.timeout === undefined ? defaults.timeout : Duration.fromInputUnsafe(options.timeout)
  const turns = yield* Semaphore.make(options.concurrency ?? defaults.concurrency)
  const breaker = yield* makeBreaker(options.url, open)
  let waiting = 0

  const ask = Effect.fnUntraced(function* (
    write: HookedWrite<Row>
  ): Effect.fn.Return<Row | Refused | undefined, PollFailed> {
    const headers = yield* headersOf(options.headers, client)
    const answer = yield* exchange(client, {
      method: "POST",
      url: options.url,
      headers,
      body: questionOf(write),
      validators: undefined,
      maxBytes,
      redirects: "none"
    })
    if (answer._tag === "NotModified") return yield* notJson("304")
    const body = new Body(yield* unpack(answer.bytes, answer.encoding, maxBytes))
    if (body.bytes.length === 0) return undefined
    const said = yield* Effect.try({ try: () => body.json.value, catch: notJson })
    return yield* saidBy(said)
  })

  return Effect.fnUntraced(function* (write) {
    const count = (outcome: string) =>
      Metric.update(Metric.withAttributes(asked, { collection: declaredName(write.collection), outcome }), 1)
    const failed = (outcome: string, retryAfterMs?: number) =>
      Effect.andThen(count(outcome), new HookFailed({ retryAfterMs }))
    if (waiting >= maxWaiting) return yield* failed("busy")
    waiting++
    const said = yield* ask(write).pipe(
      Effect.timeoutOrElse({ duration: timeout, orElse: () => timedOut(timeout) }),
      // A backend that knows what it does not understand is there.
      (question) =>
        breaker(question, ({ retryAfterMs, retryable }) => retryable || retryAfterMs !== undefined),
      turns.withPermit,
      Effect.ensuring(Effect.sync(() => void waiting--)),
      Effect.catchTags({
        PollFailed: (failure) =>
          Effect.logWarning(
            "a backend was asked about a write, and gave no answer that counts",
            failure
          ).pipe(
            Effect.annotateLogs({ collection: write.collection }),
            Effect.andThen(failed(failure.code, failure.retryAfterMs))
          ),
        CircuitBreakerError: ({ reason }) =>
          failed("open", reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : undefined)
      })
    )
    yield* count(said === undefined ? "accepted" : isRefused(said) ? "refused" : "changed")
    return said
  })
})

const declaredName = (collection: string): string => familyOf(collection)?.family ?? collection

/** The members of what is sent: a key that is still to be given is none. */
const questionOf = ({ before, by, collection, key, op, row, sub }: HookedWrite<Row>) => ({
  op,
  collection,
  ...(key === "" ? {} : { key }),
  before,
  row,
  sub,
  by
})

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const saidBy = (said: unknown): Effect.Effect<Row | Refused | undefined, PollFailed> => {
  if (!isObject(said)) return notSaid("is no object")
  const { refuse: why, row, ...others } = said
  const [odd] = Object.keys(others)
  if (odd !== undefined) return notSaid(`has a member ${JSON.stringify(odd.slice(0, 80))}`)
  if (why !== undefined && row !== undefined) return notSaid("has both a row and a refusal")
  if (typeof why === "string") return Effect.succeed(refuse(why.slice(0, maxRefusal)))
  if (why !== undefined) return notSaid("refuses with what is no text")
  if (row === undefined) return Effect.succeed(undefined)
  return isObject(row) ? Effect.succeed(row as Row) : notSaid("has a row that is no object")
}

const notSaid = (why: string) =>
  notJson(`the answer ${why}; expected {"row":{…}}, {"refuse":"why"}, {} or status 204`)
