/** One WebSocket: what the client says on it, what it is answered, and how it ends. */
import type { Duplex } from "node:stream"

import { Effect } from "effect"

import {
  type Frame,
  type Framing,
  type GoodbyeCode,
  goodbyeMessage,
  pingEvery,
  type Sink,
  socketText
} from "../Hub.ts"
import { Answers } from "./Answers.ts"
import { type Asked, askedInMessage } from "./Asked.ts"
import type { ClosingSocket } from "./Closing.ts"
import { Outlet } from "./Outlet.ts"
import { Problem, problemDetails } from "./Problem.ts"
import { attempt, type Ground } from "./Road.ts"
import { type Answer, Subscription } from "./Subscription.ts"

/** Protocol pings that are not answered; one more, and the connection is ended. */
const maxUnanswered = 2
/** A connection without a subscription is ended after this long, ms. */
const idleAfter = 60_000
/** Answers repeat it, so a long one would be kept as often as there are answers. */
const maxRef = 256
/** How long a goodbye waits for the frame before it to be taken, ms. */
const farewellWithin = 2_000

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

export class Connection implements Sink {
  readonly framing: Framing
  private readonly ground: Ground
  private readonly socket: ClosingSocket
  private readonly outlet: Outlet
  private readonly answers: Answers
  private readonly subscription: Subscription
  private readonly retry: number
  private unanswered = 0
  private ended = false
  private farewell: (() => void) | undefined
  private cancelPing: () => void
  private cancelIdle: () => void = () => {}
  private cancelFarewell: () => void = () => {}
  private readonly cancelDrain: () => void

  constructor(
    ground: Ground,
    socket: ClosingSocket,
    out: Duplex,
    options: {
      readonly fork: (effect: Effect.Effect<void>) => void
      readonly framing: Framing
      /** When a client that is sent away may come back, ms; not all at once. */
      readonly retry: number
    }
  ) {
    this.ground = ground
    this.socket = socket
    this.framing = options.framing
    this.retry = options.retry
    this.outlet = new Outlet(out, { drained: () => this.onDrained(), progressed: () => this.onProgressed() })
    const onTooMany = () => this.end("too_many")
    this.answers = new Answers(this.outlet, onTooMany)
    this.subscription = new Subscription({
      ground,
      sink: this,
      outlet: this.outlet,
      fork: options.fork,
      onBegin: () => this.cancelIdle(),
      onTooMany
    })
    this.cancelPing = ground.hub.after(pingEvery, this.ping)
    this.cancelDrain = ground.hub.onDrain(() => this.end("shutdown"))
    this.idle()
    socket.onClosing = this.onGone
    socket.onBroken = (code) => this.refuse(code === 1009 ? tooLarge : brokenFrame)
    socket.on("message", (data, isBinary) => this.onMessage(data as Buffer, isBinary))
    socket.on("ping", (data) => !this.ended && this.answers.pong(data))
    socket.on("pong", () => {
      this.unanswered = 0
    })
    socket.on("close", this.onGone)
    socket.on("error", socket.fail)
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
    const { code: own } = problem
    const code: GoodbyeCode =
      own === "unknown_collection" || own === "too_many" || own === "too_large" ? own : "bad_message"
    this.goodbye(code, problem.retryAfterMs, { problem: problemDetails(problem) })
  }

  /** The query on the URL. */
  begin(asked: Asked, minRevision: string | undefined): void {
    this.subscription.ask(Effect.succeed(asked), minRevision, (problem) => problem && this.refuse(problem))
  }

  private onMessage(data: Buffer, isBinary: boolean): void {
    if (this.ended) return
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
            `unknown "type" ${JSON.stringify(message["type"] ?? null).slice(0, 80)}; expected subscribe, unsubscribe or ping`
          )
        )
    }
  }

  private say(text: string): void {
    if (!this.ended) this.answers.say(text)
  }

  private onProgressed(): void {
    this.answers.flushPongs()
    this.subscription.progressed()
  }

  private onDrained(): void {
    if (this.farewell !== undefined) return this.farewell()
    this.answers.flush()
    if (this.outlet.isFree) this.subscription.drained()
  }

  private readonly ping = (): void => {
    if (++this.unanswered > maxUnanswered) return this.socket.terminate()
    this.socket.ping()
    this.cancelPing = this.ground.hub.after(pingEvery, this.ping)
  }

  private idle(): void {
    this.cancelIdle()
    this.cancelIdle = this.ground.hub.after(idleAfter, () => this.end("idle"))
  }

  private goodbye(code: GoodbyeCode, retryAfterMs?: number, more?: object): void {
    if (this.ended) return
    this.retire()
    if (code === "stalled") return this.socket.terminate()
    const part = () => {
      this.outlet.writeOwn(socketText(goodbyeMessage(code, retryAfterMs, more)))
      this.release()
      this.socket.finish(closeCodes[code], code)
    }
    if (!this.outlet.isBusy) return part()
    this.farewell = part
    this.cancelFarewell = this.ground.hub.after(farewellWithin, () => this.socket.terminate())
  }

  private readonly onGone = (): void => {
    if (!this.ended) this.ground.left("/v1/socket")
    this.release()
  }

  /** Nothing that the client says counts any more, and it is told nothing but goodbye. */
  private retire(): void {
    this.ended = true
    this.subscription.end()
    this.cancelPing()
    this.cancelIdle()
    this.cancelDrain()
  }

  private release(): void {
    this.retire()
    this.farewell = undefined
    this.cancelFarewell()
    this.outlet.close()
  }
}

const tooLarge = new Problem({ code: "too_large", detail: "a message is at most 64 KiB" })
const brokenFrame = new Problem({ code: "bad_message", detail: "this is no WebSocket frame, or no UTF-8" })
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
