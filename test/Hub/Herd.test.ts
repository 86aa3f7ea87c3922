/** Ten thousand clients that come back after a restart, on the virtual clock: what it costs to tell them all. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"

import { defineConfig, polled, source } from "../../src/Config.ts"
import { Audience } from "../../src/Hub/Audience.ts"
import type { Frame } from "../../src/Hub/Frame.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { Hub } from "../../src/Hub.ts"
import { advance, Client, connect, hubOf, queryOf, Script } from "../Kit.ts"

const clients = 10_000
const cursors = 100
const rows = 20

const config = defineConfig({
  collections: {
    pools: polled({
      source: source({ url: "http://up/pools", every: "1 second" }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, rate: Schema.Finite })
    })
  }
})

/** Counts the changes that are computed while something runs. */
const changesComputed = <A, E, R>(body: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const methods = Audience.prototype as unknown as { makeChange: Function }
    const { makeChange } = methods
    let computed = 0
    methods.makeChange = function (...args: ReadonlyArray<unknown>) {
      computed++
      return makeChange.apply(this, args)
    }
    return body.pipe(
      Effect.ensuring(Effect.sync(() => Object.assign(methods, { makeChange }))),
      Effect.map((value) => [value, computed] as const)
    )
  })

/** A client that notes which frames it was given, and not only what they say. */
class Guest extends Client {
  readonly frames: Array<Frame> = []

  constructor(clock: Clock.Clock) {
    super(clock)
    const { write } = this
    Object.assign(this, {
      write: (frame: Frame) => {
        this.frames.push(frame)
        return write(frame)
      }
    })
  }

  forget(): void {
    this.frames.length = 0
    this.messages.length = 0
  }
}

/** All of them, one after the other over four seconds, as their `retry` tells them; each with the cursor it holds. */
const comeBack = Effect.fnUntraced(function* (herd: ReadonlyArray<Guest>) {
  const query = yield* queryOf(["pools"])
  for (const [i, client] of herd.entries()) {
    client.forget()
    yield* connect(query, { since: client.cursor, client })
    if (i % (clients / 40) === 0) yield* advance("100 millis")
  }
  yield* advance("100 millis")
})

const framesGiven = (herd: ReadonlyArray<Guest>) => new Set(herd.flatMap(({ frames }) => frames))
const cursorsOf = (herd: ReadonlyArray<Guest>) => new Set(herd.map(({ cursor }) => cursor))
const leave = (herd: ReadonlyArray<Guest>) => {
  for (const client of herd) client.drop()
}

describe(`${clients.toLocaleString("en")} clients that come back after a restart`, () => {
  it.effect(
    "are told from one frame for each distinct cursor, and none for each client",
    () => {
      const disk = new Disk()
      let step = 0
      const script = new Script(() => ({
        body: Array.from({ length: rows }, (_, i) => ({
          id: `p${i}`,
          rate: Math.floor((step + rows - i) / rows)
        }))
      }))
      const hub = () => hubOf(config, script, undefined, layerMemory(disk))
      return Effect.gen(function* () {
        const herd = yield* Effect.gen(function* () {
          const query = yield* queryOf(["pools"])
          const clock = yield* Clock.Clock
          const all: Array<Guest> = []
          for (; step < cursors; step++) {
            yield* advance("1 second")
            for (let i = 0; i < clients / cursors; i++) {
              const client = new Guest(clock)
              yield* connect(query, { client })
              client.drop()
              all.push(client)
            }
          }
          return all
        }).pipe(Effect.provide(hub()))
        const before = cursorsOf(herd).size
        assert.strictEqual(before, cursors)

        yield* Effect.gen(function* () {
          const { readers, revision } = yield* Hub
          yield* advance("2 seconds")
          const at = revision()
          const [, changes] = yield* changesComputed(comeBack(herd))
          assert.strictEqual(revision(), at, "nothing was committed meanwhile")
          assert.strictEqual(readers(), clients)
          assert.isAtMost(changes, before)
          assert.isAtMost(framesGiven(herd).size, before)
          for (const client of herd) {
            assert.deepStrictEqual(client.types, ["change"])
            assert.strictEqual(client.refused, 0)
          }
          assert.strictEqual(cursorsOf(herd).size, 1)
          const held = new Set(herd.map((client) => JSON.stringify([...client.canonical().get("pools")!])))
          assert.strictEqual(held.size, 1)

          leave(herd)
          yield* comeBack(herd)
          for (const client of herd) assert.deepStrictEqual(client.types, ["ping"])
          // A quiet poll a second moves `asOf`, which a ping tells.
          assert.isAtMost(framesGiven(herd).size, 6, "where nothing changed")
        }).pipe(Effect.provide(hub()))
      })
    },
    { timeout: 60_000 }
  )
})
