/**
 * Holds every client against all others and against the upstream, at every message: whoever asks the same and stands at the
 * same cursor holds the same rows, before and after any restart, and rows that the upstream has once answered with.
 */
import type { Held } from "../Held.ts"
import type { Digest } from "./Digest.ts"
import { collectionsOf, partsFrom, type Query, sourceOf } from "./Query.ts"
import type { Truth } from "./Truth.ts"

export interface Witness {
  readonly name: string
  readonly query: Query
  readonly held: Held
  readonly digests: ReadonlyMap<string, Digest>
  /** By source: the first version that its rows may be of. */
  readonly versions: Map<string, number>
}

const empty = "0:0"

export class Oracle {
  readonly violations: Array<string> = []
  onViolation: (what: string) => void = () => {}
  checks = 0
  private readonly truth: Truth
  private readonly told = new Map<string, readonly [digest: string, by: string]>()

  constructor(truth: Truth) {
    this.truth = truth
  }

  /** Places in the history of a query that at least one client has stood at. */
  get places(): number {
    return this.told.size
  }

  violated(what: string): void {
    this.violations.push(what)
    this.onViolation(what)
  }

  check(witness: Witness): void {
    this.checks++
    this.agree(witness)
    for (const source of sourcesOf(witness)) this.wasTrue(witness, source)
  }

  /** Whether all that it holds is what the upstream says now. */
  isCurrent(witness: Witness): boolean {
    const { held, query } = witness
    // A member that nobody reads any more is none that its family is asked for.
    const asked = new Set(query.parts.map(({ collection }) => collection))
    for (const name of shownTo(witness))
      if (held.states.get(name) !== "live" && (asked.has(name) || held.states.get(name) !== "loading"))
        return false
    for (const source of sourcesOf(witness)) {
      if (held.states.get(source) === "loading") continue
      const span = this.truth.spanOf(query, source, digestOf(witness, source))
      if (span?.last !== this.truth.versionOf(source)) return false
    }
    return true
  }

  private agree(witness: Witness): void {
    const { digests, held, name, query } = witness
    const own = shownTo(witness)
      .map((each) => {
        const state = `${held.states.get(each)} ${held.errors.get(each) ?? ""}`
        return `${each} ${digests.get(each)?.text ?? empty} ${state}`
      })
      .join("\n")
    const place = `${query.search} ${held.cursor}`
    const [other, by] = this.told.get(place) ?? []
    if (other === undefined) this.told.set(place, [own, name])
    else if (other !== own)
      this.violated(`at ${held.cursor} of "${query.search}" ${name} holds\n${own}\nand ${by} held\n${other}`)
  }

  private wasTrue(witness: Witness, source: string): void {
    const { held, name, query, versions } = witness
    const parts = partsFrom(query, source)
    const digest = digestOf(witness, source)
    // Nothing was read yet, or nobody has read this member for a while.
    if (parts.every(({ collection }) => held.states.get(collection) === "loading"))
      return digest.split(",").every((each) => each === empty)
        ? undefined
        : this.violated(`${name} holds rows of "${query.search}" that are still loading`)
    const span = this.truth.spanOf(query, source, digest)
    const where = `${name} at ${held.cursor} of "${query.search}"`
    if (span === undefined)
      return this.violated(`${where}: its rows of ${source} are none that the upstream ever had: ${digest}`)
    const before = versions.get(source) ?? 0
    if (span.last < before)
      return this.violated(`${where}: its rows of ${source} went back from ${before} to ${span.last}`)
    versions.set(source, Math.max(before, span.first))
  }
}

/** What it shows; a member of a family that is gone is as one that never was. */
const shownTo = ({ digests, held, query }: Witness): ReadonlyArray<string> => {
  const named = new Set(query.parts.map(({ collection }) => collection))
  return collectionsOf(query, held.states.keys()).filter(
    (name) =>
      named.has(name) || held.states.get(name) !== "loading" || (digests.get(name)?.text ?? empty) !== empty
  )
}

const sourcesOf = (witness: Witness): ReadonlySet<string> => new Set(shownTo(witness).map(sourceOf))

const digestOf = ({ digests, query }: Witness, source: string): string =>
  partsFrom(query, source)
    .map(({ collection }) => digests.get(collection)?.text ?? empty)
    .join()
