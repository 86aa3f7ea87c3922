/**
 * Everything that one cause changes, in all collections at once: what a reading makes of the collections that are polled
 * from it, and then, inputs first, of all that are derived from those. Nothing is committed here.
 */
import { type Catalog, type Declared, declares } from "../Catalog.ts"
import {
  type Commit,
  type Delta,
  familyOf,
  type Health,
  type Row,
  type Rows,
  sameHealth,
  worst
} from "../Collection.ts"
import type { WrittenOptions } from "../Config.ts"
import type { Failure, Notes, Reading, Since } from "../Upstream.ts"
import type { Committed, Past } from "./Board.ts"
import { Derivation } from "./Derivation.ts"
import { diffKeys, diffRows, emptyDelta, oldest, touchesRows } from "./Diff.ts"
import { Intake } from "./Intake.ts"
import { loaded } from "./Loading.ts"
import { Tolerance } from "./Tolerance.ts"

/** What somebody should hear of, though it changes nothing: mistakes of the upstream and of the config. */
export interface Remark {
  readonly collection: string
  readonly notes?: Notes
  readonly mistakes?: ReadonlyArray<string>
  /** Why its rows are old, or still not there. */
  readonly failure?: Failure
  readonly state?: Health["state"]
}

export interface Consequence {
  readonly commit: Commit
  /** Rows that become history without ever having been live, the oldest first. */
  readonly past?: Past
  /** Whether the reading counted for all that is polled from it. */
  readonly counts: boolean
  readonly remarks: ReadonlyArray<Remark>
}

const notDerived: Failure = { code: "upstream_shape", detail: "The rows could not be derived." }

/** A collection that never had rows has none to keep: it goes on loading. */
const failing = (before: Health, { code, detail }: Failure): Health => ({
  state: before.state === "loading" ? "loading" : "stale",
  error: { code, detail }
})

export class Consequences {
  private readonly catalog: Catalog["Service"]
  private readonly intakes = new Map<string, Intake>()
  private readonly tolerances = new Map<string, Tolerance>()
  private readonly derivations = new Map<string, Derivation>()

  constructor(catalog: Catalog["Service"]) {
    this.catalog = catalog
    for (const declared of catalog.declared.values()) {
      const { tolerance } = declared.made.options
      if (tolerance !== undefined && !declared.family)
        this.tolerances.set(declared.name, new Tolerance(tolerance))
      if (declared.made._tag === "Derived") {
        this.derivations.set(declared.name, new Derivation(declared, this.tolerances.get(declared.name)))
      }
    }
  }

  /** `since`: how the source has failed since this reading, which was held back: its rows count, and stay stale. */
  ofReading(committed: Committed, reading: Reading, now: number, since?: Failure): Consequence {
    if (declares(this.catalog, reading.source)?.made._tag === "Written")
      return this.ofLoad(committed, reading, now)
    const deltas = new Map<string, Delta>()
    const asOf = new Map<string, number>()
    const remarks: Array<Remark> = []
    let counts = since === undefined
    for (const name of this.polledFrom(reading.source)) {
      const { delta, failure, notes } = this.polled(committed, name, reading, now)
      counts &&= failure === undefined
      if (notes !== undefined) remarks.push({ collection: name, notes })
      if (failure === undefined && reading.outcome._tag !== "Idle") asOf.set(name, reading.at)
      const before = committed.health(name)
      const failed = failure ?? since
      const good = { state: reading.outcome._tag === "Idle" ? "loading" : "live" } as const
      const health = failed === undefined ? good : failing(before, failed)
      keep(deltas, name, delta, before, health)
      // Only what is told to readers: an upstream that fails in another way each time would fill the log.
      if (failed !== undefined && !sameHealth(before, health))
        remarks.push({ collection: name, failure: failed, state: health.state })
    }
    return { ...this.withDerived(committed, now, deltas, asOf, remarks), counts }
  }

  /** A written collection is read from where its rows were, once: what is there already stays. */
  private ofLoad(committed: Committed, { outcome, source: name }: Reading, now: number): Consequence {
    const before = committed.health(name)
    const deltas = new Map<string, Delta>()
    const remarks: Array<Remark> = []
    const made = () => this.withDerived(committed, now, deltas, new Map(), remarks)
    const fails = (failure: Failure) => {
      keep(deltas, name, emptyDelta, before, failing(before, failure))
      remarks.push({ collection: name, failure })
      return { ...made(), counts: false }
    }
    if (before.state !== "loading") return made()
    if (outcome._tag === "Failed") return fails(outcome.failure)
    if (outcome._tag === "Idle") keep(deltas, name, emptyDelta, before, { state: "loading" })
    if (outcome._tag !== "Bodies") return { ...made(), counts: false }
    const { failure, notes, rows } = outcome.extracts.get(name)!
    remarks.push({ collection: name, notes })
    if (failure !== undefined) return fails(failure)
    const { collection, made: declared } = declares(this.catalog, name)!
    const { delta, past } = loaded(rows, collection.retain!.rows, declared.options as WrittenOptions<Row>)
    keep(deltas, name, delta, before, { state: "live" })
    const consequence = made()
    // One key says that there is history: to name them all would tell readers of rows they never had.
    if (past.length > 0) deltas.set(name, { ...deltas.get(name)!, evict: [past.at(-1)![0]] })
    return { ...consequence, past: { collection: name, rows: past } }
  }

  /**
   * What the config makes of rows that were kept under another one: windows that are smaller now, and derived collections
   * that are new or have another function. `names`: collections in memory; what is paged out has come back where its
   * window is another.
   */
  ofStart(committed: Committed, names: Iterable<string>, now: number): Consequence {
    const deltas = new Map<string, Delta>()
    for (const name of names) {
      const retained = declares(this.catalog, name)!.collection.retain?.rows
      if (retained === undefined) continue
      const held = committed.rows(name)
      const delta = { ...emptyDelta, evict: oldest(held, held.size - retained) }
      if (touchesRows(delta)) deltas.set(name, delta)
    }
    return this.withDerived(committed, now, deltas, new Map(), [], true)
  }

  /** What a write makes of a written collection. */
  ofWrite(committed: Committed, collection: string, delta: Delta, now: number): Consequence {
    const deltas = new Map(touchesRows(delta) ? [[collection, delta]] : [])
    return this.withDerived(committed, now, deltas, new Map(), [])
  }

  /** Rows that have been live for as long as their collection retains them. */
  ofAge(committed: Committed, collection: string, now: number): Consequence {
    const age = declares(this.catalog, collection)!.collection.retain?.age ?? Infinity
    const evict: Array<string> = []
    for (const [key, at] of committed.births(collection)) {
      if (at + age > now) break
      evict.push(key)
    }
    return this.ofWrite(committed, collection, { ...emptyDelta, evict }, now)
  }

  /** Fields that a tolerance in time held back, whose time is over. */
  ofTime(committed: Committed, collection: string, now: number): Consequence {
    const declared = declares(this.catalog, collection)!
    const tolerance = this.tolerances.get(collection)
    // A member of a family may have gone since.
    if (tolerance === undefined) return this.withDerived(committed, now, new Map(), new Map(), [])
    const pending = new Map(tolerance.pending)
    const held = committed.rows(collection)
    // A row that went since then is not brought back by what waited for it.
    const keys = [...pending.keys()].filter((key) => held.has(key))
    tolerance.begin(now)
    const delta = diffKeys(declared.collection.fields, held, keys, (key) => pending.get(key), tolerance.holds)
    tolerance.end(delta, (key) => pending.get(key), pending.keys())
    const deltas = new Map(touchesRows(delta) ? [[collection, delta]] : [])
    return this.withDerived(committed, now, deltas, new Map(), [])
  }

  /** The collections with fields held back in time, and when the first of each may leave, ms since 1970. */
  *due(): Generator<readonly [collection: string, at: number]> {
    for (const [name, tolerance] of this.tolerances) {
      const at = tolerance.due()
      if (at < Infinity) yield [name, at]
    }
  }

  /** Each member of a family has one of its own. */
  private toleranceOf({ made }: Declared, name: string): Tolerance | undefined {
    if (made.options.tolerance === undefined) return undefined
    const tolerance = this.tolerances.get(name) ?? new Tolerance(made.options.tolerance)
    this.tolerances.set(name, tolerance)
    return tolerance
  }

  private polledFrom(source: string): ReadonlyArray<string> {
    return familyOf(source) === undefined ? this.catalog.sources.get(source)!.collections : [source]
  }

  private polled(committed: Committed, name: string, { outcome }: Reading, now: number) {
    const held = committed.rows(name)
    const declared = declares(this.catalog, name)!
    const intake = this.intakes.get(name) ?? new Intake(declared)
    this.intakes.set(name, intake)
    switch (outcome._tag) {
      case "Failed":
        return { delta: emptyDelta, failure: outcome.failure }
      case "Idle":
        this.intakes.delete(name)
        this.tolerances.delete(name)
        return { delta: { ...emptyDelta, evict: [...held.keys()] } }
      case "Unchanged": {
        const verdict = intake.repeat(held)
        if (verdict === undefined) return { delta: emptyDelta }
        if ("failure" in verdict) return { delta: emptyDelta, failure: verdict.failure }
        return { delta: this.diff(declared, name, held, verdict.accepted.rows, now) }
      }
      case "Bodies": {
        const { notes, verdict } = intake.take(
          outcome.extracts.get(name)!,
          held,
          committed.health(name).state === "live"
        )
        return "failure" in verdict
          ? { delta: emptyDelta, failure: verdict.failure, notes }
          : {
              delta: this.diff(declared, name, held, verdict.accepted.rows, now, verdict.accepted.since),
              notes
            }
      }
    }
  }

  private diff(declared: Declared, name: string, held: Rows, next: Rows, now: number, since?: Since): Delta {
    const tolerance = this.toleranceOf(declared, name)
    // What a tolerance held back may be due, in rows that nobody has touched since.
    if (since !== undefined && tolerance === undefined) {
      const keys = [...since.changed.keys(), ...since.gone]
      return diffKeys(declared.collection.fields, held, keys, (key) => next.get(key))
    }
    tolerance?.begin(now)
    const delta = diffRows(declared.collection.fields, held, next, tolerance?.holds)
    tolerance?.end(delta, (key) => next.get(key))
    return delta
  }

  private withDerived(
    committed: Committed,
    now: number,
    deltas: Map<string, Delta>,
    asOf: Map<string, number>,
    remarks: Array<Remark>,
    all = false
  ): Consequence {
    for (const { collection, inputs, name } of this.catalog.declared.values()) {
      const derivation = this.derivations.get(name)
      const names = [...inputs.values()]
      const isCaused = all || names.some((input) => deltas.has(input) || asOf.has(input))
      if (derivation === undefined || !isCaused) continue
      const before = committed.health(name)
      let health = worst(names.map((input) => deltas.get(input)?.health ?? committed.health(input)))
      let delta = emptyDelta
      // Rows made of half the inputs would be wrong, and `loading` has none.
      if (health.state !== "loading") {
        const derived = derivation.run(committed.rows(name), now, (input) => ({
          before: committed.rows(input),
          delta: deltas.get(input)
        }))
        delta = derived.delta
        if (derived.mistakes.length > 0) remarks.push({ collection: name, mistakes: derived.mistakes })
        if (derived.failed) health = failing(before, health.error ?? notDerived)
      }
      keep(deltas, collection.name, delta, before, health)
      if (health.state !== "loading" && (!all || deltas.has(name)))
        asOf.set(name, Math.min(...names.map((input) => asOf.get(input) ?? committed.asOf(input))))
    }
    return { commit: { at: now, deltas, asOf }, remarks, counts: true }
  }
}

/** Only what changes anything is committed. */
const keep = (
  deltas: Map<string, Delta>,
  name: string,
  delta: Delta,
  before: Health,
  health: Health
): void => {
  const changed = !sameHealth(before, health)
  if (changed) deltas.set(name, { ...delta, health })
  else if (touchesRows(delta)) deltas.set(name, delta)
}
