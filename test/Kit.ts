/**
 * A whole hub on the virtual clock, as `ratecast/testing` stages it, with its insides in reach: readers in memory that stall,
 * drop and hold what docs/protocol.md says a client holds.
 */
import { Clock, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"

import { Catalog, declares } from "../src/Catalog.ts"
import type { Config } from "../src/Config.ts"
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
import type { Script } from "../src/Testing/Script.ts"
import { catalogOf, layerStage, startOfTime } from "../src/Testing/Stage.ts"
import { Held, type Message } from "./Held.ts"
import { leavingNothing } from "./Residue.ts"

export { type Answer, type Asked, type Reply, Script } from "../src/Testing/Script.ts"
export { advance, settle, startOfTime } from "../src/Testing/Stage.ts"

export const hubOf = (
  config: Config,
  script: Script,
  memory?: typeof HubMemory.Service,
  journal: Layer.Layer<Journal> = Journal.layerNone
) =>
  layerStage({ catalog: catalogOf(config), client: script.layer, journal }).pipe(
    leavingNothing,
    Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(startOfTime))),
    Layer.provide(memory === undefined ? Layer.empty : Layer.succeed(HubMemory, memory))
  )

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
