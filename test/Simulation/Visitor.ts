/**
 * A client in a simulated world: any road, pace, query and patience. It reads the bytes of its road, all at once or a few at
 * a time; it stalls, drops in the middle of a frame, and comes back with the cursor of its last whole message, or another.
 */
import { type Clock, Effect } from "effect"

import { type Frame, Hub, type Query, type Reader, type Sink } from "../../src/Hub.ts"
import type { Reason } from "../../src/Hub/State.ts"
import { Held } from "../Held.ts"
import { type Dice, Violation } from "../Hub/World.ts"
import { Inlet } from "./Inlet.ts"
import type { Tally } from "./Tally.ts"
import type { Truth } from "./Truth.ts"
import type { Encoding } from "./Wire.ts"

/** What all visitors of one world share. */
export interface Ground {
  /** Time that passes, whatever the wall clock says. */
  readonly clock: Clock.Clock
  readonly dice: Dice
  readonly truth: Truth
  readonly tally: Tally
  /** Told before it is thrown: the hub takes whatever a connection throws for that connection's trouble. */
  readonly onViolation: (broken: unknown) => void
}

export interface Habit {
  readonly query: Query
  readonly interval: number
  readonly isPolling: boolean
  readonly encoding: Encoding
  /** Takes a few bytes at a time, one by one. */
  readonly sips: boolean
}

/** By docs/protocol.md: a ping after this long without a message, and how long a frame may wait to be taken, ms. */
const pingEvery = 15_000
const stalledAfter = 60_000
const [rotatesFrom, rotatesTo] = [480_000, 720_000]
const slack = 1_000

export class Visitor extends Held implements Sink {
  readonly framing: Sink["framing"]
  readonly query: Query
  readonly interval: number
  readonly isPolling: boolean
  isConnected = false
  ended: string | undefined
  /** It takes nothing, for a while or for good. */
  private isStalled = false
  private isStuck = false
  private readonly ground: Ground
  private readonly encoding: Encoding
  private sips: boolean
  private reader: Reader | undefined
  private isConcluding: Reader | undefined
  private hub: Hub["Service"] | undefined
  private inlet: Inlet | undefined
  /** The hub knows that it has not taken all of the last frame. */
  private isPending = false
  private hasHeard = false
  private cameAt = 0
  private takenAt = 0

  constructor(ground: Ground, { encoding, interval, isPolling, query, sips }: Habit) {
    super()
    this.ground = ground
    this.query = query
    this.interval = interval
    this.isPolling = isPolling
    this.encoding = isPolling ? "text" : encoding
    this.sips = sips && !isPolling
    // The hub has long texts compressed by other threads, and no seed decides when they are done. So it is told of a
    // plain road, and the compressed bytes are made when they are written.
    this.framing =
      ({ gzipEvents: "events", gzipChunks: "chunks" } as { readonly [encoding: string]: Sink["framing"] })[
        this.encoding
      ] ?? (this.encoding as Sink["framing"])
  }

  private get now(): number {
    return this.ground.clock.currentTimeMillisUnsafe()
  }

  readonly write = (frame: Frame): boolean => {
    try {
      if (this.isPending) throw new Violation("a frame was offered while one was not taken")
      const inlet = this.inlet!
      inlet.offer(frame)
      this.hasHeard = false
      this.takenAt = this.now
      if (!this.isStalled) this.taste(this.sips ? this.mouthful() : inlet.left)
      this.isPending = inlet.left > 0
    } catch (broken) {
      this.ground.onViolation(broken)
      throw broken
    }
    return !this.isPending
  }

  readonly end = (code: string): void => {
    const { now } = this
    const since = now - (code === "stalled" ? this.takenAt : this.cameAt)
    if (code === "stalled" && (!this.isPending || since < stalledAfter - 1))
      this.ground.onViolation(new Violation(`ended as stalled ${since} ms after it took something`))
    if (code === "rotation" && (since < rotatesFrom - 1 || since > rotatesTo + slack))
      this.ground.onViolation(new Violation(`sent away after ${since} ms`))
    this.ended = code
    this.leave()
  }

  /** Comes, or comes back. `since`: what it says it has. */
  readonly come = Effect.fnUntraced(function* (this: Visitor, since: string | undefined) {
    const { encoding, interval, isPolling, now } = this
    if (since !== undefined) this.ground.tally.resumes++
    this.isStalled = false
    this.isStuck = false
    this.hasHeard = false
    this.ended = undefined
    this.cameAt = now
    this.takenAt = now
    this.inlet = new Inlet(encoding, this.ground.dice, (text, event) => {
      const message = this.receive(text)
      if (event !== undefined && (event.type !== message.type || event.lastEventId !== message.cursor))
        throw new Violation(`an event ${event.type} with id ${event.lastEventId} for ${text}`)
    })
    this.isConnected = true
    const hub = yield* Hub
    this.hub = hub
    this.reader = hub.enter(this.query, this, {
      interval: isPolling ? 0 : interval,
      once: isPolling
    })
    // What is paged out takes its time to come.
    yield* Effect.forkChild(hub.open(this.reader, { since, notBefore: isPolling ? now + interval : 0 }))
  })

  private mouthful(): number {
    return this.ground.dice.pick([1, 1, 2, 7, 64, 1_000])
  }

  private taste(count: number): void {
    const inlet = this.inlet!
    this.takenAt = this.now
    inlet.take(count, this.sips)
    if (inlet.left === 0 && !this.hasHeard) throw new Violation("all of a frame, and no message")
  }

  /** A slow one takes a little more. */
  sip(): void {
    if (!this.isPending || this.isStalled) return
    this.ground.tally.mouthfuls++
    this.swallow(this.mouthful())
  }

  /** Takes nothing from now on. */
  stall(): void {
    this.isStalled = true
    this.isStuck = this.ground.dice.chance(0.3)
  }

  /** Takes all that is left, where it takes anything at all. */
  drain(): void {
    if (this.isStuck) return
    this.isStalled = false
    if (this.isPending) this.swallow(this.inlet!.left)
  }

  private swallow(count: number): void {
    this.taste(count)
    if (this.inlet!.left > 0) return this.hub!.progressed(this.reader!)
    this.isPending = false
    this.hub!.drained(this.reader!)
  }

  /** Takes whatever comes from now on. */
  hurry(): void {
    this.sips = false
    this.isStuck = false
    this.drain()
  }

  /** Every message is held against the truth when it comes. */
  override receive(text: string): ReturnType<Held["receive"]> {
    const { tally, truth } = this.ground
    const { refused } = this
    const message = super.receive(text)
    this.hasHeard = true
    tally.messages++
    if (message.type === "change") tally.changes++
    if (message.type === "snapshot") {
      tally.snapshots++
      const reason = message["reason"] as Reason
      if (reason !== "initial" && reason !== "smaller") tally[reason]++
    }
    if (this.refused > refused)
      throw new Violation(`a message from ${message.from} for one who stands at ${this.cursor}`)
    if (this.cursor !== undefined) truth.check(this, this.query, message.type)
    return message
  }

  /** Throws where it waits longer than it was promised. */
  check(): void {
    if (!this.isConnected || this.ended !== undefined || this.isPolling) return
    const { now } = this
    if (now - this.cameAt > rotatesTo + slack)
      throw new Violation(`one connection for ${now - this.cameAt} ms`)
    if (this.isPending && now - this.takenAt > stalledAfter + slack)
      throw new Violation(`nothing of a frame was taken for ${now - this.takenAt} ms`)
    if (!this.isPending && now - this.takenAt > pingEvery + slack)
      throw new Violation(`a reader has heard nothing for ${now - this.takenAt} ms`)
  }

  /** The connection is gone; what was under way on it comes no more, or some of it. */
  vanish(): void {
    if (!this.isConnected) return
    const { dice, tally } = this.ground
    if (this.isPending) {
      tally.cuts++
      if (dice.chance(0.5)) this.taste(dice.int(this.inlet!.left))
    }
    this.isConnected = false
    this.leave()
  }

  private leave(): void {
    this.isPending = false
    this.hub!.leave(this.reader!)
  }

  /** The end of a long poll. */
  readonly conclude = Effect.fnUntraced(function* (this: Visitor) {
    const hub = yield* Hub
    const { reader } = this
    if (reader === undefined || this.isConcluding === reader) return
    this.isConcluding = reader
    const answer = this.hasHeard ? "" : yield* hub.conclude(reader)
    if (!this.isConnected || this.reader !== reader) return
    if (typeof answer !== "string" && !this.hasHeard)
      this.receive(answer.in("text").buffers.map(String).join(""))
    this.vanish()
  })

  /** What this client might present as its cursor. */
  presents(others: ReadonlyArray<Visitor>): string | undefined {
    const { dice } = this.ground
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
