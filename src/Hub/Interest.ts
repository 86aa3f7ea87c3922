/**
 * Whom a commit concerns: collection → audiences, and key → audiences for those that asked for keys. Asking ten thousand
 * private audiences about a commit elsewhere costs 18 ms of nothing; this costs what the commit touched.
 *
 * Whoever asked for keys is told which of them were touched, so that it need not look at all of them: of twenty keys among
 * 42,000 each look is a miss of the processor's cache, and together they were a quarter of what such a reader cost.
 */
import { type Delta, familyOf } from "../Collection.ts"
import { matchesPattern, type Query } from "./Query.ts"
import type { Concerned, Watch } from "./Watch.ts"

export interface Interested extends Concerned {
  readonly query: Query
  /** Of the collections of which it asked for keys, by name. */
  readonly watches: ReadonlyMap<string, Watch>
}

export class Interest<A extends Interested> {
  /** Everybody who asked for the collection: a change of its state concerns them all. */
  private readonly all = new Map<string, Set<A>>()
  private readonly unkeyed = new Map<string, Set<A>>()
  private readonly keyed = new Map<string, Map<string, Set<Watch>>>()
  private readonly families = new Map<string, Set<A>>()

  add(audience: A): void {
    for (const [name, part] of audience.query.parts) {
      into(this.all, name).add(audience)
      if (part.keys === undefined) into(this.unkeyed, name).add(audience)
    }
    for (const [name, watch] of audience.watches) {
      const keys = this.keyed.get(name) ?? new Map<string, Set<Watch>>()
      this.keyed.set(name, keys)
      for (const key of watch.keys) into(keys, key).add(watch)
    }
    for (const pattern of audience.query.patterns.keys())
      into(this.families, familyOf(pattern)!.family).add(audience)
  }

  delete(audience: A): void {
    for (const [name, part] of audience.query.parts) {
      outOf(this.all, name, audience)
      if (part.keys === undefined) outOf(this.unkeyed, name, audience)
    }
    for (const [name, watch] of audience.watches) {
      const keys = this.keyed.get(name)
      if (keys === undefined) continue
      for (const key of watch.keys) outOf(keys, key, watch)
      if (keys.size === 0) this.keyed.delete(name)
    }
    for (const pattern of audience.query.patterns.keys())
      outOf(this.families, familyOf(pattern)!.family, audience)
  }

  /** Tells whoever a change in this collection may concern. */
  concerned(name: string, delta: Delta): void {
    const everybody = (delta.health === undefined ? this.unkeyed : this.all).get(name)
    if (everybody !== undefined) for (const audience of everybody) audience.concern()
    const keys = this.keyed.get(name)
    if (keys !== undefined) {
      // No generator over all four: for a commit that nobody asked for it would be most of the cost.
      for (const key of delta.put.keys()) touch(keys, key)
      for (const key of delta.set.keys()) touch(keys, key)
      for (const key of delta.remove) touch(keys, key)
      for (const key of delta.evict) touch(keys, key)
    }
    const family = familyOf(name)?.family
    for (const audience of (family === undefined ? undefined : this.families.get(family)) ?? []) {
      if ([...audience.query.patterns.keys()].some((pattern) => matchesPattern(pattern, name)))
        audience.concern()
    }
  }
}

const touch = (keys: ReadonlyMap<string, ReadonlySet<Watch>>, key: string): void => {
  const watches = keys.get(key)
  if (watches !== undefined) for (const watch of watches) watch.touch(key)
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
