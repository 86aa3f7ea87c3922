/** All collections that are polled from one source, out of the same bodies: all of them remember, or none. */
import { type Catalog, type Declared, declares } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import { source } from "../Config.ts"
import type { Body } from "./Body.ts"
import type { Edition } from "./Edition.ts"
import type { Extract } from "./Extract.ts"
import { Extractor } from "./Extractor.ts"

/** What is loaded into a written collection is read as a polled one is. */
export const polledAs = (declared: Declared): Declared => {
  const { made } = declared
  if (made._tag !== "Written") return declared
  const { key, load, maxBad, row } = made.options
  const from = typeof load === "object" ? load : source({ url: [] })
  const options = { source: from, key, row, ...(maxBad === undefined ? {} : { maxBad }) }
  return { ...declared, made: { _tag: "Polled", options } }
}

export class Extractors {
  private readonly byCollection: ReadonlyMap<string, Extractor>

  /** `name`: of the source, `pools`, or a member of a family: `order:17`. */
  constructor(catalog: Catalog["Service"], name: string) {
    const names = familyOf(name) === undefined ? catalog.sources.get(name)!.collections : [name]
    this.byCollection = new Map(
      names.map((name) => [name, new Extractor(polledAs(declares(catalog, name)!))])
    )
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
