/**
 * What people import from `ratecast/testing` to test their `ratecast.config.ts`: the real Upstream, RateEngine, Hub and
 * queries on the virtual clock, with upstreams that the test scripts and clients in memory. Works in any test runner.
 *
 * @example
 * const cast = testing(config)
 * cast.upstream("GET https://api.example.com/prices", [{ id: "a", usd: "1" }])
 * const client = await cast.stream("?collections=prices")
 * cast.upstream("GET https://api.example.com/prices", [{ id: "a", usd: "2" }])
 * await cast.advance("10 seconds")
 * client.rows("prices") // { a: { id: "a", usd: "2" } }
 * await cast.close()
 */
import type { Duration } from "effect"

import type { Config } from "./Config.ts"
import type { Write, Wrote } from "./RateEngine.ts"
import { type Answer, durationOf } from "./Testing/Answer.ts"
import { Client, type Road } from "./Testing/Client.ts"
import { catalogOf, startOfTime } from "./Testing/Stage.ts"
import type { ScriptedUpstream, UpstreamRequest } from "./Testing/Upstreams.ts"
import { World } from "./Testing/World.ts"

export { type Answer, reply, type ReplyOptions, unreachable } from "./Testing/Answer.ts"
export type { Client, CollectionState, News } from "./Testing/Client.ts"
export type { Write, Wrote } from "./RateEngine.ts"
export type { Message, Part } from "./Testing/Held.ts"
export { ConfigMistakes, NotScripted, type ProblemDetails, QueryRefused } from "./Testing/Mistakes.ts"
export type { ScriptedUpstream, UpstreamRequest } from "./Testing/Upstreams.ts"

export interface TestingOptions {
  /** What is left to chance (phases, jitter, retry hints) is decided by this. Default 1. */
  readonly seed?: number | string
  /** When it is at the beginning, ms since 1970. Default 1,790,000,000,000: 21 September 2026, 14:13:20 UTC. */
  readonly now?: number
}

/** Throws `ConfigMistakes`, with all of them. */
export const testing = (config: Config, options: TestingOptions = {}): Cast => new Cast(config, options)

/** A daemon in memory. It starts with the first thing that is awaited, and polls at once. */
class Cast implements AsyncDisposable {
  private readonly world: World

  constructor(config: Config, { now = startOfTime, seed = 1 }: TestingOptions) {
    this.world = new World(catalogOf(config), seed, now)
  }

  /**
   * Says what an upstream answers from now on: a value (sent as JSON), `reply({ … })`, `unreachable`, or a function of the
   * request that returns one of these. `"GET https://api.example.com/orders/{id}"`, or `"/orders/{id}"` on any host; with a
   * query it answers only that one. Throws a TypeError on anything else.
   */
  upstream(target: string, answer: Answer | ((request: UpstreamRequest) => Answer)): ScriptedUpstream {
    return this.world.upstreams.script(target, answer)
  }

  /** ms since 1970, of the virtual clock */
  get now(): number {
    return this.world.now
  }

  /** Warnings and errors that the daemon would log, such as a row that was set aside. */
  get logs(): ReadonlyArray<string> {
    return this.world.logs
  }

  /** Lets this much time pass, with everything that happens in it. */
  async advance(duration: Duration.Input): Promise<void> {
    const found = durationOf("advance", duration)
    await this.world.pass(found)
  }

  /** Opens `/v1/stream`. Rejects with `QueryRefused`. */
  stream(query = ""): Promise<Client> {
    return this.join("stream", query)
  }

  /** Opens `/v1/socket` with the query on the URL. Rejects with `QueryRefused`. */
  socket(query = ""): Promise<Client> {
    return this.join("socket", query)
  }

  /** Polls `/v1/changes`, again as soon as it is answered. Rejects with `QueryRefused`. */
  changes(query = ""): Promise<Client> {
    return this.join("changes", query)
  }

  /** Asks `/v1/snapshot` once. Rejects with `QueryRefused`. */
  snapshot(query = ""): Promise<Client> {
    return this.join("snapshot", query)
  }

  /**
   * Writes one row of a written collection: `{ op: "append", collection: "chat", row: { text: "hello" } }`; also `put` and
   * `patch` and `delete`, by `key`. Rejects with what `onWrite` or the collection refuses: an Error with a `code`.
   */
  write(write: Write): Promise<Wrote> {
    return this.world.write(write)
  }

  /**
   * Stops the daemon as a deploy does and starts it over the same journal; clients come back within five seconds, by the
   * virtual clock. With a config it is another one from then on. Throws `ConfigMistakes`.
   */
  async restart(config?: Config): Promise<void> {
    await this.world.restart(config === undefined ? undefined : catalogOf(config))
  }

  /** Ends everything. Nothing is left running, and nothing can be asked any more. */
  close(): Promise<void> {
    return this.world.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async join(road: Road, query: string): Promise<Client> {
    const client = new Client(road, query.replace(/^[^?=]*\?/, ""), this.world)
    await this.world.connect(client)
    return client
  }
}

export type { Cast }
