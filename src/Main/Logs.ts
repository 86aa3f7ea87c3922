/** Logs: for people in a terminal, a line of JSON each everywhere else. */
import { Effect, Layer, Logger, Option, References } from "effect"

import { Settings } from "../Settings.ts"

/** Whether a person reads along: as LOG_FORMAT says, or else where there is a terminal. */
export const isForPeople = (logFormat: Option.Option<"json" | "pretty">): boolean =>
  Option.getOrElse(logFormat, () => (process.stdout.isTTY ? "pretty" : "json")) === "pretty"

export const layerLogs = Layer.unwrap(
  Effect.map(Settings, ({ logFormat, logLevel }) => {
    const pretty = isForPeople(logFormat)
    return Layer.mergeAll(
      Logger.layer([pretty ? Logger.consolePretty() : Logger.consoleJson]),
      // Without it `--log-level` counts.
      Option.match(logLevel, {
        onNone: () => Layer.empty,
        onSome: (level) => Layer.succeed(References.MinimumLogLevel, level)
      })
    )
  })
)
