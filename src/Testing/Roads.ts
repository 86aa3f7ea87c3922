/**
 * How a client in memory is told: by the real roads up to where a connection would begin. A stream, a socket or a long poll
 * comes back by itself as a browser's does, with its cursor.
 */
import { Clock, Deferred, Effect, Stream } from "effect"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"

import { askedOf, changes, type Ground, type Problem, queryOf, retryAfter, snapshot } from "../Http.ts"
import { type Frame, goodbyeMessage, type Sink } from "../Hub.ts"
import type { Unreadable } from "../Unreadable.ts"
import type { Client, Road } from "./Client.ts"

/** The run of the daemon that there is now; waits while there is none. */
export type Running = Effect.Effect<Ground>

/** A long poll that is answered without waiting, such as `wait=0s`, asks again after this long, ms. */
const leastPause = 1_000

const requestOf = ({ cursor, query, road }: Client) =>
  HttpServerRequest.fromWeb(
    new Request(`http://ratecast/v1/${road}?${query}`, {
      // It wins over the cursor in the URL, as it does where an EventSource comes back.
      headers: cursor === undefined ? {} : { "last-event-id": cursor }
    })
  )

const textOf = (frame: Frame): string => Buffer.concat(frame.in("text").buffers).toString()

/** Reads until it is sent away; returns when it may come back, ms. */
const listen = Effect.fnUntraced(function* (ground: Ground, client: Client) {
  const { hub } = ground
  const request = requestOf(client)
  const retry = yield* retryAfter
  const caller = yield* ground.auth.callerOf(request)
  const asked = yield* askedOf(request)
  const query = yield* Effect.result(queryOf(ground, asked, caller, undefined))
  const over = Deferred.makeUnsafe<number>()
  const sink: Sink = {
    framing: "text",
    write: (frame) => {
      client.receive(textOf(frame))
      return true
    },
    end: (code, retryAfterMs = retry) => {
      client.receive(goodbyeMessage(code, retryAfterMs))
      Deferred.doneUnsafe(over, Effect.succeed(retryAfterMs))
    }
  }
  if (query._tag === "Failure") {
    if (query.failure.code !== "too_many") return yield* query.failure
    sink.end("too_many", query.failure.retryAfterMs)
  } else if (hub.isDraining()) sink.end("shutdown")
  else {
    const read = query.success
    yield* Effect.acquireUseRelease(
      Effect.sync(() => hub.enter(read, sink, { interval: asked.interval, once: false })),
      (reader) =>
        hub.open(reader, { since: asked.since, notBefore: 0 }).pipe(Effect.andThen(Deferred.await(over))),
      (reader) => Effect.sync(() => hub.leave(reader))
    )
  }
  return yield* Deferred.await(over)
})

const bodyOf = ({ body }: HttpServerResponse.HttpServerResponse): Effect.Effect<string> =>
  body._tag === "Uint8Array"
    ? Effect.succeed(Buffer.from(body.body).toString())
    : body._tag === "Stream"
      ? Effect.map(Stream.runCollect(body.stream), (pieces) => Buffer.concat([...pieces]).toString()).pipe(
          Effect.orDie
        )
      : Effect.succeed("")

/** One request; returns how long to wait before the next, ms. */
const poll = Effect.fnUntraced(function* (ground: Ground, client: Client) {
  const asked = yield* Clock.currentTimeMillis
  const response = yield* changes(ground)(requestOf(client))
  const text = yield* bodyOf(response)
  if (text !== "") client.receive(text)
  else client.moveTo(response.headers["ratecast-cursor"]!)
  return text === "" && (yield* Clock.currentTimeMillis) === asked ? leastPause : 0
})

const look = Effect.fnUntraced(function* (ground: Ground, client: Client) {
  client.receive(yield* bodyOf(yield* snapshot(ground)(requestOf(client))))
})

const again = (running: Running, turn: (ground: Ground) => Effect.Effect<number, Problem | Unreadable>) =>
  running.pipe(Effect.flatMap(turn), Effect.flatMap(Effect.sleep), Effect.forever)

/** From the first request to the last. */
export const roads: {
  readonly [road in Road]: (running: Running, client: Client) => Effect.Effect<void, Problem | Unreadable>
} = {
  stream: (running, client) => again(running, (ground) => listen(ground, client)),
  socket: (running, client) => again(running, (ground) => listen(ground, client)),
  changes: (running, client) => again(running, (ground) => poll(ground, client)),
  snapshot: (running, client) => Effect.flatMap(running, (ground) => look(ground, client))
}
