/**
 * A DEX backend to watch at work and to break: serves pools and assets as DeDust v2 does, from a seeded market. It is
 * a process of its own and knows nothing of Ratecast; `simulator/Simulation.ts` starts it inside a test.
 */
import { finished } from "node:stream"

import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Config, Console, Data, Effect, Exit, Option, Runtime } from "effect"
import { Command, Flag } from "effect/cli"

import { faultKinds } from "./simulator/Fault.ts"
import { profileNames, profiles } from "./simulator/Profile.ts"
import { startSimulator } from "./simulator/Simulation.ts"

export { type Simulator, type SimulatorOptions, startSimulator } from "./simulator/Simulation.ts"

class CannotListen extends Data.Error<{}> {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode] = 1
}

const why = ({ code, message }: NodeJS.ErrnoException, port: number): string =>
  code === "EADDRINUSE"
    ? `port ${port} is taken; choose another: --port ${port + 1}, or SIMULATOR_PORT=${port + 1}`
    : code === "EACCES"
      ? `port ${port} is not ours to listen on; choose one above 1023: --port 8081`
      : `cannot listen on port ${port}: ${message}`

const count = (items: ReadonlyArray<unknown>): string => items.length.toLocaleString("en")

const stdinEnds = Effect.callback<void>((resume) => {
  finished(process.stdin.resume(), () => resume(Effect.void))
})

const flags = {
  profile: Flag.Literals("profile", profileNames).pipe(
    Flag.withDefault("demo"),
    Flag.withDescription("How large: demo 60 pools, listed 600, dedust 42,000 of which 6 % are alive")
  ),
  port: Flag.Int("port").pipe(
    Flag.withFallbackConfig(Config.Port("SIMULATOR_PORT").pipe(Config.withDefault(8081))),
    Flag.filter(
      (port) => port >= 0 && port < 65_536,
      () => "a port, or 0 for any that is free"
    ),
    Flag.withDescription("Where to listen on 127.0.0.1; SIMULATOR_PORT, or else 8081")
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(42),
    Flag.withDescription("The same seed makes the same market, swap by swap")
  ),
  speed: Flag.Finite("speed").pipe(
    Flag.filter(
      (speed) => speed >= 0 && speed <= 1000,
      () => "a number from 0 to 1000"
    ),
    Flag.withDefault(1),
    Flag.withDescription("2 is twice as many swaps a second, 0 only those of POST /sim/swap")
  ),
  latency: Flag.Int("latency").pipe(
    Flag.filter(
      (latency) => latency >= 0 && latency <= 60_000,
      () => "milliseconds from 0 to 60000"
    ),
    Flag.optional,
    Flag.withDescription("Median time to answer, ms; by default 15 in demo, 40 in listed, 120 in dedust")
  ),
  fault: Flag.Literals("fault", faultKinds).pipe(
    Flag.withDefault("none"),
    Flag.withDescription("What is wrong from the start; POST /sim/fault changes it")
  ),
  untilStdinEnds: Flag.Boolean("until-stdin-ends").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Stop when stdin does: whoever holds the other end may die in any way")
  )
}

const simulator = Command.make("simulator", flags, ({ latency, untilStdinEnds, ...options }) =>
  Effect.gen(function* () {
    const { url, world } = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => startSimulator({ ...options, ...(Option.isSome(latency) && { latency: latency.value }) }),
        catch: (error) => error as NodeJS.ErrnoException
      }),
      ({ close }) => Effect.promise(close)
    )
    const swaps = Number((profiles[options.profile].swapsPerSecond * options.speed).toPrecision(3))
    yield* Console.log(
      `simulator  ${url}  ${count(world.pools)} pools · ${count(world.assets)} assets · ` +
        `${swaps} swaps/s · seed ${options.seed}`
    )
    yield* untilStdinEnds ? stdinEnds : Effect.never
  }).pipe(
    Effect.scoped,
    Effect.catch((error) =>
      Effect.andThen(Console.error(why(error, options.port)), Effect.fail(new CannotListen()))
    )
  )
).pipe(
  Command.withDescription(
    "A DEX backend to poll and to break: GET /v2/pools-lite, GET /list.json, GET /sim/state"
  ),
  Command.withExamples([
    { command: "node examples/dex/simulator.ts", description: "60 pools on 127.0.0.1:8081" },
    {
      command: "node examples/dex/simulator.ts --profile dedust --latency 300",
      description: "As large as the real one: 13 MB a poll, 94 % of the pools dead"
    },
    {
      command: `curl -X POST -d '{"kind":"status","status":503}' http://127.0.0.1:8081/sim/fault`,
      description: `Break it; {"kind":"none"} mends it`
    },
    {
      command: `curl -X POST -d '{"count":100}' http://127.0.0.1:8081/sim/swap`,
      description: "A hundred swaps at once"
    }
  ])
)

if (import.meta.main) {
  simulator.pipe(
    Command.run({ version: "0.1.0" }),
    Effect.provide(NodeServices.layer),
    NodeRuntime.runMain({
      // Asked to stop and stopped: that went well.
      teardown: (exit, onExit) =>
        Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
          ? onExit(0)
          : Runtime.defaultTeardown(exit, onExit)
    })
  )
}
