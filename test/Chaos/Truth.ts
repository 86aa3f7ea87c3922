/** The upstream's rows, and what they were at every version it has ever answered with. */
import { fromScaled, toScaled } from "../../src/Config.ts"
import type { Dice } from "../Hub/World.ts"
import { digestOf, type Part, partsFrom, project, type Query, type Row, type Rows } from "./Query.ts"

/** Rows look like this from the first to the last version given, though not always in between. */
interface Span {
  readonly first: number
  readonly last: number
}

const nasty = ["__proto__", "a,b/c", "🙂", "constructor", "10"]

export class Truth {
  isFrozen = false
  isFlooding = false
  private readonly dice: Dice
  private readonly queries: ReadonlyArray<Query>
  private readonly pools: number
  private readonly rows = new Map<string, Map<string, Row>>()
  private readonly versions = new Map<string, number>()
  /** By query and source: every digest that was ever true. */
  private readonly seen = new Map<string, Map<string, Span>>()
  private count = 0

  constructor(dice: Dice, queries: ReadonlyArray<Query>, pools: number) {
    this.dice = dice
    this.queries = queries
    this.pools = pools
    const ids = [...nasty, ...Array.from({ length: pools - nasty.length }, (_, i) => `p${i}`)]
    this.rows.set("pools", new Map(ids.map((id) => [id, this.pool(id)])))
    this.publish("pools")
  }

  /** What the upstream answers now; the next moment it will be something else. */
  answer(source: string): ReadonlyArray<Row> {
    if (!this.rows.has(source)) this.rows.set(source, new Map())
    if ((this.versions.get(source) ?? 0) === 0 || (!this.isFrozen && this.dice.chance(0.85))) {
      if (source === "pools") this.stirPools()
      else if (source === "bulk") this.stirBulk()
      else this.stirFew(source)
      this.publish(source)
    }
    return [...this.rows.get(source)!.values()]
  }

  get steps(): number {
    return [...this.versions.values()].reduce((sum, version) => sum + version, 0)
  }

  /** `undefined`: the upstream has never said so. */
  spanOf(query: Query, source: string, digest: string): Span | undefined {
    return this.seen.get(`${source} ${query.search}`)?.get(digest)
  }

  versionOf(source: string): number {
    return this.versions.get(source) ?? 0
  }

  /** Now. */
  shown(part: Part): Map<string, Row> {
    return project(this.collection(part.collection), part)
  }

  private collection(name: string): Rows {
    if (name !== "total") return this.rows.get(name) ?? new Map()
    const pools = this.rows.get("pools")!
    const sum = [...pools.values()].reduce((sum, { rate }) => sum + toScaled(rate as string, 3), 0n)
    return new Map([["all", { id: "all", rate: fromScaled(sum, 3), pools: pools.size }]])
  }

  private publish(source: string): void {
    const version = (this.versions.get(source) ?? 0) + 1
    this.versions.set(source, version)
    for (const query of this.queries) {
      const parts = partsFrom(query, source)
      if (parts.length === 0) continue
      const digest = parts.map((part) => digestOf(this.shown(part))).join()
      const name = `${source} ${query.search}`
      const spans = this.seen.get(name) ?? new Map<string, Span>()
      this.seen.set(name, spans)
      spans.set(digest, { first: spans.get(digest)?.first ?? version, last: version })
    }
  }

  private pool(id: string): Row {
    const { dice } = this
    const note = dice.pick([undefined, undefined, null, [1, { a: 2 }], "x"])
    return {
      id,
      type: id.length % 2 === 0 ? "stable" : "volatile",
      // The last digit may be 0, and has to stay.
      rate: `${dice.int(1_000)}.${String(dice.int(1_000)).padStart(3, "0")}`,
      n: this.count++,
      ...(note === undefined ? {} : { note })
    }
  }

  private stirPools(): void {
    const { dice } = this
    const pools = this.rows.get("pools")!
    for (let n = 1 + dice.int(10); n > 0; n--) {
      const id = dice.pick([...pools.keys()])
      const old = pools.get(id)!
      pools.set(id, dice.chance(0.6) ? { ...old, n: this.count++ } : this.pool(id))
    }
    // Of twice as many ids one comes or goes, so that in the long run half of them are there.
    const id = dice.chance(0.2) ? dice.pick(nasty) : `p${dice.int(2 * this.pools)}`
    if (!pools.delete(id)) pools.set(id, this.pool(id))
  }

  /** All of them, as long as they are wanted: texts of which no two are alike. */
  private stirBulk(): void {
    const rows = this.rows.get("bulk")!
    for (let at = 0; at < (this.isFlooding ? 100 : 1); at++) {
      const text = Array.from({ length: 1_000 }, () => this.dice.int(2 ** 31).toString(36)).join(" ")
      rows.set(`b${at}`, { id: `b${at}`, text, n: this.count++ })
    }
  }

  private stirFew(source: string): void {
    const { dice } = this
    const rows = this.rows.get(source)!
    for (let n = 1 + dice.int(4); n > 0; n--) {
      const id = `${source}-${dice.int(20)}`
      if (dice.chance(0.3)) rows.delete(id)
      else {
        const type = source === "typed" ? { type: dice.pick(["a", "b", null]) } : {}
        rows.set(id, { id, ...type, n: this.count++ })
      }
    }
  }
}
