/** One WebSocket: what the client says on it, what it is answered, and how it ends. */
import type { Duplex } from "node:stream"

import { Effect, type Fiber } from "effect"

import {
  type Frame,
  type GoodbyeCode,
  goodbyeMessage,
  pingEvery,
  type Query,
  type Reader,
  type Sink,
  socketText
} from "../Hub.ts"
import { Answers } from "./Answers.ts"
import { type Asked, askedInMessage } from "./Asked.ts"
import type { ClosingSocket } from "./Closing.ts"
import { Outlet } from "./Outlet.ts"
import { Problem, problemDetails } from "./Problem.ts"
import { resolve } from "./Resolve.ts"
import { admission, arrival, attempt, type Ground } from "./Road.ts"

/** Protocol pings that are not answered; one more, and the connection is ended. */
const maxUnanswered = 2
/** A connection without a subscription is ended after this long, ms. */
const idleAfter = 60_000
/** Subscriptions that wait at once; more, and the client is not serious. */
const maxWanted = 64
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

/** A query that was asked for and does not count yet: it waits for a revision, or for the end of a frame. */
interface Wanted {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Of this subscription and of those that it overtook. */
  readonly answers: ReadonlyArray<Answer>
}
type Answer = (problem?: Problem) => void

export class Connection implements Sink {
  readonly framing = "socket" as const
  private readonly ground: Ground
  private readonly socket: ClosingSocket
  private readonly outlet: Outlet
  private readonly answers: Answers
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly retry: number
  private reader: Reader | undefined
  private wanted: Wanted | undefined
  private onFree: (() => void) | undefined
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
      /** When a client that is sent away may come back, ms; not all at once. */
      readonly retry: number
    }
  ) {
    this.ground = ground
    this.socket = socket
    this.fork = options.fork
    this.retry = options.retry
    this.outlet = new Outlet(out, { drained: () => this.onDrained(), progressed: () => this.onProgressed() })
    this.answers = new Answers(this.outlet, () => this.end("too_many"))
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
    return this.outlet.write(frame.in("socket"))
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
    this.subscribe(Effect.succeed(asked), minRevision, (problem) => problem && this.refuse(problem))
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
        const overtaken = this.overtake()
        this.leave()
        this.idle()
        for (const each of [...overtaken, answer]) each()
        return
      }
      case "subscribe":
        return this.subscribe(
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

  /** Until it counts, the subscription before it goes on; one that is refused changes nothing. */
  private subscribe(
    asking: Effect.Effect<Asked, Problem>,
    minRevision: string | undefined,
    answer: Answer
  ): void {
    this.fork(
      Effect.gen({ self: this }, function* () {
        const asked = yield* asking
        const query = yield* attempt(() => resolve(this.ground.catalog, asked))
        const wanted = yield* this.want(answer)
        yield* arrival(this.ground, asked.since, minRevision)
        yield* this.untilFree()
        const admitted = yield* Effect.result(admission(this.ground, query.parts.keys()))
        if (this.wanted !== wanted) return
        this.wanted = undefined
        if (admitted._tag === "Success") return yield* this.replace(query, asked, wanted.answers)
        for (const each of wanted.answers) each(admitted.failure)
        this.onDrained()
      }).pipe(Effect.catchTag("Problem", (problem) => Effect.sync(() => answer(problem))))
    )
  }

  private want(answer: Answer): Effect.Effect<Wanted> {
    return Effect.withFiber((fiber) => {
      const wanted = { fiber, answers: [...this.overtake(), answer] }
      this.wanted = wanted
      if (wanted.answers.length > maxWanted) this.end("too_many")
      return Effect.succeed(wanted)
    })
  }

  /** Of subscriptions that asked for different things the last one counts. Answers what is still to be answered. */
  private overtake(): ReadonlyArray<Answer> {
    const { wanted } = this
    this.wanted = undefined
    wanted?.fiber.interruptUnsafe()
    return wanted?.answers ?? []
  }

  private replace(query: Query, asked: Asked, answers: ReadonlyArray<Answer>): Effect.Effect<void> {
    if (this.ended) return Effect.void
    const { hub } = this.ground
    this.leave()
    this.cancelIdle()
    for (const each of answers) each()
    const reader = hub.enter(query, this, { interval: asked.interval, once: false })
    this.reader = reader
    return hub.open(reader, { since: asked.since, notBefore: 0 })
  }

  /** Waits until the client has taken everything: nothing may break into a frame, and nothing pile up behind it. */
  private untilFree(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.ended || this.outlet.isFree
        ? Effect.void
        : Effect.callback<void>((resume) => {
            const onFree = () => resume(this.untilFree())
            this.onFree = onFree
            return Effect.sync(() => {
              if (this.onFree === onFree) this.onFree = undefined
            })
          })
    )
  }

  private say(text: string): void {
    if (!this.ended) this.answers.say(text)
  }

  private onProgressed(): void {
    this.answers.flushPongs()
    if (this.reader !== undefined) this.ground.hub.progressed(this.reader)
  }

  private onDrained(): void {
    if (this.farewell !== undefined) return this.farewell()
    this.answers.flush()
    if (!this.outlet.isFree) return
    const { onFree } = this
    this.onFree = undefined
    if (onFree !== undefined) onFree()
    else if (this.reader !== undefined) this.ground.hub.drained(this.reader)
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

  private leave(): void {
    if (this.reader !== undefined) this.ground.hub.leave(this.reader)
    this.reader = undefined
  }

  /** Nothing that the client says counts any more, and it is told nothing but goodbye. */
  private retire(): void {
    this.ended = true
    this.overtake()
    this.leave()
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
