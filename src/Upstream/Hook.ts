/** A backend's say in writes, asked over HTTP. */
import { Duration, Effect, type Scope } from "effect"
import type { HttpClient } from "effect/http"

import type { Row } from "../Collection.ts"
import { type Hook, type HookedWrite, isRefused, refuse, type Refused, type RowSchema } from "../Config.ts"
import { exactly } from "./Exactly.ts"
import { makeBulkhead, type Unanswered } from "./Bulkhead.ts"
import { notJson, notMeant, type PollFailed } from "./Failure.ts"
import { exchange, unpack } from "./Fetch.ts"
import { headersOf } from "./Headers.ts"

/** The row to keep, why there shall be none, or nothing where the write is as it may be. */
export type Asking = (write: HookedWrite<Row>) => Effect.Effect<Row | Refused | undefined, Unanswered>

const utf8 = new TextDecoder("utf-8", { fatal: true })

const defaults = { timeout: Duration.seconds(5), concurrency: 16 }
const maxBytes = 1024 * 1024
/** Characters of a refusal that the writer is told. */
const maxRefusal = 1_000

export const makeHook = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  { options }: Hook,
  rowOf: (collection: string) => RowSchema
): Effect.fn.Return<Asking, never, Scope.Scope> {
  const timeout = options.timeout === undefined ? defaults.timeout : Duration.fromInputUnsafe(options.timeout)
  const { concurrency = defaults.concurrency } = options
  const bulkhead = yield* makeBulkhead(options.url, {
    concurrency,
    timeout,
    // A backend that knows what it does not understand is there.
    counts: ({ retryAfterMs, retryable }) => retryable || retryAfterMs !== undefined
  })

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
    const bytes = yield* unpack(answer.bytes, answer.encoding, maxBytes)
    if (bytes.length === 0) return undefined
    const said = yield* Effect.try({
      try: () => exactly(utf8.decode(bytes), rowOf(write.collection), "row"),
      catch: notJson
    })
    return yield* saidBy(said)
  })

  return (write) => bulkhead(ask(write), { ...write, what: "write" }, outcomeOf)
})

const outcomeOf = (said: Row | Refused | undefined): string =>
  said === undefined ? "accepted" : isRefused(said) ? "refused" : "changed"

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
  notMeant(`it ${why}; expected {"row":{…}}, {"refuse":"why"}, {} or status 204`)
