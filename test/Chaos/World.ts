/** One run: a daemon over a folder, its upstream behind a proxy, and the crowd that reads. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { freePort } from "../Daemon.ts"
import { Dice } from "../Hub/World.ts"
import { canonicalText } from "../Held.ts"
import { Crowd } from "./Crowd.ts"
import { Oracle } from "./Oracle.ts"
import { bodyOf, Process } from "./Process.ts"
import { Proxy } from "./Proxy.ts"
import { collectionsOf, partsFrom, type Query, type Row, sourceOf } from "./Query.ts"
import { Tally } from "./Tally.ts"
import { Truth } from "./Truth.ts"
import { Upstream } from "./Upstream.ts"

export interface WorldOptions {
  readonly seed: number
  readonly queries: ReadonlyArray<Query>
  /** Of those who are invited. */
  readonly moreQueries?: ReadonlyArray<Query>
  readonly pools: number
  readonly files: number
  /** By default a folder of its own. */
  readonly data?: string
}

/** The machine may be busy with something else; longer than this is a failure of ours. */
export const patience = 60_000

export class World {
  readonly dice: Dice
  readonly tally = new Tally()
  readonly truth: Truth
  readonly oracle: Oracle
  readonly upstream: Upstream
  readonly proxy: Proxy
  readonly daemon: Process
  readonly crowd: Crowd
  private readonly folder: string

  static async make(options: WorldOptions): Promise<World> {
    const dice = new Dice(options.seed)
    const truth = new Truth(
      new Dice(options.seed + 1),
      [...options.queries, ...(options.moreQueries ?? [])],
      options.pools
    )
    const upstream = await new Upstream(dice, truth).start()
    const proxy = await new Proxy(dice, upstream.port).start()
    return new World(options, { dice, truth, upstream, proxy, port: await freePort() })
  }

  private constructor(
    options: WorldOptions,
    parts: Pick<World, "dice" | "truth" | "upstream" | "proxy"> & { readonly port: number }
  ) {
    this.dice = parts.dice
    this.truth = parts.truth
    this.upstream = parts.upstream
    this.proxy = parts.proxy
    this.oracle = new Oracle(this.truth)
    this.folder = mkdtempSync(join(tmpdir(), "ratecast-chaos-"))
    process.once("exit", () => rmSync(this.folder, { recursive: true, force: true }))
    this.daemon = new Process({
      port: parts.port,
      data: options.data ?? this.folder,
      upstream: `http://127.0.0.1:${this.proxy.port}`,
      files: options.files
    })
    this.daemon.onDeath = (why) => this.oracle.violated(why)
    this.crowd = new Crowd(
      { daemon: this.daemon, oracle: this.oracle, tally: this.tally, dice: this.dice },
      options.queries
    )
  }

  /** Whether it came true; a violation where it did not. */
  async wait(what: string, check: () => boolean | Promise<boolean>, ms = patience): Promise<boolean> {
    const end = performance.now() + ms
    while (!(await check())) {
      if (performance.now() > end) {
        this.oracle.violated(`not within ${ms / 1000} s: ${what}`)
        return false
      }
      await pass(20)
    }
    return true
  }

  /** All is well: everybody comes to hold what the daemon holds, and that is what the upstream says. */
  async settle(): Promise<void> {
    const { crowd, daemon, oracle, proxy, truth } = this
    proxy.clear()
    truth.isFrozen = true
    crowd.calm()
    const isSettled = await this.wait("everybody holds what the upstream says", () => crowd.isCurrent)
    if (!isSettled) {
      const behind = crowd.visitors.filter((visitor) => !oracle.isCurrent(visitor))
      for (const { cursor, name, query, states } of behind.slice(0, 5))
        oracle.violated(`${name} of "${query.search}" is at ${cursor}: ${canonicalText([...states])}`)
      return oracle.violated(`${behind.length} of ${crowd.size} clients are not what the upstream is`)
    }
    const answers = new Map<string, string>()
    // Others may be forgotten at any moment.
    const named = crowd.visitors.flatMap(({ query }) => query.parts.map(({ collection }) => collection))
    for (const { cursor, name, query, ...visitor } of crowd.visitors) {
      const collections = collectionsOf(query, named)
      const asked = answers.get(query.search) ?? (await snapshotOf(daemon.url, query, collections))
      answers.set(query.search, asked)
      const truly = textOf(
        collections
          .flatMap((name) => partsFrom(query, sourceOf(name)).filter(({ collection }) => collection === name))
          .map((part) => [part.collection, this.truth.shown(part)])
      )
      const held = textOf(
        collections.map((collection) => [
          collection,
          new Map(
            [...(visitor.rows.get(collection) ?? [])].map(([key, row]) => [key, Object.fromEntries(row)])
          )
        ])
      )
      if (held !== asked) oracle.violated(`${name} at ${cursor} does not hold the daemon's rows`)
      if (held !== truly) oracle.violated(`${name} at ${cursor} does not hold the upstream's rows`)
    }
    this.tally.add("compared row by row", crowd.size)
  }

  /** All leave, and then the daemon. */
  async close(): Promise<void> {
    const { crowd, daemon, oracle, proxy, upstream } = this
    await crowd.stop()
    await this.wait("no reader is left", async () => (await daemon.metric("hub_readers")) === 0)
    const { code, ms } = await daemon.stop()
    if (code !== 0) oracle.violated(`told to stop it went with exit code ${code}`)
    if (ms > 10_000) oracle.violated(`told to stop it took ${ms} ms`)
    this.tally.time("stop", ms)
    await proxy.close()
    await upstream.close()
  }
}

export const pass = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

const textOf = (parts: Iterable<readonly [collection: string, rows: ReadonlyMap<string, Row>]>): string =>
  [...parts]
    .map(([name, rows]) => {
      const lines = [...rows].map(([key, row]) => `${JSON.stringify(key)} ${canonicalText(row)}`)
      return `${name}\n${lines.toSorted().join("\n")}`
    })
    .join("\n")

const snapshotOf = async (url: string, query: Query, names: ReadonlyArray<string>): Promise<string> => {
  const body = await bodyOf(`${url}/v1/snapshot?${query.search}`)
  const { collections } = JSON.parse(body!) as {
    readonly collections: { readonly [name: string]: { readonly rows: { readonly [key: string]: Row } } }
  }
  return textOf(
    names.map((collection) => [collection, new Map(Object.entries(collections[collection]?.rows ?? {}))])
  )
}
