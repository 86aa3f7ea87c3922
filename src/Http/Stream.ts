/**
 * `GET /v1/stream`: Server-Sent Events. Never answers 429 or 503, because `EventSource` gives up for good on any status
 * but 200: who cannot be served is told so in the stream, and when to come back.
 */
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

import {
  chunk,
  Frame,
  type Framing,
  goodbyeMessage,
  pingMessage,
  type GoodbyeCode,
  type Pace,
  type Query,
  type Reader,
  type Sink
} from "../Hub.ts"
import type { Asked } from "./Asked.ts"
import { corsHeaders } from "./Cors.ts"
import { Gzip, takesGzip } from "./Gzip.ts"
import { handOverStream, type StreamHandover, turnOf } from "./Handover.ts"
import { handedOver } from "./Handover/Release.ts"
import type { Slot } from "./Limits/Slot.ts"
import { Outlet, type OutletEvents } from "./Outlet.ts"
import { Problem } from "./Problem.ts"
import { askedOf, cachingFor, type Ground, minRevisionOf, queryOf, retryAfter } from "./Road.ts"
import { Visit } from "./Visit.ts"

const sseHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  vary: "Accept-Encoding, Authorization, Cookie, Origin"
}

export const stream = (ground: Ground) => (request: HttpServerRequest.HttpServerRequest) =>
  ground.limits
    .admit(request, (slot) =>
      enter(ground, request, slot).pipe(
        Effect.catchIf(isPassing, (problem) => Effect.succeed(problem)),
        Effect.flatMap((entered) => answer(ground, request, entered))
      )
    )
    .pipe(Effect.catchIf(isPassing, (problem) => answer(ground, request, problem)))

const answer = Effect.fnUntraced(function* (
  ground: Ground,
  request: HttpServerRequest.HttpServerRequest,
  entered: Effect.Success<ReturnType<typeof enter>> | Problem
) {
  const { hub } = ground
  const headers = {
    ...sseHeaders,
    ...(entered instanceof Problem ? {} : cachingFor(entered.caller, sseHeaders["cache-control"]))
  }
  if (request.method === "HEAD") return HttpServerResponse.empty({ status: 200, headers })
  const gzip = takesGzip(request.headers["accept-encoding"])
  const retry = yield* retryAfter
  yield* turnOf(request)
  const connection = handOverStream(request, {
    ...headers,
    ...corsHeaders(request, ground.origins),
    ...(gzip ? { "content-encoding": "gzip" } : {})
  })
  if (connection === undefined) {
    return yield* new Problem({
      code: "bad_request",
      detail: "another answer is on its way on this connection; a stream needs one of its own"
    })
  }
  const visit = entered instanceof Problem ? undefined : new Visit(ground, entered.caller, entered.slot)
  const sink = new EventSink(ground, connection, visit, gzip, retry)
  if (entered instanceof Problem) {
    sink.end("too_many", entered.retryAfterMs)
  } else if (hub.isDraining()) {
    sink.end("shutdown")
  } else {
    yield* sink.serve(entered.query, entered.asked)
  }
  return handedOver
})

const enter = Effect.fnUntraced(function* (
  ground: Ground,
  request: HttpServerRequest.HttpServerRequest,
  slot: Slot
) {
  const caller = yield* ground.auth.callerOf(request, { takesTicket: true })
  yield* slot.belongsTo(caller)
  const asked = yield* askedOf(request)
  return { caller, slot, asked, query: yield* queryOf(ground, asked, caller, minRevisionOf(request)) }
})

/** A problem that may be gone when the client comes back. */
const isPassing = (problem: Problem): boolean => problem.code === "too_many" || problem.code === "unavailable"

/** How long the last bytes may take to be taken, ms. */
const farewellWithin = 2_000

/** One for all: a reader that asks for no interval has none of its own. */
const unpaced: Pace = { interval: 0, once: false }

class EventSink implements Sink, OutletEvents {
  readonly framing: Framing
  private readonly ground: Ground
  private readonly connection: StreamHandover
  /** None of a reader that is sent away at once. */
  private readonly visit: Visit | undefined
  private readonly gzip: Gzip | undefined
  private readonly outlet: Outlet
  private readonly retry: number
  private reader: Reader | undefined
  private ended = false
  private onDrained: (() => void) | undefined

  constructor(
    ground: Ground,
    connection: StreamHandover,
    visit: Visit | undefined,
    gzip: boolean,
    retry: number
  ) {
    this.ground = ground
    this.connection = connection
    this.visit = visit
    this.retry = retry
    this.gzip = gzip ? new Gzip() : undefined
    const chunked = connection.protocol === "HTTP/1.1"
    this.framing = gzip ? (chunked ? "gzipChunks" : "gzipEvents") : chunked ? "chunks" : "events"
    this.outlet = new Outlet(connection.out, this)
    const begin = `retry: ${retry}\n\n`
    this.writeOwn(this.gzip === undefined ? Buffer.from(begin) : this.gzip.begin(begin))
  }

  serve(query: Query, { interval, pings, since }: Asked): Effect.Effect<void> {
    return Effect.suspend(() => {
      const reader = this.enter(query, interval)
      this.visit?.begin((why) => this.end(why))
      return Effect.map(this.ground.hub.open(reader, { since, notBefore: 0 }), () => {
        if (pings) this.introduce(reader)
        this.visit?.announce(reader, (ping, cursor) => this.say(ping, cursor))
      })
    })
  }

  /** A ping of its own, which may have to wait for the end of a frame. */
  private say(ping: string, cursor: string): void {
    if (this.ended) return
    if (this.outlet.isBusy) this.later(() => this.say(ping, cursor))
    else this.write(new Frame("ping", cursor, [ping]))
  }

  private enter(query: Query, interval: number): Reader {
    const reader = this.ground.hub.enter(
      query,
      this,
      interval === unpaced.interval ? unpaced : { ...unpaced, interval }
    )
    this.reader = reader
    this.connection.onClose(this.leaver())
    this.connection.last()
    return reader
  }

  /** In a scope of its own, or it would hold whatever `enter` was given. */
  private leaver(): () => void {
    return () => this.leave()
  }

  private leave(): void {
    this.outlet.close()
    this.visit?.leave()
    if (this.reader !== undefined) this.ground.hub.leave(this.reader)
    if (!this.ended) this.ground.left("/v1/stream")
  }

  drained(): void {
    const { onDrained } = this
    this.onDrained = undefined
    onDrained?.()
    if (this.reader !== undefined) this.ground.hub.drained(this.reader)
  }

  progressed(): void {
    if (this.reader !== undefined) this.ground.hub.progressed(this.reader)
  }

  /** A ping of its own, with the id by which the client pings; it may have to wait for the end of the first message. */
  private introduce(reader: Reader): void {
    if (this.ended) return
    if (this.outlet.isBusy) return this.later(() => this.introduce(reader))
    const { connections, hub } = this.ground
    const cursor = hub.stands(reader)
    if (cursor === undefined) return
    const { close, id } = connections.open(() => this.end("idle"))
    this.connection.onClose(close)
    const at = hub.at()
    this.write(
      new Frame("ping", cursor, [pingMessage({ from: cursor, cursor, at, asOf: [], connection: id })])
    )
  }

  /** When the frame that is being taken has been. */
  private later(run: () => void): void {
    const { onDrained: before } = this
    this.onDrained = () => {
      before?.()
      run()
    }
  }

  write(frame: Frame): boolean {
    const encoded = frame.in(this.framing)
    this.gzip?.add(encoded)
    return this.outlet.write(encoded)
  }

  end(code: GoodbyeCode, retryAfterMs = this.retry): void {
    // The connection may have gone on to its next request.
    if (this.ended) return
    const { hub } = this.ground
    this.ended = true
    this.visit?.leave()
    // A goodbye cannot be put into the middle of a frame that the reader does not take.
    if (this.outlet.isBusy || code === "stalled") {
      this.connection.destroy()
    } else {
      this.write(
        new Frame("goodbye", undefined, [goodbyeMessage(code, retryAfterMs, this.visit?.farewell(code))])
      )
      if (this.gzip !== undefined) this.writeOwn(this.gzip.end())
      this.outlet.close()
      this.connection.end(code === "shutdown")
      // A reader that takes nothing would hold its connection, and what is written to it, for good.
      this.connection.onClose(hub.after(farewellWithin, () => this.connection.destroy()))
    }
    if (this.reader !== undefined) hub.leave(this.reader)
  }

  private writeOwn(bytes: Buffer): void {
    this.outlet.writeOwn(this.connection.protocol === "HTTP/1.1" ? Buffer.concat(chunk(bytes)) : bytes)
  }
}
