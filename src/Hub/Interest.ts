/**
 * Whom a commit concerns: collection → audiences, and key → audiences for those that asked for keys. Asking ten thousand
 * private audiences about a commit elsewhere costs 18 ms of nothing; this costs what the commit touched.
 */
import { type Delta, familyOf } from "../Collection.ts"
import { matchesPattern, type Query } from "./Query.ts"

export interface Interested {
  readonly query: Query
}

export class Interest<A extends Interested> {
  /** Everybody who asked for the collection: a change of its state concerns them all. */
  private readonly all = new Map<string, Set<A>>()
  private readonly unkeyed = new Map<string, Set<A>>()
  private readonly keyed = new Map<string, Map<string, Set<A>>>()
  private readonly families = new Map<string, Set<A>>()

  add(audience: A): void {
    for (const [name, part] of audience.query.parts) {
      into(this.all, name).add(audience)
      if (part.keys === undefined) into(this.unkeyed, name).add(audience)
      else {
        const keys = this.keyed.get(name) ?? new Map<string, Set<A>>()
        this.keyed.set(name, keys)
        for (const key of part.keys) into(keys, key).add(audience)
      }
    }
    for (const pattern of audience.query.patterns.keys())
      into(this.families, familyOf(pattern)!.family).add(audience)
  }

  delete(audience: A): void {
    for (const [name, part] of audience.query.parts) {
      outOf(this.all, name, audience)
      if (part.keys === undefined) outOf(this.unkeyed, name, audience)
      else {
        const keys = this.keyed.get(name)
        if (keys === undefined) continue
        for (const key of part.keys) outOf(keys, key, audience)
        if (keys.size === 0) this.keyed.delete(name)
      }
    }
    for (const pattern of audience.query.patterns.keys())
      outOf(this.families, familyOf(pattern)!.family, audience)
  }

  /** Adds to `due` whoever a change in this collection may concern. */
  concerned(name: string, delta: Delta, due: Set<A>): void {
    for (const audience of (delta.health === undefined ? this.unkeyed : this.all).get(name) ?? [])
      due.add(audience)
    const keys = delta.health === undefined ? this.keyed.get(name) : undefined
    if (keys !== undefined)
      for (const key of keysOf(delta)) for (const audience of keys.get(key) ?? []) due.add(audience)
    const family = familyOf(name)?.family
    for (const audience of (family === undefined ? undefined : this.families.get(family)) ?? []) {
      if ([...audience.query.patterns.keys()].some((pattern) => matchesPattern(pattern, name)))
        due.add(audience)
    }
  }
}

const keysOf = function* (delta: Delta): Generator<string> {
  yield* delta.put.keys()
  yield* delta.set.keys()
  yield* delta.remove
  yield* delta.evict
}

const into = <A>(sets: Map<string, Set<A>>, name: string): Set<A> => {
  let set = sets.get(name)
  if (set === undefined) sets.set(name, (set = new Set()))
  return set
}

const outOf = <A>(sets: Map<string, Set<A>>, name: string, member: A): void => {
  const set = sets.get(name)
  set?.delete(member)
  if (set?.size === 0) sets.delete(name)
}
