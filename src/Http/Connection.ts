/** One WebSocket: what the client says on it, what it is answered, and how it ends. */
import type { Duplex } from "node:stream"

import { Effect } from "effect"

import {
  type Deadline,
  type Frame,
  type Framing,
  type GoodbyeCode,
  goodbyeMessage,
  pingEvery,
  socketPing,
  socketText
} from "../Hub.ts"
import { Answers } from "./Answers.ts"
import { type Asked, askedInMessage } from "./Asked.ts"
import { closeCodes, goodbyeOf } from "./CloseCode.ts"
import type { Bucket } from "./Limits/Bucket.ts"
import { Outlet, type OutletEvents } from "./Outlet.ts"
import type { Breach, Peer, PeerEvents } from "./Peer.ts"
import { Problem, problemDetails } from "./Problem.ts"
import { attempt, type Ground } from "./Road.ts"
import { SocketWrites } from "./SocketWrites.ts"
import { type Answer, type Subscriber, Subscription } from "./Subscription.ts"
import type { Visit } from "./Visit.ts"

/** Protocol pings that are not answered; one more, and the connection is ended. */
const maxUnanswered = 2
/** A connection without a subscription is ended after this long, ms. */
const idleAfter = 60_000
/** Answers repeat it, so a long one would be kept as often as there are answers. */
const maxRef = 256
/** How long a goodbye waits for the frame before it to be taken, ms. */
const farewellWithin = 2_000

/** What is the same for all connections. */
export interface Sockets {
  readonly ground: Ground
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Makes what inflates the messages of one client. */
  readonly inflater: () => object
  /** Those without a subscription, which a drain would not find among the readers. */
  readonly idle: Set<Connection>
}

/** It listens to its own parts, and its deadlines know it: a closure for each would take more than it does. */
export class Connection implements Subscriber, OutletEvents, PeerEvents {
  readonly framing: Framing
  readonly sockets: Sockets
  readonly outlet: Outlet
  private readonly peer: Peer
  private readonly subscription: Subscription
  private writes: SocketWrites | undefined
  readonly visit: Visit
  private readonly messages: Bucket
  private readonly retry: number
  /** From the first time that something is to be answered. */
  private answers: Answers | undefined
  private unanswered = 0
  private ended = false
  private farewell: (() => void) | undefined
  private nextPing: Deadline | undefined
  private idleUntil: Deadline | undefined
  private farewellUntil: Deadline | undefined

  constructor(
    sockets: Sockets,
    visit: Visit,
    peer: Peer,
    out: Duplex,
    options: {
      readonly deflates: boolean
      /** When a client that is sent away may come back, ms; not all at once. */
      readonly retry: number
    }
  ) {
    this.sockets = sockets
    this.visit = visit
    this.messages = sockets.ground.limits.messages()
    this.peer = peer
    this.framing = options.deflates ? "deflateSocket" : "socket"
    this.retry = options.retry
    this.outlet = new Outlet(out, this)
    this.subscription = new Subscription(this)
    visit.begin((why) => this.end(why))
    this.pingLater()
    this.idle()
    peer.listen(sockets.ground.hub, this, options.deflates ? sockets.inflater : undefined)
  }

  write(frame: Frame): boolean {
    return this.outlet.write(frame.in(this.framing))
  }

  end(code: GoodbyeCode, retryAfterMs?: number): void {
    const comesBack = code === "too_many" || [1012, 4408].includes(closeCodes[code])
    this.goodbye(code, retryAfterMs ?? (comesBack ? this.retry : undefined))
  }

  /** Says what is wrong with a query that the client cannot mend on this connection, and ends it. */
  refuse(problem: Problem): void {
    this.goodbye(goodbyeOf(problem), problem.retryAfterMs, { problem: problemDetails(problem) })
  }

  /** The query on the URL. */
  begin(asked: Asked, minRevision: string | undefined): Effect.Effect<void> {
    return this.subscription.begin(asked, minRevision, (problem) => this.refuse(problem))
  }

  heard(data: Buffer, isBinary: boolean): void {
    if (this.ended) return
    if (!this.messages.take()) return this.flooded()
    const message = isBinary ? undefined : parse(data)
    const ref = message?.["ref"]
    if (message === undefined || (ref !== undefined && typeof ref !== "string"))
      return this.refuse(badMessage("a message is a JSON object in a text frame, its ref a string"))
    if (ref !== undefined && ref.length > maxRef)
      return this.refuse(badMessage(`"ref" is longer than ${maxRef} characters`))
    const answer: Answer = (problem) =>
      this.say(
        JSON.stringify({
          type: problem === undefined ? "ack" : "error",
          ref,
          ...(problem === undefined ? {} : { problem: problemDetails(problem) })
        })
      )
    switch (message["type"]) {
      case "write":
        return this.writing().ask(message, data, (written) =>
          written instanceof Problem
            ? answer(written)
            : this.say(JSON.stringify({ type: "ack", ref, ...written }))
        )
      case "token":
        return this.renew(message["token"], answer)
      case "ping":
        return this.say('{"type":"pong"}')
      case "unsubscribe": {
        const overtaken = this.subscription.stop()
        this.idle()
        for (const each of [...overtaken, answer]) each()
        return
      }
      case "subscribe":
        return this.subscription.ask(
          attempt(() => askedInMessage(message)),
          undefined,
          answer
        )
      default:
        return this.refuse(
          badMessage(
            `unknown "type" ${JSON.stringify(message["type"] ?? null).slice(0, 80)}; expected subscribe, unsubscribe, write, token or ping`
          )
        )
    }
  }

  /** What was asked for before stays, unless it is not covered any more. */
  private renew(token: unknown, answer: Answer): void {
    if (typeof token !== "string") return answer(badMessage('"token" is a string'))
    this.sockets.fork(
      this.visit.renew(token).pipe(
        Effect.map(() => {
          answer()
          const problem = this.subscription.uncovered
          if (problem !== undefined) this.refuse(problem)
        }),
        Effect.catchTag("Problem", (problem) => Effect.sync(() => answer(problem)))
      )
    )
  }

  /** A text of its own. */
  say(text: string): void {
    if (!this.ended) this.answering().say(text)
  }

  private writing(): SocketWrites {
    const { fork, ground } = this.sockets
    return (this.writes ??= new SocketWrites(ground, this.visit, fork))
  }

  private answering(): Answers {
    return (this.answers ??= new Answers(this.outlet, this))
  }

  pinged(data: Buffer): void {
    if (this.ended) return
    if (this.messages.take()) this.answering().pong(data)
    else this.flooded()
  }

  private flooded(): void {
    this.peer.ignore()
    this.refuse(tooFast)
  }

  ponged(): void {
    // One that nobody asked for is a message like any other.
    if (this.unanswered === 0 && !this.ended && !this.messages.take()) this.flooded()
    this.unanswered = 0
  }

  broke(rule: Breach): void {
    this.refuse(breaches[rule])
  }

  gone(): void {
    if (!this.ended) this.sockets.ground.left("/v1/socket")
    this.release()
  }

  /** A subscription counts from now on. */
  begun(): void {
    const { ground, idle } = this.sockets
    idle.delete(this)
    ground.hub.disarm(this.idleUntil)
    this.idleUntil = undefined
  }

  progressed(): void {
    this.answers?.flushPongs()
    this.subscription.progressed()
  }

  drained(): void {
    if (this.farewell !== undefined) return this.farewell()
    this.answers?.flush()
    if (this.outlet.isFree) this.subscription.drained()
  }

  ping(): void {
    if (++this.unanswered > maxUnanswered) return this.peer.destroy()
    this.outlet.writeOwn(socketPing)
    this.pingLater()
  }

  private pingLater(): void {
    this.nextPing = this.sockets.ground.hub.arm(pingEvery, ping, this)
  }

  private idle(): void {
    const { ground, idle } = this.sockets
    ground.hub.disarm(this.idleUntil)
    this.idleUntil = ground.hub.arm(idleAfter, endIdle, this)
    idle.add(this)
  }

  private goodbye(code: GoodbyeCode, retryAfterMs?: number, more?: object): void {
    if (this.ended) return
    this.retire()
    if (code === "stalled") return this.peer.destroy()
    const part = () => {
      this.outlet.writeOwn(
        socketText(goodbyeMessage(code, retryAfterMs, { ...more, ...this.visit.farewell(code) }))
      )
      this.release()
      this.peer.close(closeCodes[code], code)
    }
    if (!this.outlet.isBusy) return part()
    this.farewell = part
    this.farewellUntil = this.sockets.ground.hub.arm(farewellWithin, cut, this.peer)
  }

  /** Nothing that the client says counts any more, and it is told nothing but goodbye. */
  private retire(): void {
    this.ended = true
    this.visit.leave()
    this.subscription.end()
    this.sockets.ground.hub.disarm(this.nextPing)
    this.begun()
  }

  private release(): void {
    this.retire()
    this.farewell = undefined
    this.sockets.ground.hub.disarm(this.farewellUntil)
    this.outlet.close()
  }
}

const ping = (_now: number, connection: Connection): void => connection.ping()
const endIdle = (_now: number, connection: Connection): void => connection.end("idle")
const cut = (_now: number, peer: Peer): void => peer.destroy()

const tooFast = new Problem({
  code: "too_many",
  detail: "so many messages a second are more than may be",
  retryAfterMs: 5_000
})
const badMessage = (detail: string) => new Problem({ code: "bad_message", detail })

const breaches: { readonly [rule in Breach]: Problem } = {
  "too large": new Problem({ code: "too_large", detail: "a message is larger than may be" }),
  "too slow": badMessage("a message has to be whole within 8 s"),
  "no frame": badMessage("this is no WebSocket frame, or no UTF-8, or in more than 256 fragments")
}

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
