/** What stops the start, said to a person: the message alone, on stderr, and exit code 1. As JSON where that is asked for. */
import {
  Cause,
  Config,
  Console,
  Data,
  DateTime,
  Effect,
  Exit,
  Option,
  Runtime,
  Schema,
  SchemaIssue
} from "effect"
import type { ServeError } from "effect/http/HttpServerError"

import type { Settings } from "../Settings.ts"
import { freePortAfter } from "./FreePort.ts"

class Stopped extends Data.Error<{}> {
  override readonly [Runtime.errorReported] = false
  override readonly [Runtime.errorExitCode] = 1
}

/** Read by itself: it may be the settings that are wrong. */
const asJson = Config.option(Config.String("LOG_FORMAT")).pipe(
  Effect.map(Option.contains("json")),
  Effect.orElseSucceed(() => false)
)

export const fatal = Effect.fnUntraced(function* (message: string): Effect.fn.Return<never, Stopped> {
  const timestamp = DateTime.formatIso(yield* DateTime.now)
  yield* Console.error((yield* asJson) ? JSON.stringify({ message, level: "FATAL", timestamp }) : message)
  return yield* new Stopped()
})

export const cannotListen = Effect.fnUntraced(function* (
  error: ServeError,
  { adminHost, adminPort, host, port }: Settings["Service"]
): Effect.fn.Return<string> {
  const cause = error.cause as NodeJS.ErrnoException & { readonly port?: number }
  switch (cause.code) {
    case "EADDRINUSE":
      return cause.port === undefined || cause.port === port
        ? `port ${port} on ${host} is taken; choose another with PORT${assigned(yield* freePortAfter(host, port, adminPort))}`
        : `port ${cause.port} for metrics and docs is taken; choose another with ADMIN_PORT${assigned(yield* freePortAfter(adminHost, cause.port, port))}`
    case "EACCES":
      return `port ${port} is not ours to listen on; choose one above 1023: PORT=8080`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is not an address of this machine; HOST=127.0.0.1 or HOST=0.0.0.0`
    default:
      return `cannot serve on ${host}:${port}: ${cause.message}`
  }
})

const assigned = (port: number | undefined): string => (port === undefined ? "" : `=${port}`)

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** `PORT: expected …`, a line for each setting that is not understood. */
export const badSettings = ({ cause }: Config.ConfigError): string =>
  cause instanceof Schema.SchemaError
    ? issuesOf(cause.issue)
        .issues.map(
          ({ message, path = [] }) =>
            `${path.map(String).join(".")}: ${message.charAt(0).toLowerCase()}${message.slice(1)}`
        )
        .join("\n")
    : String(cause)

/** A daemon that was asked to stop and did has done well. */
export const teardown = (exit: Exit.Exit<unknown, unknown>, onExit: (code: number) => void): void =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? onExit(0)
    : Runtime.defaultTeardown(exit, onExit)
