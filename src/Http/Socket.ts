/**
 * `GET /v1/socket`: WebSocket. The query on the URL is enough, so a client need never send a word; one that does can
 * change what it reads without a new connection.
 *
 * `ws` does the handshake and reads; frames are written past it, the same bytes to every socket.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import { Effect, FiberSet } from "effect"
import type { HttpServerRequest } from "effect/http"

import {
  type Frame,
  type GoodbyeCode,
  goodbyeMessage,
  type Query,
  type Reader,
  type Sink,
  socketText
} from "../Hub.ts"
import { type Asked, askedInMessage } from "./Asked.ts"
import { handedOver, handOverSocket, type SocketHandover } from "./Handover.ts"
import { isAllowedOrigin } from "./Origin.ts"
import { Outlet } from "./Outlet.ts"
import { Problem, problemDetails } from "./Problem.ts"
import { askedOf, attempt, type Ground, minRevisionOf, queryOf } from "./Road.ts"

const protocol = "ratecast.v1"
/** The largest message a client may send, bytes; its parts together. */
const maxPayload = 64 * 1024
/** A protocol ping goes out this often, ms; two that are not answered end the connection. */
const pingEvery = 15_000
const maxUnanswered = 2
/** A connection without a subscription is ended after this long, ms. */
const idleAfter = 60_000
/** How long a client may take to answer a close, ms. An option of `ws` 8.19 that its types do not have yet. */
const closing: object = { closeTimeout: 2_000 }
/** Answers that wait for a long frame to be taken. More, and the client sends faster than it reads. */
const maxWaiting = 64

/** Why the server closes, as a status code. To come back: 1012, 4408, and 4429 after its time; not: the others. */
const closeCodes: { readonly [code in GoodbyeCode]: number } = {
  rotation: 1012,
  shutdown: 1012,
  bad_message: 4400,
  unknown_collection: 4404,
  idle: 4408,
  stalled: 4408,
  too_large: 4413,
  too_many: 4429
}

/** `ws` closes by itself on what breaks the protocol; the goodbye that precedes every close is said here. */
class Socket extends NodeWS.WebSocket {
  beforeClose: ((code: number) => boolean) | undefined

  override close(code?: number, reason?: string | Buffer): void {
    if (code !== undefined && this.beforeClose?.(code) === true) return
    super.close(code, reason)
  }
}

export const socket = Effect.fnUntraced(function* (ground: Ground) {
  const server = new NodeWS.WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    perMessageDeflate: false,
    ...closing,
    WebSocket: Socket,
    handleProtocols: (offered) => (offered.has(protocol) ? protocol : false)
  })
  const fork = yield* FiberSet.makeRuntime<never>()

  return Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    if (!isAllowedOrigin(request, ground.origins)) {
      return yield* new Problem({ code: "forbidden", detail: "this origin may not open a WebSocket here" })
    }
    const handover = handOverSocket(request)
    if (handover === undefined) {
      return yield* new Problem({
        code: "upgrade_required",
        detail: "this is a WebSocket; ask for the upgrade"
      })
    }
    const connection = yield* accept(server, handover)
    if (connection === undefined) return handedOver
    const sink = new SocketSink(ground, connection, handover, (effect) => fork(effect))
    if (ground.hub.isDraining()) sink.end("shutdown")
    else {
      const asked = yield* Effect.result(askedOf(request))
      if (asked._tag === "Failure") sink.refuse(asked.failure)
      else if (asked.success.collections !== undefined)
        yield* sink.begin(asked.success, minRevisionOf(request))
    }
    return handedOver
  })
})

/** `undefined` where the handshake failed: `ws` has answered. */
const accept = (
  server: NodeWS.WebSocketServer,
  { head, incoming, socket }: SocketHandover
): Effect.Effect<Socket | undefined> =>
  Effect.callback<Socket | undefined>((resume) => {
    const onClose = () => resume(Effect.succeed(undefined))
    socket.once("close", onClose)
    server.handleUpgrade(incoming, socket, head, (connection) => {
      socket.off("close", onClose)
      resume(Effect.succeed(connection as Socket))
    })
  })

class SocketSink implements Sink {
  readonly framing = "socket" as const
  private readonly ground: Ground
  private readonly connection: Socket
  private readonly outlet: Outlet
  private readonly fork: (effect: Effect.Effect<void>) => void
  private reader: Reader | undefined
  /** Answers that wait until a long frame is taken. */
  private waiting: Array<string> = []
  private unanswered = 0
  private closed = false
  private cancelPing: () => void
  private cancelIdle: () => void = () => {}

  constructor(
    ground: Ground,
    connection: Socket,
    { socket }: SocketHandover,
    fork: (effect: Effect.Effect<void>) => void
  ) {
    this.ground = ground
    this.connection = connection
    this.fork = fork
    this.outlet = new Outlet(socket, {
      drained: () => this.onDrained(),
      progressed: () => this.reader !== undefined && ground.hub.progressed(this.reader)
    })
    this.cancelPing = ground.hub.after(pingEvery, this.ping)
    this.idle()
    connection.beforeClose = (code) => this.onBroken(code)
    connection.on("message", (data, isBinary) => this.onMessage(data as Buffer, isBinary))
    connection.on("pong", () => {
      this.unanswered = 0
    })
    connection.on("close", () => this.release())
    // What broke is told by the close that follows.
    connection.on("error", () => {})
  }

  write(frame: Frame): boolean {
    return this.outlet.write(frame.in("socket"))
  }

  end(code: GoodbyeCode, retryAfterMs?: number): void {
    this.goodbye(code, closeCodes[code], retryAfterMs)
  }

  /** Says what is wrong with a query that the client cannot mend on this connection, and ends it. */
  refuse(problem: Problem): void {
    const code: GoodbyeCode =
      problem.code === "unknown_collection" || problem.code === "too_many" ? problem.code : "bad_message"
    this.goodbye(code, closeCodes[code], problem.retryAfterMs, { problem: problemDetails(problem) })
  }

  /** The query on the URL. */
  begin(asked: Asked, minRevision: string | undefined): Effect.Effect<void> {
    return this.subscribe(asked, minRevision).pipe(
      Effect.catchTag("Problem", (problem) => Effect.sync(() => this.refuse(problem)))
    )
  }

  private subscribe(
    asked: Asked,
    minRevision?: string,
    ack: () => void = () => {}
  ): Effect.Effect<void, Problem> {
    return Effect.flatMap(queryOf(this.ground, asked, minRevision), (query: Query) => {
      if (this.closed) return Effect.void
      const { hub } = this.ground
      this.leave()
      this.cancelIdle()
      ack()
      const reader = hub.enter(query, this, { interval: asked.interval, once: false })
      this.reader = reader
      return hub.open(reader, { since: asked.since, notBefore: 0 })
    })
  }

  private onMessage(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? undefined : parse(data)
    const ref = message?.["ref"]
    if (message === undefined || (ref !== undefined && typeof ref !== "string"))
      return this.end("bad_message")
    const answer = (type: "ack" | "error", more: object = {}) =>
      this.say(JSON.stringify({ type, ...(ref === undefined ? {} : { ref }), ...more }))
    switch (message["type"]) {
      case "ping":
        return this.say('{"type":"pong"}')
      case "unsubscribe":
        this.leave()
        this.idle()
        return answer("ack")
      case "subscribe":
        return this.fork(
          attempt(() => askedInMessage(message)).pipe(
            Effect.flatMap((asked) => this.subscribe(asked, undefined, () => answer("ack"))),
            Effect.catchTag("Problem", (problem) =>
              Effect.sync(() => answer("error", { problem: problemDetails(problem) }))
            )
          )
        )
      default:
        return this.refuse(
          badMessage(
            `unknown "type" ${JSON.stringify(message["type"])?.slice(0, 80) ?? ""}; expected subscribe, unsubscribe or ping`
          )
        )
    }
  }

  /** A text between two frames; it waits while a long one is being taken. */
  private say(text: string): void {
    if (this.closed) return
    if (!this.outlet.isBusy && this.waiting.length === 0) return this.outlet.writeOwn(socketText(text))
    this.waiting.push(text)
    if (this.waiting.length > maxWaiting) this.end("too_many")
  }

  private onDrained(): void {
    const waiting = this.waiting
    this.waiting = []
    for (const text of waiting) this.say(text)
    if (this.reader !== undefined) this.ground.hub.drained(this.reader)
  }

  private readonly ping = (): void => {
    if (++this.unanswered > maxUnanswered) return this.connection.terminate()
    this.connection.ping()
    this.cancelPing = this.ground.hub.after(pingEvery, this.ping)
  }

  private idle(): void {
    this.cancelIdle()
    this.cancelIdle = this.ground.hub.after(idleAfter, () => this.end("idle"))
  }

  /** `ws` is about to close because the client broke a rule: 1009 too large, 1007 not UTF-8, 1002 not WebSocket. */
  private onBroken(code: number): boolean {
    if (this.closed || (code !== 1002 && code !== 1007 && code !== 1009)) return false
    this.end(code === 1009 ? "too_large" : "bad_message")
    return true
  }

  private goodbye(code: GoodbyeCode, status: number, retryAfterMs: number | undefined, more?: object): void {
    if (this.closed) return
    const canSpeak = !this.outlet.isBusy && code !== "stalled"
    if (canSpeak) this.outlet.writeOwn(socketText(goodbyeMessage(code, retryAfterMs, more)))
    this.release()
    if (code === "stalled") this.connection.terminate()
    else this.connection.close(status, code)
  }

  private leave(): void {
    if (this.reader !== undefined) this.ground.hub.leave(this.reader)
    this.reader = undefined
  }

  private release(): void {
    this.closed = true
    this.leave()
    this.outlet.close()
    this.cancelPing()
    this.cancelIdle()
  }
}

const badMessage = (detail: string) => new Problem({ code: "bad_message", detail })

const parse = (data: Buffer): { readonly [name: string]: unknown } | undefined => {
  try {
    const value: unknown = JSON.parse(data.toString("utf8"))
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as { readonly [name: string]: unknown })
      : undefined
  } catch {
    return undefined
  }
}
