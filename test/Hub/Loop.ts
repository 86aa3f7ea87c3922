/**
 * The loop that serves readers, without the rest of the hub and moved by hand. Its clock may move while it is read, so
 * that what is done in slices is: on the virtual clock nothing takes time, and a snapshot is built in one piece.
 */
import { Clock, Effect, Random } from "effect"

import type { Collection, Commit, Delta, Row } from "../../src/Collection.ts"
import type { Reader, Sink } from "../../src/Hub/Audience.ts"
import { Delivery } from "../../src/Hub/Delivery.ts"
import { opener } from "../../src/Hub/Opening.ts"
import { makeQuery, type Part, type Query } from "../../src/Hub/Query.ts"
import { Presence } from "../../src/Hub/Presence.ts"
import { Register } from "../../src/Hub/Register.ts"
import { Snapshots } from "../../src/Hub/Snapshots.ts"
import { State } from "../../src/Hub/State.ts"
import { Turns } from "../../src/Hub/Turns.ts"
import { Held, type Message } from "../Held.ts"
import { settle, startOfTime } from "../Kit.ts"

const fields = ["id", "type", "value"]

const describe = (name: string): Collection => ({
  name,
  kind: "polled",
  key: "id",
  fields,
  fixed: new Set(["type"])
})

const still = Effect.runSync(Clock.Clock)

export class Loop {
  readonly state = new State({ epoch: "e", describe })
  readonly snapshots: Snapshots
  readonly register: Register
  readonly delivery: Delivery
  readonly open: ReturnType<typeof opener>
  readonly broken: Array<unknown> = []
  readonly failed: Array<unknown> = []
  now = startOfTime
  /** ms that pass whenever somebody looks at the clock */
  step = 0

  constructor() {
    const read = () => (this.now += this.step)
    const clock: Clock.Clock = Object.assign(Object.create(still), {
      currentTimeMillisUnsafe: read,
      currentTimeMillis: Effect.sync(read)
    })
    const fork = (effect: Effect.Effect<void>) =>
      void Effect.runFork(Effect.provideService(effect, Clock.Clock, clock))
    const { broken, failed, state } = this
    const presence = new Presence(state, () => Effect.die("nothing is paged out"))
    this.snapshots = new Snapshots(state, presence, fork)
    const { snapshots } = this
    const silent = { enter: () => {}, leave: () => {}, counted: () => {}, wake: () => {} }
    this.register = new Register({ state, clock, hooks: silent })
    const { register } = this
    const hooks = {
      sent: () => {},
      broken: (error: unknown) => void broken.push(error),
      failed: (error: unknown) => void failed.push(error),
      fork
    }
    this.delivery = new Delivery({ state, snapshots, register, hooks })
    const { delivery } = this
    this.open = opener({
      state,
      presence,
      snapshots,
      register,
      delivery,
      turns: new Turns(clock, fork),
      random: Effect.runSync(Random.Random)
    })
  }

  commit(name: string, delta: Partial<Delta>): void {
    const whole = { put: new Map(), set: new Map(), remove: [], evict: [], ...delta }
    const made: Commit = { at: this.now, deltas: new Map([[name, whole]]), asOf: new Map() }
    this.state.apply(made, `${name} ${this.state.revision}`)
    this.register.ring(made)
  }

  enter(query: Query, sink: Sink, interval = 0): Reader {
    return this.register.enter(query, sink, { interval, once: false })
  }

  /** Enters and waits for its first message. */
  readonly come = Effect.fnUntraced({ self: this }, function* (this: Loop, query: Query, interval = 0) {
    const client = new Client()
    client.reader = this.enter(query, client, interval)
    yield* this.open(client.reader, { since: undefined, notBefore: 0 })
    return client
  })

  /** Lets time pass, and does what is due until nothing is. */
  readonly pass = Effect.fnUntraced({ self: this }, function* (this: Loop, ms: number) {
    this.now += ms
    this.register.deadlines.run(this.now)
    do {
      yield* this.delivery.round
      yield* settle
    } while (this.register.hasDue)
  })
}

export class Client extends Held implements Sink {
  readonly framing = "text" as const
  readonly messages: Array<Message> = []
  reader: Reader | undefined

  readonly write: Sink["write"] = (frame) => {
    this.messages.push(this.receive(frame.in("text").buffers.map(String).join("")))
    return true
  }

  readonly end: Sink["end"] = () => {}

  get types(): ReadonlyArray<string> {
    return this.messages.map(({ type }) => type)
  }

  get revision(): number {
    return Number(this.cursor!.split("-")[1])
  }
}

export const queryOf = (name: string, narrowed: Partial<Part> = {}): Query =>
  makeQuery([
    [name, { collection: describe(name), keys: undefined, fields: undefined, where: [], ...narrowed }]
  ])

export const rowOf = (key: string, value: number, pad = ""): Row => ({
  id: key,
  type: "stable",
  value: `${value}${pad}`
})

export const keysTo = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `k${i}`)

export const puts = (keys: ReadonlyArray<string>, value: number, pad = ""): Partial<Delta> => ({
  put: new Map(keys.map((key) => [key, rowOf(key, value, pad)]))
})

export const sets = (keys: ReadonlyArray<string>, value: number, pad = ""): Partial<Delta> => ({
  set: new Map(keys.map((key) => [key, { row: rowOf(key, value, pad), fields: ["value"] }]))
})
