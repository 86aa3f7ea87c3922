/**
 * Which numbers keep the digits of their text: those that stand where the schema of a row, on its encoded side, declares
 * a decimal. Every other number is a double, and its field is named where that costs it digits.
 */
import { SchemaAST } from "effect"

import { decimalIdentifier } from "../Config.ts"
import { Exact, maxDepth } from "./Json.ts"

type Types = ReadonlyArray<SchemaAST.AST>
/** A field's name, an element's index, or `undefined` for whatever has no name of its own. */
type Step = string | number | undefined

/** What may stand at one place of a row. */
interface Place {
  readonly types: Types
  readonly decimal: boolean
  /** Whether no decimal can stand below. */
  readonly leaf: boolean
  readonly names: ReadonlySet<string>
  /** Elements from here on are all alike. */
  readonly length: number
  readonly below: Map<Step, Place | undefined>
}

/** A schema may be made anew at every step down, and then has no end. */
const typesLooked = 1_000

export class Digits {
  /** Whether there is a decimal in it at all. */
  readonly declares: boolean
  private readonly root: Place
  private readonly undeclared: Place
  private readonly anywhere: ReadonlyMap<string, Types>
  /** One for the same types, or a schema that refers to itself would have as many as there are paths into a row. */
  private readonly places = new Map<string, Place>()
  private readonly ids = new Map<SchemaAST.AST, number>()
  private depth = 0

  /** `byName`: the value is no row yet, and what the row declares goes for every field of the same name, at any depth. */
  constructor(row: SchemaAST.AST, byName: boolean) {
    const encoded = SchemaAST.toEncoded(row)
    this.declares = declaredIn(encoded).size > 0
    this.anywhere = byName ? declaredIn(encoded) : new Map()
    this.undeclared = this.placeOf([SchemaAST.unknown])
    this.root = byName ? this.undeclared : this.placeOf([encoded])
  }

  /**
   * A copy with text for numbers where a decimal is declared, and doubles elsewhere; the value itself where nothing
   * differs. `inexact`: the value holds `Exact`s, and fields that lose digits are to be named.
   */
  resolve(value: unknown, inexact?: Set<string>): unknown {
    this.depth = 0
    return this.resolveAt(this.root, value, "", inexact)
  }

  private resolveAt(place: Place, value: unknown, name: string, inexact: Set<string> | undefined): unknown {
    if (typeof value === "number") return place.decimal ? String(value) : value
    if (typeof value !== "object" || value === null || (place.leaf && inexact === undefined)) return value
    if (value instanceof Exact) {
      if (place.decimal) return value.text
      if (value.losesDigits) inexact?.add(name)
      return value.value
    }
    if (this.depth === maxDepth) return value
    this.depth++
    const resolved = Array.isArray(value)
      ? this.resolveArray(place, value, name, inexact)
      : this.resolveObject(place, value as { readonly [name: string]: unknown }, inexact)
    this.depth--
    return resolved
  }

  private resolveArray(
    place: Place,
    list: ReadonlyArray<unknown>,
    name: string,
    inexact: Set<string> | undefined
  ): unknown {
    let copy: Array<unknown> | undefined
    for (let i = 0; i < list.length; i++) {
      const resolved = this.resolveBelow(place, Math.min(i, place.length), list[i], name, inexact)
      if (resolved !== list[i]) (copy ??= list.slice())[i] = resolved
    }
    return copy ?? list
  }

  private resolveObject(
    place: Place,
    object: { readonly [name: string]: unknown },
    inexact: Set<string> | undefined
  ): unknown {
    let copy: { [name: string]: unknown } | undefined
    const all = inexact !== undefined || this.below(place, undefined) !== undefined
    for (const name of all ? Object.keys(object) : place.names) {
      const value = object[name]
      if (typeof value !== "number" && typeof value !== "object") continue
      const step = place.names.has(name) ? name : undefined
      const resolved = this.resolveBelow(place, step, value, name, inexact)
      if (resolved !== value) (copy ??= { ...object })[name] = resolved
    }
    return copy ?? object
  }

  private resolveBelow(
    place: Place,
    step: Step,
    value: unknown,
    name: string,
    inexact: Set<string> | undefined
  ): unknown {
    const at = this.below(place, step)
    if (at !== undefined) return this.resolveAt(at, value, name, inexact)
    // What is not declared is dropped, and nobody need hear what it loses.
    return inexact === undefined ? value : this.resolveAt(this.undeclared, value, name, new Set())
  }

  private below(place: Place, step: Step): Place | undefined {
    if (place.below.has(step)) return place.below.get(step)
    const named = typeof step === "string" ? this.anywhere.get(step) : undefined
    const types = [...place.types.flatMap((type) => typesBelow(type, step)), ...(named ?? [])]
    const made = types.length === 0 ? undefined : this.placeOf(types)
    place.below.set(step, made)
    return made
  }

  private placeOf(types: Types): Place {
    const alternatives = [...new Set(types.flatMap(alternativesOf))]
    const id = alternatives.map((type) => this.idOf(type)).join()
    const known = this.places.get(id)
    if (known !== undefined) return known
    const made: Place = {
      types: alternatives,
      decimal: alternatives.some(isDecimal),
      leaf: this.anywhere.size === 0 && !alternatives.some((type) => isDecimal(type) || isComposite(type)),
      names: new Set([...this.anywhere.keys(), ...alternatives.flatMap(namesOf)]),
      length: Math.max(
        0,
        ...alternatives.map((type) => (SchemaAST.isArrays(type) ? type.elements.length : 0))
      ),
      below: new Map()
    }
    this.places.set(id, made)
    return made
  }

  private idOf(type: SchemaAST.AST): number {
    const known = this.ids.get(type)
    if (known === undefined) this.ids.set(type, this.ids.size)
    return known ?? this.ids.size - 1
  }
}

const isDecimal = (type: SchemaAST.AST): boolean => SchemaAST.resolveIdentifier(type) === decimalIdentifier

const isComposite = (type: SchemaAST.AST): boolean => SchemaAST.isObjects(type) || SchemaAST.isArrays(type)

/** Whether it is not said what stands below. */
const isOpaque = (type: SchemaAST.AST): boolean =>
  SchemaAST.isUnknown(type) ||
  SchemaAST.isAny(type) ||
  SchemaAST.isObjectKeyword(type) ||
  SchemaAST.isDeclaration(type)

const alternativesOf = (type: SchemaAST.AST): Types => {
  if (isDecimal(type)) return [type]
  if (SchemaAST.isSuspend(type)) return alternativesOf(type.thunk())
  return SchemaAST.isUnion(type) ? type.types.flatMap(alternativesOf) : [type]
}

const namesOf = (type: SchemaAST.AST): ReadonlyArray<string> =>
  SchemaAST.isObjects(type) ? type.propertySignatures.map(({ name }) => String(name)) : []

const typesBelow = (type: SchemaAST.AST, step: Step): Types => {
  if (SchemaAST.isObjects(type)) {
    if (typeof step === "number") return []
    const declared = type.propertySignatures.find(({ name }) => name === step)
    return declared === undefined ? type.indexSignatures.map(({ type }) => type) : [declared.type]
  }
  if (SchemaAST.isArrays(type)) {
    if (typeof step !== "number") return []
    return step < type.elements.length ? [type.elements[step]!] : type.rest
  }
  // Under the name of a decimal a list is one of decimals.
  return isDecimal(type) ? (typeof step === "number" ? [type] : []) : isOpaque(type) ? [type] : []
}

/** Every field that is declared at any depth, or none where no decimal is. */
const declaredIn = (row: SchemaAST.AST): ReadonlyMap<string, Types> => {
  const fields = new Map<string, Types>()
  const seen = new Set<SchemaAST.AST>(alternativesOf(row))
  for (const type of seen) {
    if (seen.size > typesLooked) break
    for (const name of namesOf(type))
      fields.set(name, [...(fields.get(name) ?? []), ...typesBelow(type, name)])
    const below = SchemaAST.isObjects(type)
      ? [...namesOf(type), undefined].flatMap((name) => typesBelow(type, name))
      : SchemaAST.isArrays(type)
        ? [...type.elements, ...type.rest]
        : []
    for (const inner of below.flatMap(alternativesOf)) seen.add(inner)
  }
  return [...seen].some(isDecimal) ? fields : new Map()
}
