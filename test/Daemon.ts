/** A real daemon on a real port over a real upstream, in this process: for what only sockets can show. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ConfigProvider, Context, Effect, Exit, Layer, Logger, Metric, Scope } from "effect"

import { Catalog, makeCatalog } from "../src/Catalog.ts"
import type { Config } from "../src/Config.ts"
import { layerDaemon } from "../src/Daemon.ts"
import { Hub, HubMemory, Journal } from "../src/Hub.ts"
import { Settings } from "../src/Settings.ts"
import { noFibers, noSockets, readersNow } from "./Residue.ts"

/** Serves JSON that a test can change at any time; counts what it is asked. */
export class Backend {
  body: unknown = []
  /** Answers instead of the body, until it is taken away. */
  handler: ((request: http.IncomingMessage, response: http.ServerResponse) => void) | undefined
  asked = 0
  url = ""
  private readonly server = http.createServer((request, response) => {
    this.asked++
    if (this.handler !== undefined) return this.handler(request, response)
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(this.body))
  })

  async start(): Promise<this> {
    this.url = `http://127.0.0.1:${await listen(this.server)}`
    return this
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((done) => this.server.close(done))
  }
}

const listen = (server: http.Server): Promise<number> =>
  new Promise((done) => server.listen(0, "127.0.0.1", () => done((server.address() as AddressInfo).port)))

export const freePort = async (): Promise<number> => {
  const server = http.createServer()
  const port = await listen(server)
  await new Promise((done) => server.close(done))
  return port
}

export interface Daemon {
  readonly url: string
  readonly port: number
  readonly hub: Hub["Service"]
  readonly logs: ReadonlyArray<string>
  /** The same with all that is annotated, and the causes. */
  readonly lines: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

/** Everybody may read, and come as often as they like. */
const open = {
  ANONYMOUS_READ: "*",
  ANONYMOUS_REFRESH: "*",
  MAX_CONNECTIONS_PER_ADDRESS: "100000",
  MAX_CONNECTIONS_PER_SUBJECT: "100000",
  WRITES_PER_SECOND: "100000",
  WRITE_BURST: "100000",
  MESSAGES_PER_SECOND: "100000",
  AUTH_FAILURES_PER_MINUTE: "100000"
}

export const startDaemon = async (
  config: Config,
  env: { readonly [name: string]: string } = {},
  memory?: typeof HubMemory.Service,
  journal: Layer.Layer<Journal> = Journal.layerNone,
  more: Layer.Layer<never> = Layer.empty
): Promise<Daemon> => {
  const port = Number(env["PORT"] ?? (await freePort()))
  const catalog = makeCatalog(config)
  if (Array.isArray(catalog)) throw new Error(JSON.stringify(catalog))
  const registry: typeof Metric.MetricRegistry.Service = new Map()
  const logs: Array<string> = []
  const lines: Array<string> = []
  const logger = Logger.make((line) => {
    logs.push(`${line.logLevel} ${String(line.message)}`)
    lines.push(Logger.formatLogFmt.log(line))
  })
  const layer = layerDaemon.pipe(
    Layer.provide(NodeHttpClient.layerUndici),
    Layer.provide(Layer.succeed(Catalog, catalog as Catalog["Service"])),
    Layer.provide(journal),
    Layer.provide(memory === undefined ? Layer.empty : Layer.succeed(HubMemory, memory)),
    Layer.provide(Settings.layer),
    Layer.provide(Logger.layer([logger])),
    Layer.provide(more),
    Layer.provide(noFibers),
    Layer.provide(Layer.succeed(Metric.MetricRegistry, registry)),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ PORT: String(port), ...open, ...env })))
  )
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    hub: Context.get(context, Hub),
    logs,
    lines,
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      const readers = Effect.runSync(Effect.provideService(readersNow, Metric.MetricRegistry, registry))
      if (readers > 0) throw new Error(`${readers} readers are left of a closed daemon`)
      noSockets(port)
    }
  }
}

/** Waits for something to become true, looking often; fails by its name when it does not in time. */
export const until = async (
  what: string,
  check: () => boolean | Promise<boolean>,
  ms = 5_000
): Promise<void> => {
  const end = performance.now() + ms
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not in ${ms} ms: ${what}`)
    await new Promise((done) => setTimeout(done, 5))
  }
}
