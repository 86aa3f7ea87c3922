/**
 * What the tests of the edge stand on: a real daemon over a real upstream with one collection of every kind. Nothing
 * happens by itself: a commit is made by changing what the upstream says and asking for a refresh.
 */
import * as http from "node:http"

import { type Layer, Schema } from "effect"

import { type Config, Decimal, defineConfig, derived, polled, source } from "../../src/Config.ts"
import type { Journal } from "../../src/Hub.ts"
import { EventClient, type EventOptions, type Headers, PollClient, SocketClient, Wire } from "../Clients.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { type RawOptions, RawSocket } from "../Frames.ts"
import { canonicalText, type Held } from "../Held.ts"

export interface Pool {
  readonly id: string
  readonly type: string
  readonly venue: string | null
  readonly rate: string
  readonly volume?: number
  readonly note?: unknown
}

const Pool = Schema.Struct({
  id: Schema.String,
  type: Schema.String,
  venue: Schema.NullOr(Schema.String),
  rate: Decimal,
  volume: Schema.optionalKey(Schema.Finite),
  note: Schema.optionalKey(Schema.Json)
})

export const pool = (id: string, more: Partial<Pool> = {}): Pool => ({
  id,
  type: "stable",
  venue: "north",
  rate: "1.0",
  ...more
})

interface Options {
  readonly env?: { readonly [name: string]: string }
  readonly maxMembers?: number
  readonly forgetAfter?: "300 millis" | "1 minute"
  readonly memory?: Parameters<typeof startDaemon>[2]
  /** What outlives a restart. */
  readonly journal?: Layer.Layer<Journal>
}

// Polls that nobody asks for come long after the tests are over.
const still = { every: "10 hours", refreshEvery: 0, retries: 0 } as const

const configOf = (url: string, { forgetAfter = "1 minute", maxMembers = 100 }: Options) => {
  const pools = polled({
    source: source({ url: `${url}/pools`, ...still }),
    key: "id",
    row: Pool,
    fixed: ["type", "venue"],
    allowEmpty: true,
    minKeep: 0
  })
  const types = derived({
    from: { pools },
    key: "type",
    fixed: ["type"],
    row: Schema.Struct({ type: Schema.String, count: Schema.Int }),
    rows: ({ pools }) => {
      const counts = new Map<string, number>()
      for (const [, { type }] of pools) counts.set(type, (counts.get(type) ?? 0) + 1)
      return [...counts].map(([type, count]) => ({ key: type, row: { type, count } }))
    }
  })
  const wide = polled({
    source: source({ url: `${url}/wide`, ...still }),
    key: "id",
    row: Schema.Struct({ id: Schema.String, text: Schema.String }),
    allowEmpty: true,
    minKeep: 0
  })
  const silent = polled({
    source: source({ url: `${url}/silent`, ...still, timeout: "10 hours" }),
    key: "id",
    row: Schema.Struct({ id: Schema.String }),
    required: false
  })
  const order = polled({
    source: source({ url: `${url}/orders/{id}`, ...still, maxMembers, forgetAfter }),
    key: "id",
    row: Schema.Struct({ id: Schema.String, amount: Decimal }),
    allowEmpty: true,
    minKeep: 0
  })
  return defineConfig({ collections: { pools, types, wide, silent, "order:{id}": order } })
}

export class Market {
  readonly backend: Backend
  daemon: Daemon
  /** What the upstream says, by path; what it does not know it has no rows of. */
  readonly bodies: Map<string, unknown>
  /** What the upstream was asked for. */
  readonly asked: Array<string>
  private opened: Array<() => void> = []
  private readonly start: (env?: { readonly PORT: string }) => Promise<Daemon>

  private constructor(
    backend: Backend,
    daemon: Daemon,
    bodies: Map<string, unknown>,
    asked: Array<string>,
    start: Market["start"]
  ) {
    this.backend = backend
    this.daemon = daemon
    this.bodies = bodies
    this.asked = asked
    this.start = start
  }

  static async open(pools: ReadonlyArray<Pool> = [], options: Options = {}): Promise<Market> {
    const bodies = new Map<string, unknown>([["/pools", pools]])
    const asked: Array<string> = []
    const backend = await new Backend().start()
    backend.handler = (request, response) => {
      asked.push(request.url!)
      if (request.url === "/silent") return
      const body = bodies.get(request.url!) ?? []
      response.statusCode = typeof body === "number" ? body : 200
      response.end(JSON.stringify(body))
    }
    const config = configOf(backend.url, options) as Config
    const start: Market["start"] = (env) =>
      startDaemon(config, { ...options.env, ...env }, options.memory, options.journal)
    const market = new Market(backend, await start(), bodies, asked, start)
    await market.isReady()
    return market
  }

  private async isReady(): Promise<void> {
    await until("ready", async () => (await fetch(this.at("/readyz"))).ok)
  }

  /** Ends the daemon, and starts another at the same place. */
  async restart(meanwhile?: () => Promise<void>): Promise<void> {
    await this.daemon.close()
    await meanwhile?.()
    this.daemon = await this.start({ PORT: String(this.port) })
    await this.isReady()
  }

  async close(): Promise<void> {
    await this.leave()
    await this.end()
  }

  /** Whatever is still open. */
  async end(): Promise<void> {
    await this.daemon.close()
    await this.backend.close()
  }

  /** Everybody leaves; fails where a reader is left. */
  async leave(): Promise<void> {
    for (const close of this.opened) close()
    this.opened = []
    await this.isLeft()
  }

  get port(): number {
    return this.daemon.port
  }

  at(path: string): string {
    return `${this.daemon.url}${path}`
  }

  get(path: string, headers: Headers = {}): Promise<Response> {
    return fetch(this.at(path), { headers })
  }

  async stream(search = "", options: EventOptions = {}): Promise<EventClient> {
    const client = await EventClient.open(this.at(`/v1/stream?${search}`), options)
    this.opened.push(() => client.close())
    return client
  }

  async socket(search = "", protocols: ReadonlyArray<string> = [], from?: Held): Promise<SocketClient> {
    const client = await SocketClient.open(this.at(`/v1/socket?${search}`), protocols, from)
    this.opened.push(() => client.close())
    return client
  }

  async rawSocket(search = "", options: RawOptions = {}): Promise<RawSocket> {
    const client = await RawSocket.open(this.port, `/v1/socket?${search}`, options)
    this.opened.push(() => client.vanish())
    return client
  }

  async wire(): Promise<Wire> {
    const wire = await Wire.open(this.port)
    this.opened.push(() => wire.socket.destroy())
    return wire
  }

  /** A long poll that holds what the first answer said. */
  async poll(search = ""): Promise<PollClient> {
    const client = new PollClient(this.at(`/v1/changes?${search}`))
    await client.ask()
    return client
  }

  /** The upstream says this from now on, and is asked. */
  async commit(collection: string, rows: unknown): Promise<number> {
    const path = collection.startsWith("order:") ? `/orders/${collection.slice(6)}` : `/${collection}`
    this.bodies.set(path, rows)
    return this.refresh(collection)
  }

  async refresh(collection: string): Promise<number> {
    const answer = await fetch(this.at(`/v1/refresh/${collection}`), { method: "POST" })
    const { revision } = (await answer.json()) as { readonly revision: number }
    return revision
  }

  async snapshot(search = ""): Promise<Snapshot> {
    const answer = await this.get(`/v1/snapshot${search}`)
    if (answer.status !== 200) throw new Error(`${search} was answered ${answer.status}`)
    return (await answer.json()) as Snapshot
  }

  /** How many readers the daemon has. Its gauge moves with its loop, so that is woken first. */
  async readers(): Promise<number> {
    this.daemon.hub.after(0, () => {})
    const text = await (await this.get("/metrics")).text()
    return Number(/^hub_readers (\d+)$/m.exec(text)?.[1] ?? 0)
  }

  async isLeft(ms = 2_000): Promise<void> {
    await until("no reader is left", async () => (await this.readers()) === 0, ms)
  }
}

/** A daemon for one test that may spoil it. */
export const alone = async (
  pools: ReadonlyArray<Pool>,
  options: Options,
  run: (market: Market) => Promise<void>
): Promise<void> => {
  const market = await Market.open(pools, options)
  await run(market).finally(() => market.end())
}

export interface Snapshot {
  readonly type: "snapshot"
  readonly cursor: string
  readonly reason: string
  readonly collections: {
    readonly [name: string]: {
      readonly state: string
      readonly asOf?: number
      readonly rows: { readonly [key: string]: { readonly [field: string]: unknown } }
    }
  }
}

/** What a client holds of a collection, as text that can be compared. */
export const heldRows = (held: Held, collection: string): ReadonlyMap<string, string> =>
  new Map([...(held.canonical().get(collection) ?? [])].toSorted())

/** The same of rows by key. */
export const textOf = (rows: { readonly [key: string]: unknown }): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(rows)
      .map(([key, row]) => [key, canonicalText(row)] as const)
      .toSorted()
  )

/** Rows by key, as an upstream's list has them. */
export const byId = (rows: ReadonlyArray<{ readonly id: string }>): { readonly [key: string]: unknown } =>
  Object.fromEntries(rows.map((row) => [row.id, row]))

/** One after the other. */
export const inTurn = <A, B>(items: Iterable<A>, run: (item: A) => Promise<B>): Promise<Array<B>> =>
  [...items].reduce(
    async (before, item) => [...(await before), await run(item)],
    Promise.resolve<Array<B>>([])
  )

export const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

/** What was answered, and after how many ms. */
export const timed = async <A>(answer: Promise<A>): Promise<readonly [A, number]> => {
  const began = performance.now()
  return [await answer, performance.now() - began]
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** A request that keeps nothing: node:http without an agent, for what fetch does not let through. */
export const ask = (
  url: string,
  options: http.RequestOptions = {}
): Promise<{ readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: string }> =>
  new Promise((done, fail) => {
    const request = http.request(url, { agent: false, ...options }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => (body += text))
      response.on("end", () => done({ status: response.statusCode!, headers: response.headers, body }))
      response.on("error", fail)
    })
    request.on("error", fail)
    request.end()
  })
