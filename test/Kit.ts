/**
 * A whole hub on the virtual clock: the real Upstream, RateEngine and Hub over an HTTP client that a test scripts, and
 * readers in memory that hold what docs/protocol.md says a client holds.
 */
import { Clock, type Duration, Effect, Layer, Metric, Stream } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, type HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"

import { Catalog, declares, makeCatalog } from "../src/Catalog.ts"
import type { Config } from "../src/Config.ts"
import { layerHub } from "../src/Daemon.ts"
import {
  Hub,
  HubMemory,
  Journal,
  makeQuery,
  type Pace,
  type Part,
  type Query,
  type Reader,
  type Sink
} from "../src/Hub.ts"
import { Held, type Message } from "./Held.ts"

export interface Reply {
  readonly status?: number
  readonly headers?: { readonly [name: string]: string }
  /** JSON of anything but a string or bytes. */
  readonly body?: unknown
}

/** What a scripted upstream answers; a failed effect is a broken connection. */
export type Answer = Reply | Effect.Effect<Reply, unknown>

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

export interface Asked {
  readonly at: number
  readonly url: string
  readonly method: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly body: string
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

/** Time begins here, and not at 0, which means never. */
export const startOfTime = 1_790_000_000_000

/**
 * Lets every fiber run that can. The virtual clock waits for what its own wakings set off, but not for what a test set
 * off before it: a fiber that has yet to begin would begin late, by that clock.
 */
export const settle = Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })

/** Moves the clock, and everything that time sets off. */
export const advance = (duration: Duration.Input) =>
  settle.pipe(Effect.andThen(TestClock.adjust(duration)), Effect.andThen(settle))

export const hubOf = (
  config: Config,
  script: Script,
  memory?: typeof HubMemory.Service,
  journal: Layer.Layer<Journal> = Journal.layerNone
) => {
  const catalog = makeCatalog(config)
  if (Array.isArray(catalog)) throw new Error(JSON.stringify(catalog))
  // Built last: the first polls have been asked and answered before a test begins.
  return Layer.effectDiscard(settle).pipe(
    Layer.provideMerge(layerHub),
    Layer.orDie,
    Layer.provide(journal),
    Layer.provideMerge(script.layer),
    Layer.provideMerge(Layer.succeed(Catalog, catalog as Catalog["Service"])),
    Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(startOfTime))),
    Layer.provide(Layer.fresh(Layer.succeed(Metric.MetricRegistry, new Map()))),
    Layer.provide(memory === undefined ? Layer.empty : Layer.succeed(HubMemory, memory))
  )
}

export const queryOf = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>,
  narrowed: Partial<Part> = {}
) {
  const catalog = yield* Catalog
  return makeQuery(
    names.map((name) => {
      const collection = { ...declares(catalog, name)!.collection, name }
      return [name, { collection, keys: undefined, fields: undefined, where: [], ...narrowed }] as const
    })
  )
})

export class Client extends Held implements Sink {
  readonly framing = "text" as const
  readonly messages: Array<Message> = []
  readonly arrivals: Array<number> = []
  ended: { readonly code: string; readonly at: number } | undefined
  /** A stalled client takes nothing more. */
  stalled = false
  /** Frames offered while one was not taken yet: a queue, which there must never be. */
  queued = 0
  private readonly clock: Clock.Clock
  private pending = false
  reader: Reader | undefined
  hub: Hub["Service"] | undefined

  constructor(clock: Clock.Clock) {
    super()
    this.clock = clock
  }

  readonly write: Sink["write"] = (frame) => {
    if (this.pending) this.queued++
    this.messages.push(this.receive(frame.in("text").buffers.map(String).join("")))
    this.arrivals.push(this.clock.currentTimeMillisUnsafe())
    this.pending = this.stalled
    return !this.stalled
  }

  readonly end: Sink["end"] = (code) => {
    this.ended = { code, at: this.clock.currentTimeMillisUnsafe() }
    this.drop()
  }

  /** Takes what was written, as a socket does that drains. */
  drain(): void {
    this.stalled = false
    if (!this.pending) return
    this.pending = false
    this.hub!.drained(this.reader!)
  }

  drop(): void {
    this.pending = false
    this.hub!.leave(this.reader!)
  }

  get types(): ReadonlyArray<string> {
    return this.messages.map(({ type }) => type)
  }
}

export const connect = Effect.fnUntraced(function* (
  query: Query,
  options: {
    readonly since?: string | undefined
    readonly pace?: Partial<Pace>
    readonly notBefore?: number
    readonly client?: Client
  } = {}
) {
  const hub = yield* Hub
  const client = options.client ?? new Client(yield* Clock.Clock)
  client.hub = hub
  client.ended = undefined
  client.reader = hub.enter(query, client, { interval: 0, once: false, ...options.pace })
  yield* hub.open(client.reader, { since: options.since, notBefore: options.notBefore ?? 0 })
  return client
})
