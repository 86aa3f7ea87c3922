/** Every knob of a deployment: environment variables, read once at the start. What is polled stands in the config file. */
import { existsSync, statSync } from "node:fs"
import { join } from "node:path"

import { Config, ConfigProvider, Context, Effect, Layer, Option } from "effect"

import { accessConfig, accessOf, isOpenToAnybody, list } from "./Settings/Access.ts"
import { limitsConfig, networkOf } from "./Settings/Limits.ts"
import { sizesConfig } from "./Settings/Sizes.ts"
import { type Tls, tlsProblem } from "./Settings/Tls.ts"
import { whole } from "./Settings/Whole.ts"

export { misspelt } from "./Settings/Misspelt.ts"
export { type Access, accessConfig, accessOf, type Keys } from "./Settings/Access.ts"
export { type Limited, networkOf } from "./Settings/Limits.ts"
export type { Sizes } from "./Settings/Sizes.ts"
export type { Tls } from "./Settings/Tls.ts"

const basePath = (text: string): string => {
  const path = text.replace(/^\/*/, "/").replace(/\/+$/, "")
  return path === "/" ? "" : path
}

/** The page of `/dashboard`: in the package beside the sources, in a clone where it is built to. */
export const dashboardFolder = (): string | undefined =>
  ["../page", "../dist/page"]
    .map((folder) => join(import.meta.dirname, folder))
    .find((folder) => existsSync(join(folder, "page.js")))

const levels = { trace: "Trace", debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

const settings = Config.all({
  host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
  port: whole("PORT", 1, 65_535).pipe(Config.withDefault(8080)),
  /** Everything stands under this path, for life behind a proxy: `/live`, or nothing. */
  basePath: Config.String("BASE_PATH").pipe(Config.withDefault(""), Config.map(basePath)),
  /** Pages of these origins may read across origins and open WebSockets; `*` for all, without credentials. */
  origins: Config.String("ORIGINS").pipe(
    Config.withDefault(""),
    // `https://app.example.com/` is what people copy; a browser sends no slash.
    Config.map((text): ReadonlySet<string> => new Set(list(text).map((item) => item.replace(/\/+$/, ""))))
  ),
  access: accessConfig,
  limits: limitsConfig,
  sizes: sizesConfig,
  /** PEM files; with both the daemon speaks TLS, HTTP/2 and HTTP/1.1. */
  tlsKeyFile: Config.option(Config.String("TLS_KEY_FILE")),
  tlsCertFile: Config.option(Config.String("TLS_CERT_FILE")),
  /** Where metrics and docs are, once HOST is not loopback. */
  adminHost: Config.String("ADMIN_HOST").pipe(Config.withDefault("127.0.0.1")),
  adminPort: whole("ADMIN_PORT", 1, 65_535).pipe(Config.withDefault(9090)),
  /** Whether a stream's connection may leave node:http: less memory per reader, by Node's internals. */
  detach: Config.Boolean("DETACH").pipe(Config.withDefault(true)),
  /** More than one: readers are served by so many threads, which share the port. */
  threads: whole("RATECAST_THREADS", 1, 64).pipe(Config.withDefault(1)),
  /** The folder of the journal; `none` keeps nothing beyond this process. */
  data: Config.String("RATECAST_DATA").pipe(Config.withDefault("./data")),
  /** What to do without a journal that works: stop, or go on in memory only. */
  journalFailure: Config.Literals(["stop", "memory"], "JOURNAL_FAILURE").pipe(Config.withDefault("stop")),
  /** Written collections whose rows may be deleted where the config has no place for them any more. */
  forgetWritten: Config.String("FORGET_WRITTEN").pipe(
    Config.withDefault(""),
    Config.map((text): ReadonlySet<string> => new Set(list(text)))
  ),
  /** Answers of upstreams of at least this many bytes, unpacked, are read in a thread of their own. */
  bodyThreadBytes: whole("BODY_THREAD_BYTES", 0, Number.MAX_SAFE_INTEGER).pipe(Config.withDefault(500_000)),
  /** Whether the page that shows collections, sources and readers is at `/dashboard`. */
  dashboard: Config.Boolean("DASHBOARD").pipe(Config.withDefault(false)),
  /** A folder whose files are served at `/`. */
  page: Config.option(Config.String("PAGE")),
  logFormat: Config.option(Config.Literals(["json", "pretty"], "LOG_FORMAT")),
  logLevel: Config.option(
    Config.Literals(["trace", "debug", "info", "warn", "error"], "LOG_LEVEL").pipe(
      Config.map((level) => levels[level])
    )
  )
})

/** The names of all of them. Nothing is set while they are read for this, so each is asked for. */
export const settingNames: Effect.Effect<ReadonlySet<string>> = Effect.suspend(() => {
  const names = new Set<string>()
  const empty = ConfigProvider.make((path) => {
    names.add(path.join("_"))
    return Effect.undefined
  })
  return Effect.as(Effect.ignore(settings.parse(empty)), names)
})

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)

export class Settings extends Context.Service<Settings, Effect.Success<typeof settings>>()(
  "ratecast/Settings"
) {
  static readonly layer = Layer.effect(Settings, settings)
}

/** Metrics and docs are for operators: on the main listener only while nobody else can reach it. */
export const hasAdminListener = ({ host }: Settings["Service"]): boolean => !isLoopback(host)

export const tlsOf = ({ tlsCertFile, tlsKeyFile }: Settings["Service"]): Tls | undefined =>
  Option.isSome(tlsCertFile) && Option.isSome(tlsKeyFile)
    ? { keyFile: tlsKeyFile.value, certFile: tlsCertFile.value }
    : undefined

/** What is wrong with settings that are each of the right shape; `undefined` where nothing is. */
export const contradiction = (settings: Settings["Service"]): string | undefined => {
  const { adminHost, adminPort, basePath, host, origins, page, port, threads, tlsCertFile, tlsKeyFile } =
    settings
  if (Option.isSome(tlsKeyFile) !== Option.isSome(tlsCertFile)) {
    const [given, missing] = Option.isSome(tlsKeyFile)
      ? ["TLS_KEY_FILE", "TLS_CERT_FILE"]
      : ["TLS_CERT_FILE", "TLS_KEY_FILE"]
    return `${given} is set and ${missing} is not; TLS needs both, plain HTTP neither`
  }
  for (const [name, file] of [
    ["TLS_KEY_FILE", tlsKeyFile],
    ["TLS_CERT_FILE", tlsCertFile]
  ] as const) {
    if (Option.isSome(file) && !existsSync(file.value)) return `${name}: there is no file ${file.value}`
  }
  const tls = tlsOf(settings)
  const odd = tls === undefined ? undefined : tlsProblem(tls)
  if (odd !== undefined) return odd
  if (Option.isSome(page) && !(existsSync(page.value) && statSync(page.value).isDirectory()))
    return `PAGE: there is no folder ${page.value}`
  if (settings.dashboard && dashboardFolder() === undefined)
    return `DASHBOARD: the page is not built; run: node tools/page-build.mjs`
  if (threads > 1 && process.platform !== "linux")
    return `RATECAST_THREADS is ${threads}; threads can share a port (SO_REUSEPORT) on Linux only, elsewhere it is 1`
  if (hasAdminListener(settings) && adminPort === port && (adminHost === host || host === "0.0.0.0"))
    return `ADMIN_PORT is PORT, ${port}; metrics and docs need one of their own: ADMIN_PORT=${port + 1}`
  if (!/^(\/[A-Za-z0-9._~-]+)*$/.test(basePath)) return `BASE_PATH: ${basePath} is no path such as /live`
  const origin = [...origins].find((origin) => origin !== "*" && URL.parse(origin)?.origin !== origin)
  if (origin !== undefined) return `ORIGINS: ${origin} is no origin such as https://app.example.com`
  const proxy = settings.limits.trustedProxies.find((text) => networkOf(text) === undefined)
  if (proxy !== undefined) return `TRUSTED_PROXIES: ${proxy} is no address, nor a network such as 10.0.0.0/8`
  const access = accessOf(settings.access)
  if (typeof access === "string") return access
  return isOpenToAnybody(access) ? undefined : nobodyMay
}

const nobodyMay =
  "nobody may do anything: set ANONYMOUS_READ='*' for everybody to read everything, or say how tokens are checked with " +
  "JWT_SECRET, JWT_PUBLIC_KEY or JWKS_URL, or API_KEY for a backend"
