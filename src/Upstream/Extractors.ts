/** All collections that are polled from one source, out of the same bodies: all of them remember, or none. */
import { type Catalog, declares } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import type { Body } from "./Body.ts"
import type { Edition } from "./Edition.ts"
import type { Extract } from "./Extract.ts"
import { Extractor } from "./Extractor.ts"

export class Extractors {
  private readonly byCollection: ReadonlyMap<string, Extractor>

  /** `source`: `pools`, or a member of a family: `order:17`. */
  constructor(catalog: Catalog["Service"], source: string) {
    const names = familyOf(source) === undefined ? catalog.sources.get(source)!.collections : [source]
    this.byCollection = new Map(names.map((name) => [name, new Extractor(declares(catalog, name)!)]))
  }

  /** Throws where a body is not JSON. */
  extract(bodies: ReadonlyArray<Body>): ReadonlyMap<string, Extract> {
    const extracted = [...this.byCollection].map(([name, each]) => [name, each.extract(bodies)] as const)
    for (const [, { remember }] of extracted) remember()
    return new Map(extracted.map(([name, { extract }]) => [name, extract]))
  }

  /** The rows as they were said last. */
  last(collection: string): Edition {
    return this.byCollection.get(collection)!.last
  }
}
