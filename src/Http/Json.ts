/** JSON answers: frames shared by everybody who is given the same, gzipped where that is taken. */
import { Effect, Stream } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import type { Frame } from "../Hub.ts"
import { Gzip, takesGzip } from "./Gzip.ts"

/** Shorter texts do not get smaller by it. */
const worthGzip = 1024
/** Longer bodies are not copied together. */
const longBody = 256 * 1024

const contentType = "application/json"

export const frameResponse = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  frame: Frame,
  headers: { readonly [name: string]: string }
) {
  const plain = frame.in("text")
  if (plain.bytes < worthGzip || !takesGzip(request.headers["accept-encoding"])) {
    return bodyResponse(plain.buffers, plain.bytes, headers)
  }
  if (!frame.isReady("gzipText")) yield* frame.prepare
  const encoded = frame.in("gzipText")
  const gzip = new Gzip()
  const head = gzip.begin("")
  gzip.add(encoded)
  const tail = gzip.end()
  return bodyResponse([head, ...encoded.buffers, tail], head.length + encoded.bytes + tail.length, {
    ...headers,
    "content-encoding": "gzip"
  })
})

const bodyResponse = (
  buffers: ReadonlyArray<Buffer>,
  bytes: number,
  headers: { readonly [name: string]: string }
) =>
  bytes <= longBody
    ? HttpServerResponse.uint8Array(Buffer.concat(buffers, bytes), { contentType, headers })
    : // One buffer at a time: the adapter copies what comes together.
      HttpServerResponse.stream(Stream.fromIterable(buffers).pipe(Stream.rechunk(1)), {
        contentType,
        contentLength: bytes,
        headers
      })

export const textResponse = (text: string, headers: { readonly [name: string]: string }, status = 200) =>
  HttpServerResponse.text(text, { status, contentType, headers })
