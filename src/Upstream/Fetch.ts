/**
 * One HTTP exchange with an upstream: the request, then its body unpacked and bounded. Conditional where the last answer
 * gave something to be conditional about.
 */
import { createHash } from "node:crypto"
import * as zlib from "node:zlib"

import { Clock, DateTime, Effect, Option, Stream } from "effect"
import { type HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"

import { askedOf, badStatus, brokeOff, notJson, type PollFailed, tooLarge, unreachable } from "./Failure.ts"

/** What makes the next request conditional. */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

export interface Request {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: unknown
  readonly validators: Validators | undefined
  readonly maxBytes: number
  readonly redirects: "none" | "same-origin"
}

export type Answer =
  | { readonly _tag: "NotModified" }
  /** `hash` is over the bytes as they came, so that an unchanged body need not even be unpacked. */
  | {
      readonly _tag: "Body"
      readonly hash: string
      readonly bytes: Uint8Array
      readonly encoding: string
      readonly validators: Validators
    }

const maxRedirects = 3
/** No upstream can make us wait longer than this, ms. */
const maxRetryAfter = 15 * 60_000

export const exchange = (
  client: HttpClient.HttpClient,
  request: Request
): Effect.Effect<Answer, PollFailed> =>
  Effect.mapError(exchanged(client, request), askedOf(request.method, request.url))

const exchanged = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  request: Request
): Effect.fn.Return<Answer, PollFailed> {
  const response = yield* send(client, request, request.url, maxRedirects)
  if (response.status === 304 && request.validators !== undefined) return { _tag: "NotModified" }
  if (response.status < 200 || response.status > 299) {
    const now = yield* Clock.currentTimeMillis
    return yield* badStatus(response.status, retryAfterOf(response.headers["retry-after"], now))
  }
  const { bytes, hash } = yield* collect(response, request.maxBytes)
  return {
    _tag: "Body",
    hash,
    bytes,
    encoding: (response.headers["content-encoding"] ?? "identity").trim().toLowerCase(),
    validators: { etag: response.headers["etag"], lastModified: response.headers["last-modified"] }
  }
})

const send = (
  client: HttpClient.HttpClient,
  request: Request,
  url: string,
  redirectsLeft: number
): Effect.Effect<HttpClientResponse.HttpClientResponse, PollFailed> =>
  client.execute(outgoing(request, url)).pipe(
    Effect.mapError(unreachable),
    Effect.flatMap((response) => {
      const location = response.headers["location"]
      if (
        request.redirects === "none" ||
        response.status < 300 ||
        response.status > 399 ||
        response.status === 304
      ) {
        return Effect.succeed(response)
      }
      const target = location === undefined ? null : URL.parse(location, url)
      // Credentials follow only within the origin, and never further than a loop would need.
      return target === null || target.origin !== new URL(url).origin || redirectsLeft === 0
        ? Effect.succeed(response)
        : send(client, request, target.href, redirectsLeft - 1)
    })
  )

const outgoing = (request: Request, url: string): HttpClientRequest.HttpClientRequest => {
  const { etag, lastModified } = request.validators ?? {}
  const headers = {
    accept: "application/json",
    "accept-encoding": "gzip, br, zstd",
    "user-agent": "ratecast",
    ...(etag === undefined ? {} : { "if-none-match": etag }),
    ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
    ...request.headers
  }
  const made = HttpClientRequest.make(request.method)(url, { headers })
  return request.body === undefined ? made : HttpClientRequest.bodyJsonUnsafe(made, request.body)
}

const collect = (
  response: HttpClientResponse.HttpClientResponse,
  maxBytes: number
): Effect.Effect<{ readonly bytes: Uint8Array; readonly hash: string }, PollFailed> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    // Piece by piece as they come: 13 MB at once would hold the loop for 15 ms.
    const hash = createHash("sha1")
    let size = 0
    return response.stream.pipe(
      Stream.mapError(brokeOff),
      Stream.runForEach((chunk) => {
        chunks.push(chunk)
        hash.update(chunk)
        size += chunk.length
        return size > maxBytes ? tooLarge(maxBytes) : Effect.void
      }),
      Effect.map(() => ({
        bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size),
        hash: hash.digest("base64")
      }))
    )
  })

type Unpacker = (
  bytes: Uint8Array,
  options: { readonly maxOutputLength: number },
  done: (error: Error | null, unpacked: Buffer) => void
) => void

const unpackers: { readonly [encoding: string]: Unpacker } = {
  gzip: zlib.gunzip,
  "x-gzip": zlib.gunzip,
  deflate: zlib.inflate,
  br: zlib.brotliDecompress,
  zstd: zlib.zstdDecompress
}

/** A body unpacked. One encoding only, and no further than the limit: 316 bytes of brotli can unpack to 200 MB. */
export const unpack = (
  bytes: Uint8Array,
  encoding: string,
  maxBytes: number
): Effect.Effect<Uint8Array, PollFailed> => {
  if (bytes.length > maxBytes) return tooLarge(maxBytes)
  if (encoding === "identity" || encoding === "") return Effect.succeed(bytes)
  const unpacker = Object.hasOwn(unpackers, encoding) ? unpackers[encoding] : undefined
  if (unpacker === undefined) return notJson(`content-encoding ${encoding}`)
  return Effect.callback<Uint8Array, PollFailed>((resume) => {
    unpacker(bytes, { maxOutputLength: maxBytes }, (error, unpacked) => {
      if (error === null) resume(Effect.succeed(unpacked))
      else
        resume(
          (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
            ? tooLarge(maxBytes)
            : notJson(error)
        )
    })
  })
}

/** RFC 9110 10.2.3: seconds or a date. */
const retryAfterOf = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const ms = /^\s*\d+\s*$/.test(header)
    ? Number(header) * 1000
    : DateTime.make(header).pipe(
        Option.match({ onNone: () => NaN, onSome: (date) => date.epochMilliseconds - now })
      )
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), maxRetryAfter) : undefined
}
