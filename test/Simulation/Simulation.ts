/**
 * One seed is one world: the real Upstream, RateEngine, Hub and readers on the virtual clock, upstreams that fail in every
 * way, a disk, a server that is killed between any two steps, and clients of every kind. After every message the client's
 * rows are held against the truth. The same seed is the same run, to the last task.
 */
import { Clock, Context, Effect, Exit, Layer, Logger, Metric, Random, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"

import { Catalog, makeCatalog } from "../../src/Catalog.ts"
import { layerHub } from "../../src/Daemon.ts"
import { Hub, HubMemory } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { Upstream } from "../../src/Upstream.ts"
import { Dice, Violation } from "../Hub/World.ts"
import { Script, startOfTime } from "../Kit.ts"
import { WallClock } from "../WallClock.ts"
import { Backend, config } from "./Backend.ts"
import { FaultyDisk } from "./FaultyDisk.ts"
import { queryOf } from "./Query.ts"
import { SeededScheduler } from "./SeededScheduler.ts"
import { noTally, type Tally } from "./Tally.ts"
import { Truth } from "./Truth.ts"
import { type Ground as Shared, Visitor } from "./Visitor.ts"

export interface Options {
  readonly seed: number
  /** Simulated. */
  readonly minutes: number
  /** Told what happens, for who replays a seed. */
  readonly trace?: (line: string) => void
}

export interface Outcome extends Tally {
  /** The same seed has the same number of tasks, in the same order. */
  readonly tasks: number
  readonly hash: number
  readonly faults: number
}

const visitors = 12
const turns = Array.from({ length: 15 })
const settle = Effect.forEach(turns, () => Effect.yieldNow, { discard: true })
const pass = (ms: number) => settle.pipe(Effect.andThen(TestClock.adjust(ms)), Effect.andThen(settle))

interface Ground extends Shared {
  readonly script: Script
  /** By which the daemon goes: somebody sets it now and then. */
  readonly wall: WallClock
}

type Running = Context.Context<Hub | Upstream | Catalog | RateEngine>

/** Resolves to what happened; rejects with a `Violation`, or whatever broke. */
export const simulate = (options: Options): Promise<Outcome> => {
  const { minutes, seed, trace = () => {} } = options
  const dice = new Dice(seed)
  const scheduler = new SeededScheduler(new Dice(seed + 1))
  const catalog = makeCatalog(config) as Catalog["Service"]
  const tally = noTally()
  const truth = new Truth()
  const backend = new Backend(dice, seed)
  let broken: unknown
  /** Now and then nobody writes for a while. */
  let isWriting = true
  const disk = new FaultyDisk(
    dice,
    ({ text }) => {
      truth.add(text)
      tally.commits++
    },
    (what) => tally[what]++
  )
  const memory = {
    tips: 4_096,
    tombstones: dice.pick([0, 0, 1, 1_000]),
    idleMembers: dice.pick([0, 1, 100])
  }

  const refreshes: Array<number> = []

  const boot = ({ script, wall }: Ground, scope: Scope.Scope) =>
    Layer.buildWithScope(
      layerHub.pipe(
        Layer.provide(disk.layer()),
        Layer.provide(Layer.succeed(Clock.Clock, wall)),
        Layer.provide(script.layer),
        Layer.provideMerge(Layer.succeed(Catalog, catalog)),
        Layer.provide(Layer.succeed(HubMemory, memory)),
        Layer.provide(Layer.fresh(Layer.succeed(Metric.MetricRegistry, new Map()))),
        Layer.orDie
      ),
      scope
    )

  const newcomer = (ground: Ground) =>
    new Visitor(ground, {
      query: queryOf(catalog, dice),
      interval: dice.pick([0, 0, 50, 1_000, 7_000, 60_000]),
      isPolling: dice.chance(0.25),
      encoding: dice.pick(["events", "chunks", "chunks", "socket", "socket", "gzipEvents", "gzipChunks"]),
      sips: dice.chance(0.25)
    })

  /** Something that clients do. */
  const stir = Effect.fnUntraced(function* (ground: Ground, there: Array<Visitor>) {
    const at = dice.int(visitors)
    const visitor = there[at]
    const fate = dice.next()
    if (visitor === undefined || fate < 0.05) {
      visitor?.vanish()
      there[at] = newcomer(ground)
      return yield* there[at].come(undefined)
    }
    if (!visitor.isConnected || visitor.ended !== undefined) {
      visitor.isConnected = false
      return yield* visitor.come(visitor.presents(there.filter((each) => each !== undefined)))
    }
    if (visitor.isPolling) {
      yield* Effect.forkChild(visitor.conclude())
    } else if (fate < 0.3) {
      tally.drops++
      visitor.vanish()
    } else if (fate < 0.5) {
      tally.stalls++
      visitor.stall()
    } else visitor.drain()
  })

  /** One process, from its start to its death. */
  const life = Effect.fnUntraced(function* (ground: Ground, there: Array<Visitor>, until: number) {
    const { clock, wall } = ground
    const scope = yield* Scope.make()
    const booted = yield* Effect.forkChild(boot(ground, scope))
    yield* pass(200)
    const running = (yield* Effect.flatten(Effect.sync(() => exitOf(booted.pollUnsafe())))) as Running
    const failed = yield* Effect.forkChild(Effect.exit(Context.get(running, Hub).failed))
    const polls = backend.weather.polls.length
    for (;;) {
      yield* pass(dice.chance(0.01) ? dice.int(120_000) : dice.int(3_000))
      for (const visitor of there) visitor?.sip()
      check(there)
      checkGaps(backend.weather.polls.slice(polls), clock.currentTimeMillisUnsafe())
      yield* Effect.provide(stir(ground, there), running)
      if (dice.chance(0.02)) {
        tally.clockSets++
        wall.shift += dice.pick([-1, 1]) * dice.pick([900, 20_000, 300_000, 7_200_000])
        trace(`the wall clock is off by ${wall.shift / 1000} s`)
      }
      if (dice.chance(0.03)) {
        const name = dice.pick(["pools", "typed", "order:1"])
        refreshes.push(clock.currentTimeMillisUnsafe())
        yield* Effect.forkChild(
          Effect.provide(
            Effect.flatMap(Upstream, (up) => up.refresh(name)),
            running
          )
        )
      }
      if (isWriting && dice.chance(0.4)) {
        const { write } = Context.get(running, RateEngine)
        for (const each of backend.writes()) {
          tally.writes++
          yield* Effect.forkChild(Effect.exit(write(each)))
        }
      }
      if (dice.chance(0.05)) isWriting = !isWriting
      disk.isFull = dice.chance(0.002)
      if (failed.pollUnsafe() !== undefined) {
        tally.fullDisks++
        break
      }
      // A daemon that has failed is not the one that settles down.
      if (!disk.isFull && clock.currentTimeMillisUnsafe() >= until) return { running, scope }
      if (dice.chance(0.02)) break
    }
    disk.isFull = false
    checkPolls(backend.weather.polls.slice(polls))
    yield* die(there, scope)
    return undefined
  })

  /** Throws the first broken promise. */
  const check = (there: ReadonlyArray<Visitor>) => {
    if (broken !== undefined) throw broken
    for (const visitor of there) visitor?.check()
  }

  const isForced = (at: number) => refreshes.some((asked) => asked <= at && at - asked < 2_000)

  /** By one process, however often somebody asks for a refresh. */
  const checkPolls = (polls: ReadonlyArray<number>) => {
    const hasty = polls.find(
      (at, i) => i > 0 && at - polls[i - 1]! < 4_900 && !isForced(at) && !isForced(polls[i - 1]!)
    )
    if (hasty !== undefined) throw new Violation(`polled again too soon, at ${hasty - startOfTime}`)
    if (backend.weather.early > 0) throw new Violation("polled before Retry-After was over")
    if (backend.weather.inFlight > 1) throw new Violation("two polls of one source at once")
  }

  /** Killed, and what a dead process leaves behind. */
  const die = Effect.fnUntraced(function* (there: Array<Visitor>, scope: Scope.Closeable) {
    tally.kills++
    disk.kill()
    for (const visitor of there) visitor?.vanish()
    yield* Effect.forkDetach(Scope.close(scope, Exit.void))
    backend.weather.forget()
    if (dice.chance(0.3)) {
      const lost = disk.cutPower(dice.int(6))
      truth.lose(lost)
      tally.powerCuts++
      tally.lostCommits += lost
    }
    if (dice.chance(0.5)) disk.compact(memory)
    trace(`killed at revision ${truth.revision}`)
    yield* pass(dice.int(20_000))
  })

  /** When all is well again everybody holds what the upstreams say, and when all have left nothing is left. */
  const settleDown = Effect.fnUntraced(function* (there: ReadonlyArray<Visitor>) {
    backend.weather.clear()
    backend.isFlaky = false
    const hub = yield* Hub
    for (const visitor of there) {
      if (visitor.isPolling) visitor.vanish()
      else visitor.hurry()
    }
    yield* pass(300_000)
    for (const visitor of there) {
      if (visitor.isPolling) continue
      if (!visitor.isConnected || visitor.ended !== undefined) yield* visitor.come(visitor.cursor)
    }
    yield* pass(100_000)
    check(there)
    for (const visitor of there) {
      if (visitor.isPolling || visitor.ended !== undefined) continue
      for (const name of visitor.query.parts.keys()) {
        if (visitor.states.get(name) !== "live")
          throw new Violation(`${name} is ${visitor.states.get(name)} long after all is well`)
      }
    }
    const isTrue = () => {
      const rows = [...hub.board.rows("pools")].map(
        ([key, row]) => `${key} ${String(row["rate"])} ${String(row["n"])}`
      )
      const said = [...backend.weather.held].map(([key, text]) => `${key} ${text}`)
      return rows.toSorted().join("\n") === said.toSorted().join("\n")
    }
    // The last answer may be on its way to the disk still.
    if (!isTrue()) yield* pass(500)
    if (!isTrue()) throw new Violation("the rows are not those of the upstream long after all is well")
    for (const visitor of there) visitor.vanish()
    if (hub.readers() !== 0) throw new Violation(`${hub.readers()} readers are left`)
  })

  const world = Effect.gen(function* () {
    yield* TestClock.setTime(startOfTime)
    const until = startOfTime + minutes * 60_000
    const clock = yield* Clock.Clock
    const script = new Script((asked) => backend.answer({ ...asked, at: clock.currentTimeMillisUnsafe() }))
    const ground: Ground = {
      clock,
      wall: new WallClock(clock),
      script,
      dice,
      truth,
      tally,
      onViolation: (what) => (broken ??= what)
    }
    const there: Array<Visitor> = []
    for (;;) {
      const last = yield* life(ground, there, until)
      if (last === undefined) continue
      yield* Effect.provide(settleDown(there.filter((each) => each !== undefined)), last.running)
      disk.kill()
      yield* Effect.forkDetach(Scope.close(last.scope, Exit.void))
      yield* pass(60_000)
      break
    }
    check(there)
    if (script.most > 6) throw new Violation(`${script.most} requests at once`)
    const faults = [...backend.weather.seen.values()].reduce((sum, count) => sum + count, 0)
    return { ...tally, tasks: scheduler.tasks, hash: scheduler.hash, faults }
  })

  return Effect.runPromise(
    world.pipe(
      Effect.provide(TestClock.layer()),
      Random.withSeed(seed),
      Effect.provide(Logger.layer([])),
      Effect.provideService(Scheduler.Scheduler, scheduler)
    )
  )
}

/** While nobody reads, once in a minute; and as much longer as the upstream asks to be left alone, or fails. */
const checkGaps = (polls: ReadonlyArray<number>, now: number) => {
  const last = polls.at(-1)
  if (last !== undefined && now - last > 150_000) throw new Violation(`not polled for ${now - last} ms`)
}

const exitOf = <A, E>(exit: Exit.Exit<A, E> | undefined): Effect.Effect<A, E | Violation> =>
  exit === undefined ? Effect.fail(new Violation("the hub does not start")) : (exit as Effect.Effect<A, E>)
