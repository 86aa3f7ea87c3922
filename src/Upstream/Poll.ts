/**
 * One poll of one source: every URL, every page, retries inside the tick. What it keeps between polls is what makes the
 * next one cheaper: validators and the hash of the last body, so that an unchanged answer is not parsed again.
 */
import { createHash } from "node:crypto"

import { Duration, Effect, Metric, Schedule } from "effect"
import type { HttpClient } from "effect/http"

import type { NamedSource } from "../Catalog.ts"
import type { Pages, SourceOptions } from "../Config.ts"
import { Body } from "./Body.ts"
import type { Extract } from "./Extract.ts"
import { askedOf, notJson, type PollFailed, timedOut, tooManyPages } from "./Failure.ts"
import { exchange, type Request, unpack, type Validators } from "./Fetch.ts"
import { headersOf } from "./Headers.ts"
import { firstPage, nextPage, pageRequest } from "./Page.ts"

export type Polled =
  /** The same as the last poll, as the upstream says or by the bytes. */
  | { readonly _tag: "Unchanged" }
  | {
      readonly _tag: "Bodies"
      /** By collection. */
      readonly extracts: ReadonlyMap<string, Extract>
      /** Of all bodies, unpacked, in bytes. */
      readonly size: number
    }

const receivedBytes = Metric.counter("upstream_received_bytes_total", {
  description: "Bytes of answers as they came, packed or not",
  incremental: true
})
const notModified = Metric.counter("upstream_not_modified_total", {
  description: "Answers by 304: the source had nothing new",
  incremental: true
})

const defaults = { timeout: Duration.seconds(10), retries: 2, maxBytes: 32 * 1024 * 1024, maxPages: 100 }

export const makePoll = (
  client: HttpClient.HttpClient,
  source: NamedSource,
  /** The member of a family, in place of `{id}`. */
  id: string | undefined,
  /** What the bodies say, one for each URL or page. */
  extract: (bodies: ReadonlyArray<Body>) => Effect.Effect<ReadonlyMap<string, Extract>, PollFailed>
): Effect.Effect<Polled, PollFailed> => {
  const { options } = source
  const urls = urlsOf(options, id)
  const timeout = options.timeout === undefined ? defaults.timeout : Duration.fromInputUnsafe(options.timeout)
  const maxBytes = options.maxBytes ?? defaults.maxBytes
  // Only a GET may be conditional: to a POST a server answers 412 (RFC 9110, 13.2.2).
  const isConditional = urls.length === 1 && options.pages === undefined && options.method !== "POST"
  let validators: Validators | undefined
  let lastHash: string | undefined

  const attributes = { source: source.name }
  /** One exchange, counted. */
  const exchanged = Effect.fnUntraced(function* (asked: Request) {
    const answer = yield* exchange(client, asked)
    yield* answer._tag === "Body"
      ? Metric.update(Metric.withAttributes(receivedBytes, attributes), answer.bytes.length)
      : Metric.update(Metric.withAttributes(notModified, attributes), 1)
    return answer
  })

  const request = (url: string, headers: Request["headers"]): Request => ({
    method: options.method ?? "GET",
    url,
    headers,
    body: options.body,
    validators: isConditional ? validators : undefined,
    maxBytes,
    redirects: options.redirects ?? "none"
  })

  const others = urls.length === 1 ? "" : ` and ${urls.length - 1} more`
  const ofAll = askedOf(options.method ?? "GET", urls[0]!, others)

  /** One attempt. The state between polls changes only when all of it has succeeded. */
  const attempt = Effect.suspend(() => headersOf(options.headers, client)).pipe(
    Effect.flatMap((headers) =>
      Effect.mapError(
        options.pages === undefined ? readAll(headers) : readPages(options.pages, headers),
        ofAll
      )
    )
  )

  const readAll = Effect.fnUntraced(function* (
    headers: Request["headers"]
  ): Effect.fn.Return<Polled, PollFailed> {
    const answers = yield* Effect.forEach(urls, (url) => exchanged(request(url, headers)), {
      concurrency: 4
    })
    const bodies = answers.filter((answer) => answer._tag === "Body")
    const hash = bodies.map((body) => body.hash).join()
    if (bodies.length === 0 || hash === lastHash) {
      if (bodies[0] !== undefined) validators = bodies[0].validators
      return { _tag: "Unchanged" }
    }
    const unpacked: Array<Body> = []
    for (const { bytes, encoding } of bodies) {
      unpacked.push(new Body(yield* unpack(bytes, encoding, maxBytes - sizeOf(unpacked))))
    }
    const said = yield* together(unpacked)
    validators = bodies[0]!.validators
    lastHash = hash
    return said
  })

  const readPages = Effect.fnUntraced(function* (
    pages: Pages,
    headers: Request["headers"]
  ): Effect.fn.Return<Polled, PollFailed> {
    const hash = createHash("sha1")
    const unpacked: Array<Body> = []
    let position = firstPage(pages)
    for (;;) {
      if (unpacked.length === (pages.max ?? defaults.maxPages)) return yield* tooManyPages(unpacked.length)
      const answer = yield* exchanged(pageRequest(request(urls[0]!, headers), pages, position))
      if (answer._tag === "NotModified") return yield* notJson("304 for a page")
      hash.update(answer.hash)
      const body = new Body(yield* unpack(answer.bytes, answer.encoding, maxBytes - sizeOf(unpacked)))
      unpacked.push(body)
      const page = yield* Effect.try({ try: () => body.json.value, catch: notJson })
      position = yield* nextPage(pages, page, position, options.rows)
      if (position === undefined) break
    }
    const digest = hash.digest("base64")
    if (digest === lastHash) return { _tag: "Unchanged" }
    const said = yield* together(unpacked)
    lastHash = digest
    return said
  })

  const together = (bodies: ReadonlyArray<Body>): Effect.Effect<Polled, PollFailed> => {
    const size = sizeOf(bodies)
    return Effect.map(extract(bodies), (extracts) => ({ _tag: "Bodies", extracts, size }))
  }

  return attempt.pipe(
    Effect.timeoutOrElse({ duration: timeout, orElse: () => ofAll(timedOut(timeout)) }),
    Effect.retry(($) =>
      $(backoff).pipe(
        Schedule.upTo({ times: options.retries ?? defaults.retries }),
        Schedule.while(({ input }) => input.retryable)
      )
    )
  )
}

// min() takes the faster delay, so `spaced` is the cap on the exponential.
const backoff = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.jittered
)

const sizeOf = (bodies: ReadonlyArray<Body>): number =>
  bodies.reduce((sum, { bytes }) => sum + bytes.length, 0)

const urlsOf = (options: SourceOptions, id: string | undefined): ReadonlyArray<string> => {
  const urls = typeof options.url === "string" ? [options.url] : options.url
  return id === undefined
    ? urls
    : urls.map((url) => url.replaceAll(/\{[A-Za-z]+\}/g, () => encodeURIComponent(id)))
}
