/**
 * From what a client asked for to a query: names held against what the caller may read, and only then looked up; fields
 * checked against the collections that have them.
 */
import { type Catalog, type Declared, declares } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import { makeQuery, type Part, type Query } from "../Hub.ts"
import { didYouMean } from "../Nearest.ts"
import { type Asked, bound, type Narrowing } from "./Asked.ts"
import { allow, type Caller, may, notAllowed, refusal } from "./Auth/Caller.ts"
import type { Deed } from "./Auth/Rights.ts"
import { Problem } from "./Problem.ts"

const maxMemberBytes = 256

const invalid = (detail: string) => new Problem({ code: "invalid_query", detail })

/** `most`: items of a list. Throws a Problem. */
export const resolve = (catalog: Catalog["Service"], asked: Asked, caller: Caller, most: number): Query => {
  bound(asked, most)
  const named = new Map<string, Declared>()
  for (const name of asked.collections ?? everything(catalog, caller))
    named.set(name, lookUp(catalog, name, caller, "read"))
  for (const name of asked.own.keys()) {
    if (!named.has(name))
      throw invalid(
        `"${name.slice(0, 80)}" has its own form but is not queried${didYouMean(name, named.keys())}`
      )
  }
  knowFields(asked, [...named.values()])
  const parts: Array<readonly [string, Part]> = []
  const patterns: Array<readonly [string, Part]> = []
  for (const [name, declared] of named) {
    const made = partOf(name, declared, asked, asked.own.get(name) ?? {})
    ;(name.includes("*") ? patterns : parts).push([name, made])
  }
  return makeQuery(parts, patterns)
}

/** All that the caller may read and that are not families, and the members that the caller's patterns name. Throws a Problem. */
const everything = (catalog: Catalog["Service"], caller: Caller): ReadonlyArray<string> => {
  const plain = [...catalog.declared.values()].filter(({ family }) => !family).map(({ name }) => name)
  const members = caller.rights.read.filter(
    (pattern) => familyOf(pattern) !== undefined && !pattern.includes("*") && isThere(catalog, pattern)
  )
  const all = [...plain.filter((name) => may(caller, "read", name)), ...members]
  if (all.length === 0)
    throw refusal(
      caller,
      caller.rights.read.length === 0 ? "nothing can be read" : "nothing can be read without its name"
    )
  return all
}

const isThere = (catalog: Catalog["Service"], name: string): boolean =>
  declares(catalog, name) !== undefined && Buffer.byteLength(name) <= maxMemberBytes && !isPlaceholder(name)

/** `order:{id}`, as the config calls the family, or a template of a client that was not filled in. */
const isPlaceholder = (name: string): boolean => /^[^:]*:\$?\{\w*\}$/.test(name)

/** Why the caller may not, or not any more, read a query. */
export const uncovered = (caller: Caller, { parts, patterns }: Query): Problem | undefined => {
  const name = [...parts.keys(), ...patterns.keys()].find((name) => !may(caller, "read", name))
  return name === undefined ? undefined : notAllowed(caller, "read", name)
}

/** What declares a collection, a member of a family or a pattern over one. Throws a Problem. */
export const lookUp = (catalog: Catalog["Service"], name: string, caller: Caller, deed: Deed): Declared => {
  allow(caller, deed, name)
  const found = declares(catalog, name)
  if (found === undefined || (name.includes("*") && !found.family) || !isThere(catalog, name)) {
    const known = [...catalog.declared.values()]
      .map(({ family, name }) => (family ? `${name}:` : name))
      .filter((known) => may(caller, deed, known))
    const member = familyOf(name)
    const hint =
      member !== undefined && catalog.declared.get(member.family)?.family === true
        ? wrongId(name, member)
        : didYouMean(name, known)
    throw new Problem({
      code: "unknown_collection",
      detail: `there is no collection "${name.slice(0, 80)}"${hint}`
    })
  }
  return found
}

const wrongId = (name: string, { family, id }: NonNullable<ReturnType<typeof familyOf>>): string => {
  if (isPlaceholder(name)) return `; ${family}:17 is one member of the family, and ${family}:* all of them`
  if (id === "") return "; a member needs an id"
  return Buffer.byteLength(name) > maxMemberBytes
    ? `; the name of a member has at most ${maxMemberBytes} bytes`
    : "; an id is any text but ., .., a mere {…} and what is not Unicode"
}

/** A field that no collection of the query has is a mistake; one that some have applies to those. */
const knowFields = (asked: Asked, queried: ReadonlyArray<Declared>): void => {
  const known = new Set(queried.flatMap(({ collection }) => collection.fields))
  for (const name of [...(asked.fields ?? []), ...asked.where.map((text) => condition(text)[0])]) {
    if (!known.has(name))
      throw invalid(`no queried collection has a field "${name.slice(0, 80)}"${didYouMean(name, known)}`)
  }
}

const partOf = (name: string, declared: Declared, asked: Narrowing, own: Partial<Narrowing>): Part => {
  const { fields, fixed, key } = declared.collection
  const has = (field: string) => fields.includes(field)
  for (const field of [...(own.fields ?? []), ...(own.where ?? []).map((text) => condition(text)[0])]) {
    if (!has(field))
      throw invalid(`"${name}" has no field "${field.slice(0, 80)}"${didYouMean(field, fields)}`)
  }
  const keys = own.keys ?? asked.keys
  // `fields` applies to the collections that have one of them; of none at all nobody is left out.
  const shared =
    asked.fields !== undefined && (asked.fields.length === 0 || asked.fields.some(has))
      ? asked.fields
      : undefined
  const chosen = own.fields ?? shared
  const where = (own.where ?? asked.where).map(condition).filter(([field]) => has(field))
  for (const [field] of where) {
    if (!fixed.has(field))
      throw invalid(`"${field}" of "${name}" is not fixed, so it cannot stand in where${fixedOnes(fixed)}`)
  }
  return {
    collection: { ...declared.collection, name },
    keys: keys === undefined ? undefined : new Set(keys),
    fields: chosen === undefined ? undefined : new Set([key, ...chosen.filter(has)]),
    where
  }
}

const fixedOnes = (fixed: ReadonlySet<string>): string =>
  fixed.size === 0 ? "" : `; fixed are ${[...fixed].join(", ")}`

const condition = (text: string): readonly [field: string, text: string] => {
  const colon = text.indexOf(":")
  if (colon <= 0) throw invalid(`"where" is ${JSON.stringify(text.slice(0, 80))}; expected field:value`)
  return [text.slice(0, colon), text.slice(colon + 1)]
}
