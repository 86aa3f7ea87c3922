/**
 * The config, checked and named: which collections there are, what each is made of, and which sources feed it. Every
 * mistake is found before anything starts, with its path and the nearest known name.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

import { Context, Duration } from "effect"

import { type Problem, problemsOf } from "./Catalog/Problems.ts"
import { type Collection, familyOf } from "./Collection.ts"
import {
  type Config,
  type Derived,
  type Load,
  type Polled,
  type RowSchema,
  type Source,
  type SourceOptions,
  type Written
} from "./Config.ts"

/** A collection or a whole family (`order`, whose `template` is `{id}`) as the config declares it. */
export interface Declared {
  /** `pools`, or `order` for a family. */
  readonly name: string
  readonly family: boolean
  /** Of a family, with the name of no member. */
  readonly collection: Collection
  readonly row: RowSchema
  readonly made: Polled | Derived | Written
  /** Names of the collections a derived one is made from, as it calls them. */
  readonly inputs: ReadonlyMap<string, string>
  /** Names of the sources that feed it, directly or through its inputs. */
  readonly sources: ReadonlyArray<string>
  /** Whether the daemon is ready only once this has rows. */
  readonly required: boolean
}

export interface NamedSource {
  /** Of a written collection: read until that has been loaded, and never again. */
  readonly once?: true
  /** Asked instead of the options' URL. */
  readonly load?: Load<unknown>
  /** The name of the first collection that reads it. */
  readonly name: string
  readonly family: boolean
  readonly options: SourceOptions
  /** Polled collections that read it directly. */
  readonly collections: ReadonlyArray<string>
}

export interface ConfigFile {
  readonly path: string
  /** Of its text: whether another load may find something else. */
  readonly hash: string
}

export const configFile = (path: string): ConfigFile => ({
  path,
  hash: createHash("sha1").update(readFileSync(path)).digest("hex")
})

export class Catalog extends Context.Service<
  Catalog,
  {
    /** In topological order: inputs before what is derived from them. */
    readonly declared: ReadonlyMap<string, Declared>
    readonly sources: ReadonlyMap<string, NamedSource>
    /** Where it was loaded from, if from a file: a thread loads it by itself. */
    readonly file?: ConfigFile
  }
>()("ratecast/Catalog") {}

/** What declares a collection of this name: itself, or the family it is a member of. */
export const declares = (catalog: Catalog["Service"], name: string): Declared | undefined => {
  const family = familyOf(name)
  if (family === undefined) {
    const found = catalog.declared.get(name)
    return found?.family === false ? found : undefined
  }
  const found = catalog.declared.get(family.family)
  return found?.family === true && isMember(family.id) ? found : undefined
}

/** Not an id that would leave its place in the URL: no encoding keeps `..` from being a step up. */
const isMember = (id: string): boolean => id !== "" && id !== "." && id !== ".." && id.isWellFormed()

/** The names of the polls behind a collection: for a member of a family, its own. */
export const sourcesOf = (catalog: Catalog["Service"], name: string): ReadonlyArray<string> => {
  const found = declares(catalog, name)
  if (found === undefined) return []
  const isOwn = found.made._tag === "Written" ? found.collection.loads : found.family
  return isOwn === true ? [name] : found.sources
}

export { importConfig } from "./Catalog/Import.ts"
export type { Problem }

/** Either a catalog, or everything that is wrong with the config. */
export const makeCatalog = (config: Config): Catalog["Service"] | ReadonlyArray<Problem> => {
  const problems = problemsOf(config)
  if (problems.length > 0) return problems
  const { collections } = config
  const names = new Map<Polled | Derived | Written, string>(
    Object.entries(collections).map(([name, made]) => [made, name])
  )
  const sources = nameSources(collections)
  const declared = new Map<string, Declared>()
  // Collections are values that refer to each other, so there can be no circle; depth first is topological order.
  const declare = (name: string): Declared => {
    const [own] = name.split(":") as [string]
    const existing = declared.get(own)
    if (existing !== undefined) return existing
    const made = collections[name]!
    const inputs = new Map<string, string>()
    const fed: Array<string> = []
    let required = !name.includes(":")
    if (made._tag === "Derived") {
      for (const [alias, input] of Object.entries(made.options.from as Record<string, Polled>)) {
        const declaredInput = declare(names.get(input)!)
        inputs.set(alias, declaredInput.name)
        fed.push(...declaredInput.sources)
        required &&= declaredInput.required
      }
    } else if (made._tag === "Polled") {
      required &&= made.options.required !== false
      fed.push(sources.find(({ source }) => source === made.options.source)!.named.name)
    } else required &&= made.options.load !== undefined
    const result: Declared = {
      name: own,
      family: name.includes(":"),
      collection: {
        name: own,
        kind: kinds[made._tag],
        key: made.options.key as string,
        fields: Object.keys(made.options.row.fields),
        fixed: new Set<string>(made.options.fixed as ReadonlyArray<string> | undefined),
        ...(made._tag === "Written"
          ? {
              retain: retained(made.options),
              ...(made.options.load === undefined ? {} : { loads: true as const })
            }
          : {})
      },
      row: made.options.row,
      made,
      inputs,
      sources: [...new Set(fed)],
      required
    }
    declared.set(own, result)
    return result
  }
  for (const name of Object.keys(collections)) declare(name)
  return {
    declared,
    sources: new Map(
      [...sources.map(({ named }) => named), ...loads(collections)].map((each) => [each.name, each])
    )
  }
}

const kinds = { Polled: "polled", Derived: "derived", Written: "written" } as const

const defaultRetained = 10_000

const retained = ({
  retain: { age, rows = defaultRetained } = {}
}: Written["options"]): Collection["retain"] => ({
  rows,
  ...(age === undefined ? {} : { age: Duration.toMillis(Duration.fromInputUnsafe(age)) })
})

/** Where written collections are loaded from: one each, whoever else is polled from there. */
const loads = (collections: Config["collections"]): ReadonlyArray<NamedSource> =>
  Object.entries(collections).flatMap(([name, made]) => {
    const load = made._tag === "Written" ? made.options.load : undefined
    if (load === undefined) return []
    const [own] = name.split(":") as [string]
    const named = { name: own, family: name.includes(":"), collections: [own], once: true } as const
    return [
      typeof load === "function"
        ? { ...named, load, options: { url: [] } }
        : { ...named, options: load.options }
    ]
  })

const nameSources = (
  collections: Config["collections"]
): ReadonlyArray<{ readonly source: Source; readonly named: NamedSource }> => {
  const sources = new Map<Source, { name: string; family: boolean; collections: Array<string> }>()
  for (const [name, made] of Object.entries(collections)) {
    if (made._tag !== "Polled") continue
    const [own] = name.split(":") as [string]
    const found = sources.get(made.options.source) ?? {
      name: own,
      family: name.includes(":"),
      collections: []
    }
    found.collections.push(own)
    sources.set(made.options.source, found)
  }
  return [...sources].map(([source, named]) => ({ source, named: { ...named, options: source.options } }))
}
