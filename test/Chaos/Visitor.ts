/** A client that keeps its rows and its cursor, and comes back whenever its connection ends. */
import type { Readable } from "node:stream"

import { canonicalText, Held, type Message } from "../Held.ts"
import type { Dice } from "../Hub/World.ts"
import { Digest } from "./Digest.ts"
import { Joining } from "./Joining.ts"
import type { Oracle, Witness } from "./Oracle.ts"
import { bodyOf, type Process } from "./Process.ts"
import { type Query, readsFamily } from "./Query.ts"
import { type RoadName, roads } from "./Road.ts"
import type { Tally } from "./Tally.ts"

export interface Ground {
  readonly daemon: Process
  readonly oracle: Oracle
  readonly tally: Tally
  readonly dice: Dice
}

export interface Habit {
  readonly name: string
  readonly query: Query
  readonly road: RoadName
  readonly interval: number
  /** Asks for what comes from now on, and then for the rows that there were. */
  readonly startsNow: boolean
  /** Gives a connection up on which nothing comes for so long, ms. */
  readonly patience: number
}

/** Why a client with a cursor may get a snapshot all the same: there is no other reason that would not be a loss. */
const forgivable = new Set(["smaller"])

export class Visitor extends Held implements Witness {
  readonly name: string
  readonly query: Query
  readonly habit: Habit
  readonly digests = new Map<string, Digest>()
  readonly versions = new Map<string, number>()
  readonly held = this
  /** The daemon's life in which it was told something last. */
  life = 0
  lastAt = performance.now()
  isStopped = false
  private readonly ground: Ground
  private connection = new AbortController()
  private isFirst = false
  private presented: string | undefined
  private body: Readable | undefined
  private joining: Joining | undefined
  /** How many connections it has had. */
  connections = 0
  isPaused = false

  constructor(ground: Ground, habit: Habit) {
    super()
    this.ground = ground
    this.habit = habit
    this.name = habit.name
    this.query = habit.query
  }

  /** Until `stop`. */
  async run(): Promise<void> {
    const { daemon, dice } = this.ground
    const { interval, query, road, startsNow } = this.habit
    const search = [query.search, ...(interval === 0 ? [] : [`interval=${interval}ms`])]
    while (!this.isStopped) {
      const connection = new AbortController()
      this.connection = connection
      this.isFirst = true
      this.presented = this.cursor
      this.lastAt = performance.now()
      this.body = undefined
      this.joining = undefined
      this.connections++
      await roads[road]({
        url: daemon.url,
        search: search.filter((item) => item !== "").join("&"),
        since: this.cursor ?? (startsNow ? "now" : undefined),
        signal: connection.signal,
        take: (text, id) => !connection.signal.aborted && this.take(text, id),
        reads: (body) => {
          this.body = body
          if (this.isPaused) body.pause()
        },
        move: (cursor) => !connection.signal.aborted && this.arrive(cursor),
        wrong: (what) => this.ground.oracle.violated(`${this.name}: ${what}`)
      })
      connection.abort()
      // Sooner than a browser would: a herd is what we want to see.
      if (!this.isStopped) await new Promise((done) => setTimeout(done, 50 + dice.int(250)))
    }
  }

  stop(): void {
    this.isStopped = true
    this.connection.abort()
  }

  drop(): void {
    this.connection.abort()
  }

  /** Takes nothing for a while, however much comes; `undefined`: its road cannot. */
  pause(): boolean {
    if (this.body === undefined) return false
    this.isPaused = true
    this.body.pause()
    return true
  }

  goOn(): void {
    this.isPaused = false
    this.lastAt = performance.now()
    this.body?.resume()
  }

  /** Comes back as somebody who has never been here. */
  forget(): void {
    this.cursor = undefined
    // Who has nothing may be given a snapshot that is a little older, and at once what changed since.
    this.versions.clear()
    this.connection.abort()
  }

  private take(text: string, id: string | undefined): void {
    const { cursor, habit, joining } = this
    if (joining?.keeps(text, id) === true) return
    if (cursor === undefined && habit.startsNow) return this.begin(text)
    if (joining !== undefined) {
      this.cursor = joining.from(text, cursor!)
      if (this.cursor === undefined) {
        this.cursor = cursor
        return
      }
    }
    this.apply(text, id)
  }

  /** Asked for what comes from now on it is told where that is, and asks for the rows that there were. */
  private begin(text: string): void {
    const { oracle, tally } = this.ground
    const { cursor, type } = JSON.parse(text) as Message
    if (type === "goodbye") return tally.add("goodbye before now")
    if (type !== "ping")
      return oracle.violated(`${this.name} asked for what comes from now on, and got a ${type}`)
    this.lastAt = performance.now()
    this.joining = new Joining(cursor!)
    void this.join(this.joining)
  }

  private async join(joining: Joining): Promise<void> {
    const { daemon, oracle, tally } = this.ground
    const url = `${daemon.url}/v1/snapshot?${this.query.search}`
    const snapshot = await bodyOf(url)
    if (this.joining !== joining) return
    if (snapshot === undefined) return this.forget()
    this.apply(snapshot, undefined)
    this.cursor = joining.standsAt(this.cursor!)
    oracle.check(this)
    tally.add("now joined")
    for (const told of joining.release()) this.take(...told)
  }

  private apply(text: string, id: string | undefined): void {
    const { oracle, tally } = this.ground
    const before = this.refused
    let message: Message
    try {
      message = this.receive(text)
    } catch (error) {
      return oracle.violated(`${this.name} cannot apply what it is told: ${String(error)}`)
    }
    tally.add(`message ${message.type}`)
    tally.add(`road ${this.habit.road}`)
    if (readsFamily(this.query)) tally.add("whole family")
    if (message.type === "goodbye") return tally.add(`goodbye ${message.code}`)
    if (this.refused > before)
      oracle.violated(
        `${this.name} stands at ${this.cursor} and is told what comes after ${message.from} (on a connection since ${this.presented})`
      )
    if (id !== undefined && id !== message.cursor)
      oracle.violated(`${this.name}: the id ${id} is not the message's cursor ${message.cursor}`)
    this.follow(message)
    this.came(message)
    oracle.check(this)
  }

  /** An empty change. */
  private arrive(cursor: string): void {
    this.cursor = cursor
    this.ground.tally.add("message 204")
    this.came({ type: "nothing" })
    this.ground.oracle.check(this)
  }

  private came({ reason, type }: Message): void {
    const { daemon, oracle, tally } = this.ground
    const now = performance.now()
    this.lastAt = now
    const isReturn = this.isFirst && this.presented !== undefined
    this.isFirst = false
    if (isReturn) tally.add(`return ${type}`)
    if (type === "snapshot") {
      tally.add(`snapshot ${reason}`)
      const isNew = this.presented === undefined && reason === "initial"
      if (!isNew && !forgivable.has(reason!))
        oracle.violated(
          `${this.name} came with ${this.presented} and got a snapshot: ${reason} ("${this.query.search}")`
        )
    }
    const { answeredAt, number, startedAt } = daemon.life
    if (this.life === number) return
    // A poll with an interval is answered late on purpose.
    const isPrompt = this.habit.road !== "poll" || this.habit.interval === 0
    if (this.life > 0 && isReturn && isPrompt) {
      tally.time("since start", now - startedAt)
      tally.time("since answer", Math.max(0, now - (answeredAt ?? now)))
    }
    this.life = number
  }

  /** Hashes the rows that the message touched, as they are now. */
  private follow({ collections, type }: Message): void {
    if (type === "snapshot") this.digests.clear()
    for (const [name, part] of Object.entries(collections ?? {})) {
      const rows = this.rows.get(name)
      if (part.rows !== undefined) this.digests.delete(name)
      const digest = this.digests.get(name) ?? new Digest()
      this.digests.set(name, digest)
      const touched =
        part.rows === undefined
          ? [part.put, part.set, part.unset].flatMap((members) => Object.keys(members ?? {}))
          : (rows?.keys() ?? [])
      for (const key of [...(part.remove ?? []), ...(part.evict ?? [])]) digest.delete(key)
      for (const key of touched) digest.set(key, canonicalText(Object.fromEntries(rows!.get(key)!)))
    }
  }
}
