/** Every test is looked at for what is left of its hub; here something is. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"

import { Deadlines } from "../src/Hub/Deadlines.ts"
import { Register } from "../src/Hub/Register.ts"
import { EventClient, PollClient, SocketClient } from "./Clients.ts"
import { Backend, startDaemon, until } from "./Daemon.ts"
import { type Answer, connect, queryOf } from "./Kit.ts"
import { noSockets, resources } from "./Residue.ts"
import { onePolled, onHub } from "./Rig.ts"

const configOf = (url: string) => onePolled({ row: Schema.Struct({ id: Schema.String }) }, { url })
const rows: Answer = { body: [{ id: "a" }] }

/** A test like any other, in which somebody reads to the end. */
const reading = (answer: Answer = rows) =>
  onHub(
    configOf("http://up"),
    () => answer,
    () => Effect.flatMap(queryOf(["pools"]), (query) => connect(query))
  )

const failureOf = (exit: Exit.Exit<unknown>): string =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "none"

/** Plants a mistake for as long as something runs. */
const planted = <A extends object, B>(
  prototype: A,
  mistake: Partial<A>,
  run: Effect.Effect<B>
): Effect.Effect<Exit.Exit<B>> => {
  const right = Object.fromEntries(Object.keys(mistake).map((name) => [name, prototype[name as keyof A]]))
  Object.assign(prototype, mistake)
  return Effect.ensuring(
    Effect.exit(run),
    Effect.sync(() => Object.assign(prototype, right))
  )
}

describe("a test fails where its hub", () => {
  it.effect("leaves nothing behind: it does not", () =>
    Effect.gen(function* () {
      assert.strictEqual(failureOf(yield* Effect.exit(reading())), "none")
    })
  )

  it.effect("leaves a fiber behind", () =>
    Effect.gen(function* () {
      const leaking = Effect.as(Effect.forkDetach(Effect.never), { body: [{ id: "a" }] })
      assert.include(failureOf(yield* Effect.exit(reading(leaking))), "1 fibers are left of a closed hub")
    })
  )

  it.effect("leaves a reader behind", () =>
    Effect.gen(function* () {
      const exit = yield* planted(Register.prototype, { leave: () => {} }, reading())
      assert.include(failureOf(exit), "1 readers are left though everybody has left")
    })
  )

  it.effect("leaves a timer of a reader behind", () =>
    Effect.gen(function* () {
      const exit = yield* planted(Deadlines.prototype, { cancel: () => {} }, reading())
      assert.match(failureOf(exit), /\d timers are left though everybody has left/)
    })
  )
})

describe("a daemon that is closed", () => {
  it("leaves the process as it was, whoever read it", async () => {
    const before = resources()
    const backend = await new Backend().start()
    const daemon = await startDaemon(configOf(backend.url))
    const stream = await EventClient.open(`${daemon.url}/v1/stream`)
    const socket = await SocketClient.open(`${daemon.url}/v1/socket?collections=pools`)
    const asked = new PollClient(`${daemon.url}/v1/changes`).ask("since=now")
    await until("first messages", () => stream.messages.length > 0 && socket.messages.length > 0)
    await until("three readers", () => daemon.hub.readers() === 3)
    assert.notDeepEqual(resources(), before)
    await daemon.close()
    await Promise.all([stream.ended, socket.closed, asked])
    await backend.close()
    await until("nothing more than before", () => {
      const now = resources()
      return Object.keys(now).every((kind) => now[kind]! <= (before[kind] ?? 0))
    })
  })

  it("fails its test where it leaves a connection behind", async () => {
    const backend = await new Backend().start()
    const daemon = await startDaemon(configOf(backend.url))
    const stream = await EventClient.open(`${daemon.url}/v1/stream`)
    assert.throws(() => noSockets(daemon.port), "1 connections are left of a closed daemon")
    stream.close()
    await daemon.close()
    await backend.close()
  })

  it("fails its test where it leaves a reader behind", async () => {
    const backend = await new Backend().start()
    const daemon = await startDaemon(configOf(backend.url))
    const exit = await Effect.runPromise(
      planted(
        Register.prototype,
        { leave: () => {} },
        Effect.promise(async () => {
          await EventClient.open(`${daemon.url}/v1/stream`)
          await daemon.close()
        })
      )
    )
    assert.include(failureOf(exit), "1 readers are left of a closed daemon")
    await backend.close()
  })
})
