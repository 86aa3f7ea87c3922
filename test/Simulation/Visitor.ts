/** A client in a simulated world: any road, pace, query and patience; it stalls, drops and comes back with any cursor. */
import { Clock, Effect } from "effect"

import { Hub, type Query } from "../../src/Hub.ts"
import { type Dice, Violation } from "../Hub/World.ts"
import { Client, connect } from "../Kit.ts"
import type { Truth } from "./Truth.ts"

export interface Tally {
  commits: number
  messages: number
  changes: number
  snapshots: number
  resumes: number
  kills: number
  powerCuts: number
  lostCommits: number
  fullDisks: number
  drops: number
  stalls: number
}

export class Visitor extends Client {
  readonly query: Query
  readonly interval: number
  readonly isPolling: boolean
  isConnected = false
  private readonly truth: Truth
  private readonly tally: Tally

  constructor(
    clock: Clock.Clock,
    options: {
      readonly query: Query
      readonly interval: number
      readonly isPolling: boolean
      readonly truth: Truth
      readonly tally: Tally
    }
  ) {
    super(clock)
    this.query = options.query
    this.interval = options.interval
    this.isPolling = options.isPolling
    this.truth = options.truth
    this.tally = options.tally
  }

  /** Every message is held against the truth when it comes. */
  override receive(text: string): ReturnType<Client["receive"]> {
    const refused = this.refused
    const message = super.receive(text)
    this.tally.messages++
    if (message.type === "change") this.tally.changes++
    if (message.type === "snapshot") this.tally.snapshots++
    if (this.refused > refused)
      throw new Violation(`a message from ${message.from} for one who stands at ${this.cursor}`)
    if (this.queued > 0) throw new Violation("a frame was offered while one was not taken")
    if (this.cursor !== undefined) this.truth.check(this, this.query, message.type)
    return message
  }

  /** Comes, or comes back. `since`: what it says it has. */
  readonly come = Effect.fnUntraced(function* (this: Visitor, since: string | undefined) {
    this.messages.length = 0
    this.arrivals.length = 0
    this.stalled = false
    if (since !== undefined) this.tally.resumes++
    const pace = { interval: this.isPolling ? 0 : this.interval, once: this.isPolling }
    const now = (yield* Clock.Clock).currentTimeMillisUnsafe()
    this.isConnected = true
    yield* connect(this.query, {
      since,
      pace,
      notBefore: this.isPolling ? now + this.interval : 0,
      client: this
    })
  })

  /** The connection is gone; what was under way on it comes no more. */
  vanish(): void {
    if (!this.isConnected) return
    this.isConnected = false
    this.drop()
  }

  /** The end of a long poll. */
  readonly conclude = Effect.fnUntraced(function* (this: Visitor) {
    const hub = yield* Hub
    if (this.reader === undefined || this.messages.length > 0) return
    const answer = yield* hub.conclude(this.reader)
    if (typeof answer !== "string") this.receive(answer.in("text").buffers.map(String).join(""))
  })

  /** What this client might present as its cursor. */
  presents(dice: Dice, others: ReadonlyArray<Visitor>): string | undefined {
    const own = this.cursor
    if (own === undefined || dice.chance(0.7)) return own
    return dice.pick([
      undefined,
      "",
      "nonsense",
      own.slice(0, 9),
      own.replace(/-\d+-/, (text) => `-${Number(text.slice(1, -1)) + 1_000}-`),
      own.replace(/^[0-9a-z]+/, "zzz"),
      own.slice(0, -1) + (own.endsWith("0") ? "1" : "0"),
      // Of another query: under the same one it would be as good as its own.
      dice.pick(others.filter(({ query }) => query.id !== this.query.id))?.cursor
    ])
  }
}
