/** The virtual clock, the daemon that runs on it, and who is connected. One thing is done at a time, in the order asked. */
import {
  Cause,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  type Fiber,
  Latch,
  Layer,
  Logger,
  Random,
  References,
  Scope
} from "effect"
import { TestClock } from "effect/testing"

import type { Catalog } from "../Catalog.ts"
import { Auth, type Ground, groundOf, Limits, problemDetails, problemIn } from "../Http.ts"
import { Disk, layerMemory } from "../Hub.ts"
import type { Write, WriteRefused, Wrote } from "../RateEngine.ts"
import type { Client, Connecting } from "./Client.ts"
import { QueryRefused } from "./Mistakes.ts"
import { roads, type Running } from "./Roads.ts"
import { Script } from "./Script.ts"
import { advance, layerStage, settle } from "./Stage.ts"
import { Upstreams } from "./Upstreams.ts"

/** What everything runs on, for the whole life of a world. */
interface Base {
  readonly context: Context.Context<never>
  readonly scope: Scope.Closeable
  readonly clock: Clock.Clock
}

/** From one start of the daemon to its end. */
interface Run {
  readonly ground: Ground
  readonly scope: Scope.Closeable
}

export class World implements Connecting {
  readonly upstreams = new Upstreams()
  readonly logs: Array<string> = []
  private catalog: Catalog["Service"]
  private readonly seed: number | string
  private readonly start: number
  private readonly script = new Script(this.upstreams.answer)
  private readonly disk = new Disk()
  private readonly connections = new Map<Client, Fiber.Fiber<void, unknown>>()
  private readonly up = Latch.makeUnsafe(false)
  private base: Base | undefined
  private run: Run | undefined
  private last: Promise<void> = Promise.resolve()
  private closed = false

  constructor(catalog: Catalog["Service"], seed: number | string, start: number) {
    this.catalog = catalog
    this.seed = seed
    this.start = start
  }

  get now(): number {
    return this.base?.clock.currentTimeMillisUnsafe() ?? this.start
  }

  async pass(duration: Duration.Duration): Promise<void> {
    await this.perform(advance(duration))
  }

  async connect(client: Client): Promise<void> {
    await this.perform(
      Effect.suspend(() => {
        this.leave(client)
        client.problem = undefined
        this.connections.set(client, this.fork(this.connection(client)))
        return settle
      })
    )
    if (client.problem !== undefined)
      throw new QueryRefused(`/v1/${client.road}`, client.query, client.problem)
  }

  async disconnect(client: Client): Promise<void> {
    await this.perform(
      Effect.suspend(() => {
        this.leave(client)
        return settle
      })
    )
  }

  async write(write: Write): Promise<Wrote> {
    const exit = Promise.withResolvers<Exit.Exit<Wrote, WriteRefused>>()
    await this.perform(
      Effect.suspend(() => {
        // Outside of the turn: a hook may take its time, which passes in another one.
        const writing = Effect.runForkWith(this.base!.context)(this.run!.ground.writes.write(write))
        writing.addObserver(exit.resolve)
        return settle
      })
    )
    const done = await exit.promise
    if (Exit.isSuccess(done)) return done.value
    throw Cause.squash(done.cause)
  }

  async restart(catalog: Catalog["Service"] | undefined): Promise<void> {
    await this.perform(
      Effect.gen({ self: this }, function* () {
        yield* this.stop
        this.catalog = catalog ?? this.catalog
        yield* this.boot
        yield* settle
      })
    )
  }

  async close(): Promise<void> {
    await this.inTurn(async () => {
      const { base } = this
      if (this.closed || base === undefined) return void (this.closed = true)
      this.closed = true
      for (const client of this.connections.keys()) this.leave(client)
      await Effect.runPromiseWith(base.context)(
        settle.pipe(Effect.andThen(this.stop), Effect.andThen(Scope.close(base.scope, Exit.void)))
      )
    })
  }

  /** Rejects with whatever went wrong in the test's own scripts, too. */
  private async perform(body: Effect.Effect<void>): Promise<void> {
    await this.inTurn(async () => {
      if (this.closed) throw new Error("this cast is closed; make another one with testing(config)")
      this.base ??= await Effect.runPromise(this.make)
      await Effect.runPromiseWith(this.base.context)(
        this.run === undefined ? Effect.andThen(this.boot, body) : body
      )
      this.upstreams.check()
    })
  }

  // Awaited at every step, so that the trace of what is thrown leads into the test.
  private async inTurn(task: () => Promise<void>): Promise<void> {
    const { last } = this
    const turn = Promise.withResolvers<void>()
    this.last = turn.promise
    await last
    try {
      await task()
    } finally {
      turn.resolve()
    }
  }

  private readonly make = Effect.gen({ self: this }, function* () {
    const scope = yield* Scope.make()
    const random = yield* Random.withSeed(
      Effect.gen(function* () {
        return yield* Random.Random
      }),
      this.seed
    )
    const logger = Logger.make<unknown, void>((line) => {
      this.logs.push(
        Logger.formatLogFmt
          .log(line)
          .replace(/^timestamp=\S+ /, "")
          .replace(/ fiber=\S+/, "")
      )
    })
    const layer = Layer.mergeAll(
      // It would warn of a test that takes long to compute something, and go on without it.
      TestClock.layer({ warningDelay: "1 minute" }),
      Logger.layer([logger]),
      Layer.succeed(References.MinimumLogLevel, "Warn"),
      Layer.succeed(Random.Random, random)
    )
    const context = yield* Layer.buildWithScope(layer, scope)
    // Also says that time is in hand, before anybody sleeps.
    yield* Effect.provideContext(TestClock.setTime(this.start), context)
    const clock = wholeMillis(Context.get(context, Clock.Clock))
    return { scope, context: Context.add(context, Clock.Clock, clock), clock }
  })

  private readonly boot: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const scope = yield* Scope.make()
    const { catalog, disk, script } = this
    const stage = layerStage({ catalog, client: script.layer, journal: layerMemory(disk) })
    const built = yield* Layer.buildWithScope(stage, scope)
    const ground = groundOf(new Set()).pipe(
      Effect.provide([Auth.layerOpen, Limits.layerOpen]),
      Effect.provideContext(built)
    )
    this.run = { scope, ground: yield* ground }
    yield* this.up.open
  })

  private readonly stop: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    const { run } = this
    if (run === undefined) return
    this.run = undefined
    yield* this.up.close
    yield* run.ground.hub.drain
    yield* settle
    yield* Scope.close(run.scope, Exit.void)
  })

  private readonly running: Running = Effect.suspend(() =>
    this.run === undefined ? Effect.andThen(this.up.await, this.running) : Effect.succeed(this.run.ground)
  )

  private connection(client: Client): Effect.Effect<void> {
    return roads[client.road](this.running, client).pipe(
      Effect.catchCause((cause) =>
        Cause.hasFails(cause)
          ? Effect.map(problemIn(cause), (problem) => {
              client.problem = problemDetails(problem)
            })
          : Effect.failCause(cause as Cause.Cause<never>)
      )
    )
  }

  private fork(effect: Effect.Effect<void>): Fiber.Fiber<void> {
    return Effect.runForkWith(this.base!.context)(effect)
  }

  private leave(client: Client): void {
    this.connections.get(client)?.interruptUnsafe()
    this.connections.delete(client)
  }
}

/** As a real timer has it: what is sent is whole milliseconds, and a jittered delay is not. */
const wholeMillis = (clock: Clock.Clock): Clock.Clock => ({
  ...clock,
  sleep: (duration) => clock.sleep(Duration.millis(Math.ceil(Duration.toMillis(duration))))
})
