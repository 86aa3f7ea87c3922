/** An HTTP client that talks to nobody: what it is asked is written down, and a function answers. */
import { Clock, Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, type HttpClientResponse } from "effect/http"

export interface Reply {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  /** JSON of anything but a string or bytes. */
  readonly body?: unknown
}

/** What a scripted upstream answers; a failed effect is a broken connection. */
export type Answer = Reply | Effect.Effect<Reply, unknown>

export interface Asked {
  /** ms since 1970 */
  readonly at: number
  readonly url: string
  readonly method: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: string
}

/** A response whose body comes without a promise, which the virtual clock could not wait for. */
const toResponse = (
  request: HttpClientRequest.HttpClientRequest,
  { body, headers = {}, status = 200 }: Reply
) => {
  const bytes =
    body instanceof Uint8Array
      ? body
      : Buffer.from(typeof body === "string" ? body : JSON.stringify(body ?? null))
  const response = {
    request,
    status,
    headers,
    stream: bytes.length === 0 ? Stream.empty : Stream.make(bytes)
  }
  return response as unknown as HttpClientResponse.HttpClientResponse
}

export class Script {
  readonly asked: Array<Asked> = []
  answer: (asked: Asked) => Answer
  /** Requests in flight at once, at most. */
  most = 0
  private running = 0

  constructor(answer: (asked: Asked) => Answer) {
    this.answer = answer
  }

  readonly layer = Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request, url) =>
      Effect.gen({ self: this }, function* () {
        const body = request.body
        const asked: Asked = {
          at: yield* Clock.currentTimeMillis,
          url: url.href,
          method: request.method,
          headers: request.headers,
          body: body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
        }
        this.asked.push(asked)
        this.most = Math.max(this.most, ++this.running)
        const answer = this.answer(asked)
        const reply = Effect.isEffect(answer)
          ? yield* Effect.mapError(
              answer as Effect.Effect<Reply, unknown>,
              (cause) =>
                new HttpClientError.HttpClientError({
                  reason: new HttpClientError.TransportError({ request, cause })
                })
            )
          : answer
        return toResponse(request, reply)
      }).pipe(Effect.ensuring(Effect.sync(() => this.running--)))
    )
  )
}
