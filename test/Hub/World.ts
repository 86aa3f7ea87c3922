/**
 * A random world for one hub: rows of every kind under every kind of key, commits, queries, and a ledger that knows what
 * was true at every revision. One seed is one world.
 */
import { type Collection, type Commit, type Delta, type Edit, field, type Row } from "../../src/Collection.ts"
import { makeQuery, type Part, type Query } from "../../src/Hub/Query.ts"
import { canonicalText, type Held } from "../Held.ts"

export type Random = () => number

/** mulberry32: small, fast, and the same everywhere. */
export const seeded = (seed: number): Random => {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = a
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const nastyKeys = [
  "__proto__",
  "",
  "17",
  "a,b/c\n",
  "constructor",
  "\ud800",
  "\u2028",
  "k".repeat(300),
  "🙂",
  "toString",
  "10",
  "9",
  "x\0y"
]
const values: ReadonlyArray<Row[string] | undefined> = [
  undefined,
  null,
  0,
  1,
  -1.5,
  "",
  "1.10",
  true,
  false,
  [1, [2]],
  [1, [3]],
  { a: { b: 1 } },
  { a: { b: 2 } },
  JSON.parse('{"__proto__":{"a":1}}') as Row
]
const types = ["stable", "volatile", "null", null, 1, true]

export const catalog: ReadonlyMap<string, Collection> = new Map(
  [
    {
      name: "pools",
      kind: "polled" as const,
      key: "id",
      fields: ["id", "type", "venue", "rate", "apr"],
      fixed: new Set(["type", "venue"])
    },
    { name: "rates", kind: "derived" as const, key: "id", fields: ["id", "rate"], fixed: new Set<string>() }
  ].map((collection) => [collection.name, collection])
)
const orders = {
  kind: "polled" as const,
  key: "id",
  fields: ["id", "type", "rate"],
  fixed: new Set(["type"])
}
export const collections: ReadonlyArray<Collection> = [...catalog.values(), { ...orders, name: "order" }]
export const describe = (name: string): Collection => catalog.get(name) ?? { ...orders, name }

export class Dice {
  readonly next: Random
  constructor(seed: number) {
    this.next = seeded(seed)
  }
  int(n: number): number {
    return Math.floor(this.next() * n)
  }
  pick<A>(items: ReadonlyArray<A>): A {
    return items[this.int(items.length)]!
  }
  chance(p: number): boolean {
    return this.next() < p
  }
}

type Tables = ReadonlyMap<string, ReadonlyMap<string, Row>>

export class World {
  private readonly dice: Dice
  private readonly keys: number

  /** `keys`: in play; many of them push tombstones past the floor. */
  constructor(dice: Dice, keys: number) {
    this.dice = dice
    this.keys = keys
  }

  key(): string {
    return this.dice.chance(0.3) ? this.dice.pick(nastyKeys) : `k${this.dice.int(this.keys)}`
  }

  query(): Query {
    const named = ["pools", "rates", "order:1", "order:77"].filter(() => this.dice.chance(0.5))
    if (named.length === 0) named.push("pools")
    return makeQuery(
      named.map((name) => [name, this.part(describe(name))] as const),
      this.dice.chance(0.2) ? [["order:*", this.part(describe("order:"))] as const] : []
    )
  }

  commit(tables: Tables, at: number): Commit {
    const names = new Set([this.name(), ...(this.dice.chance(0.3) ? [this.name()] : [])])
    const deltas = new Map(
      [...names].map((name) => [name, this.delta(describe(name), tables.get(name) ?? new Map())])
    )
    return { at, deltas, asOf: new Map() }
  }

  private name(): string {
    return this.dice.chance(0.15) ? `order:${this.dice.int(4)}` : this.dice.chance(0.7) ? "pools" : "rates"
  }

  private row(collection: Collection, id: string): Row {
    const members: Array<[string, Row[string]]> = [[collection.key, id]]
    for (const name of collection.fields) {
      if (name === collection.key) continue
      const value = this.dice.pick(collection.fixed.has(name) ? types : values)
      if (value !== undefined) members.push([name, value])
    }
    return Object.fromEntries(members)
  }

  private delta(collection: Collection, rows: ReadonlyMap<string, Row>): Delta {
    const { dice } = this
    const put = new Map<string, Row>()
    const set = new Map<string, Edit>()
    const gone = new Set<string>()
    const isMember = collection.name.startsWith("order:")
    const wipe = dice.chance(isMember ? 0.2 : 0.02)
    if (wipe) for (const id of rows.keys()) gone.add(id)
    for (let n = wipe ? 0 : 1 + dice.int(4); n > 0; n--) {
      const id = rows.size > 0 && dice.chance(0.6) ? dice.pick([...rows.keys()]) : this.key()
      const old = rows.get(id)
      if (put.has(id) || set.has(id) || gone.has(id)) continue
      if (old === undefined) put.set(id, this.row(collection, id))
      else if (dice.chance(0.3)) gone.add(id)
      else {
        const next = this.row(collection, id)
        const fields = collection.fields.filter(
          (name) => JSON.stringify(field(old, name)) !== JSON.stringify(field(next, name))
        )
        if (fields.length > 0) set.set(id, { row: next, fields })
      }
    }
    const evicted = dice.chance(0.3)
    const delta = { put, set, remove: evicted ? [] : [...gone], evict: evicted ? [...gone] : [] }
    if (wipe && isMember) return { ...delta, health: { state: "loading" } }
    if (!dice.chance(0.1)) return delta
    const stale = { state: "stale", error: { code: "upstream_timeout", detail: "d" } } as const
    return { ...delta, health: dice.chance(0.5) ? { state: "live" } : stale }
  }

  private part(collection: Collection): Part {
    const { dice } = this
    const where = [...collection.fixed]
      .filter(() => dice.chance(0.7))
      .map((name) => [name, dice.pick(["stable", "volatile", "null", "1", "true"])] as const)
    return {
      collection,
      keys: dice.chance(0.25) ? new Set(Array.from({ length: dice.int(5) }, () => this.key())) : undefined,
      fields: dice.chance(0.25)
        ? new Set([collection.key, ...collection.fields.filter(() => dice.chance(0.4))])
        : undefined,
      where: dice.chance(0.4) ? where : []
    }
  }
}

export class Violation extends Error {}

/** What was true at every revision. */
export class Ledger {
  private readonly tables: Array<Tables>
  private readonly health: Array<ReadonlyMap<string, string>>

  constructor(tables: Array<Tables> = [new Map()], health: Array<ReadonlyMap<string, string>> = [new Map()]) {
    this.tables = tables
    this.health = health
  }

  get revision(): number {
    return this.tables.length - 1
  }

  get now(): Tables {
    return this.tables.at(-1)!
  }

  add({ deltas }: Commit): void {
    const tables = new Map(this.now)
    const health = new Map(this.health.at(-1)!)
    for (const [name, delta] of deltas) {
      const rows = new Map(this.now.get(name) ?? [])
      for (const id of [...delta.remove, ...delta.evict]) rows.delete(id)
      for (const [id, row] of delta.put) rows.set(id, row)
      for (const [id, edit] of delta.set) rows.set(id, edit.row)
      tables.set(name, rows)
      if (delta.health !== undefined)
        health.set(name, `${delta.health.state} ${delta.health.error?.code ?? ""}`)
    }
    this.tables.push(tables)
    this.health.push(health)
  }

  /** The same history, up to a revision. */
  until(revision: number): Ledger {
    return new Ledger(this.tables.slice(0, revision + 1), this.health.slice(0, revision + 1))
  }

  /** What a query shows of the rows at a revision. */
  shown(query: Query, revision: number): Map<string, Map<string, string>> {
    const then = this.tables[revision]!
    const shown = new Map<string, Map<string, string>>()
    for (const [name, rows] of then) {
      const part = partOf(query, name)
      const visible = part === undefined ? [] : [...rows].filter(([id, row]) => isShown(part, id, row))
      if (visible.length > 0)
        shown.set(name, new Map(visible.map(([id, row]) => [id, canonicalText(asked(part!, row))])))
    }
    return shown
  }

  states(revision: number): ReadonlyMap<string, string> {
    return this.health[revision]!
  }

  /** Throws a Violation where a client does not hold what the server had at its cursor. */
  check(held: Held, query: Query, what: string): void {
    const revision = Number(held.cursor!.split("-")[1])
    const expected = this.shown(query, revision)
    const actual = held.canonical()
    for (const name of new Set([...this.states(revision).keys(), ...held.states.keys()])) {
      const part = partOf(query, name)
      if (part === undefined) continue
      const first = part.collection.kind === "written" ? "live " : "loading "
      expected.set(`health of ${name}`, new Map([["", this.states(revision).get(name) ?? first]]))
      actual.set(
        `health of ${name}`,
        new Map([["", `${held.states.get(name) ?? "loading"} ${held.errors.get(name) ?? ""}`]])
      )
    }
    if (flat(expected) !== flat(actual)) {
      throw new Violation(`${what} at ${held.cursor}:\n held ${flat(actual)}\n true ${flat(expected)}`)
    }
  }
}

/** Patterns are all members of a family, such as `order:*`. */
const partOf = ({ parts, patterns }: Query, name: string): Part | undefined =>
  parts.get(name) ?? (name.includes(":") ? patterns.get(name.replace(/:.*$/s, ":*")) : undefined)

const isShown = (part: Part, id: string, row: Row): boolean =>
  (part.keys === undefined || part.keys.has(id)) &&
  part.where.every(([name, text]) => {
    const value = field(row, name)
    if (typeof value === "string") return value === text
    return value === null
      ? text === "null"
      : value !== undefined && typeof value !== "object" && String(value) === text
  })

const asked = (part: Part, row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).filter(([name]) => part.fields === undefined || part.fields.has(name))
  )

const byName = (a: readonly [string, unknown], b: readonly [string, unknown]) => (a[0] < b[0] ? -1 : 1)

const flat = (shown: ReadonlyMap<string, ReadonlyMap<string, string>>): string =>
  JSON.stringify(
    [...shown].map(([name, rows]) => [name, [...rows].toSorted(byName)] as const).toSorted(byName)
  )
