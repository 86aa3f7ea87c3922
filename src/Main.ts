/** The commands. What is connected to what stands in `Daemon`: upstream → engine → hub → http. */
import "effect/schema/SchemaJITCompiler/enable"

import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Context, Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"

import packageJson from "../package.json" with { type: "json" }
import { Catalog } from "./Catalog.ts"
import { loadCatalog } from "./Catalog/Load.ts"
import { layerDaemon, layerJournal, layerThreads } from "./Daemon.ts"
import { entryBeside } from "./Entry.ts"
import { Hub } from "./Hub.ts"
import { layerBanner } from "./Main/Banner.ts"
import { hidden } from "./Main/CastMembers.ts"
import { layerCompiled } from "./Main/Compiled.ts"
import { badSettings, cannotListen, fatal, teardown } from "./Main/Fatal.ts"
import { isForPeople, layerLogs } from "./Main/Logs.ts"
import { token } from "./Main/Token.ts"
import { types } from "./Main/Types.ts"
import { layerVitals } from "./Main/Vitals.ts"
import { layerWarnings, warnOfNames } from "./Main/Warnings.ts"
import { contradiction, Settings } from "./Settings.ts"

const daemon = (file: string, { logFormat, threads }: Settings["Service"]) =>
  Layer.mergeAll(layerBanner, layerCompiled, layerVitals, layerWarnings).pipe(
    Layer.provideMerge(
      threads === 1
        ? layerDaemon
        : layerThreads({
            entry: entryBeside("./Main/Thread", import.meta.url),
            config: file,
            logFormat: isForPeople(logFormat) ? "pretty" : "json"
          })
    ),
    Layer.provide(NodeHttpClient.layerUndici),
    Layer.provide(Layer.effect(Catalog, loadCatalog(file))),
    // Its thread starts while the config is loaded.
    Layer.provide(layerJournal),
    Layer.provide(layerLogs)
  )

const config = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withDefault("ratecast.config.ts"),
  Flag.withDescription("The config file: sources and collections")
)

const serve = Command.make("serve", { config }, ({ config }) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    yield* Effect.provide(warnOfNames, layerLogs)
    const wrong = contradiction(settings)
    if (wrong !== undefined) return yield* fatal(wrong)
    yield* Layer.build(daemon(config, settings)).pipe(
      Effect.flatMap((context) => Context.get(context, Hub).failed),
      Effect.scoped,
      Effect.catchTags({
        ServeError: (error) => Effect.flatMap(cannotListen(error, settings), fatal),
        JournalFailed: ({ message }) => fatal(message),
        ThreadFailed: ({ message }) => fatal(message),
        BadKey: ({ detail }) => fatal(detail)
      })
    )
  }).pipe(
    Effect.provide(Settings.layer),
    Effect.catchTags({
      ConfigMistake: ({ message }) => fatal(message),
      ConfigError: (error) => fatal(badSettings(error))
    })
  )
).pipe(
  Command.withDescription("Polls the sources and serves the collections"),
  Command.withExamples([
    { command: "npx ratecast serve --config ratecast.config.ts", description: "On 127.0.0.1:8080" },
    {
      command: "HOST=0.0.0.0 PORT=80 npx ratecast serve",
      description: "For everybody; metrics and docs stay on 127.0.0.1:9090"
    }
  ])
)

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`

const check = Command.make("check", { config }, ({ config }) =>
  loadCatalog(config).pipe(
    Effect.flatMap((catalog) => {
      const odd = hidden(catalog)
      const there = `${count(catalog.declared.size, "collection")} from ${count(catalog.sources.size, "source")}`
      return Console.log(
        odd.length === 0
          ? `${config}: ${there}, all well`
          : [
              `${config}: ${there}, with ${count(odd.length, "warning")}`,
              ...odd.map((line) => `  ${line}`)
            ].join("\n")
      )
    }),
    Effect.catchTag("ConfigMistake", ({ message }) => fatal(message))
  )
).pipe(
  Command.withDescription("Says what is wrong with a config, without starting"),
  Command.withExamples([
    { command: "npx ratecast check --config ratecast.config.ts", description: "Every mistake with its path" }
  ])
)

Command.make("ratecast").pipe(
  Command.withDescription(
    "Poll once, cast to all: polls an API once and casts what changed to every browser. Settings are environment variables (HOST, PORT, RATECAST_DATA, ...): docs/operations.md"
  ),
  Command.withSubcommands([serve, check, types(config), token]),
  Command.run({ version: packageJson.version }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({ teardown })
)
