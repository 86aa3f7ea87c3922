/**
 * Rows as TypeScript: the decoded side of their schemas, as the wire has it, with what the schemas say of themselves as
 * doc comments. What a schema calls by an identifier is a type of that name.
 */
import { Schema, SchemaRepresentation } from "effect"

import type { Declared } from "../Catalog.ts"

type Representation = SchemaRepresentation.Representation

const head = `/** The rows of Ratecast by the name of their collection. Made by \`npx ratecast types\`: not to be edited. */`
const json = `
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }
`

/** What an identifier may not be called here. */
const taken = new Set(["Api", "Array", "Json", "ReadonlyArray"])
const isName = (text: string) => /^[A-Za-z_$][\w$]*$/.test(text)

/** Of no row: an empty module. */
export const apiText = (declared: ReadonlyArray<Pick<Declared, "family" | "name" | "row">>): string => {
  const [first, ...others] = declared.map(({ row }) => Schema.toType(row).ast)
  if (first === undefined) return `${head}\nexport interface Api {}\n`
  const { references, representations } = SchemaRepresentation.toRepresentations([first, ...others], {
    referencePolicy: ({ identifier }) =>
      identifier !== undefined && /^[A-Z]\w*$/.test(identifier) && !taken.has(identifier)
        ? identifier
        : undefined
  })
  const members = declared.map(({ family, name }, i) => {
    const text = family ? `[member: \`${name}:\${string}\`]` : propertyName(name)
    return member(text, representations[i]!, undefined, "  ")
  })
  const aliases = Object.entries(references).map(
    ([name, type]) => `\n${comment(descriptionOf(type), "")}export type ${name} = ${typeText(type, "")}\n`
  )
  const text = `${head}\nexport interface Api {\n${members.join("")}}\n${aliases.join("")}`
  return /\bJson\b/.test(text) ? text + json : text
}

const propertyName = (name: string): string => (isName(name) ? name : JSON.stringify(name))

const member = (name: string, type: Representation, description: string | undefined, indent: string) =>
  `${comment(description ?? descriptionOf(type), indent)}${indent}readonly ${name}: ${typeText(type, indent)}\n`

const comment = (text: string | undefined, indent: string): string => {
  if (text === undefined || text.trim() === "") return ""
  const lines = text.trim().replaceAll("*/", "*\\/").split(/\r?\n/)
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`
}

/** A check describes what it is put on. One that is called by a name is described there. */
const descriptionOf = (type: Representation): string | undefined => {
  if (type._tag === "Reference") return undefined
  const last = type.checks.at(-1)?.annotations ?? type.annotations
  return typeof last?.["description"] === "string" ? last["description"] : undefined
}

const keywords: { readonly [tag: string]: string } = {
  Null: "null",
  Undefined: "undefined",
  Void: "void",
  Never: "never",
  Any: "any",
  String: "string",
  Number: "number",
  Boolean: "boolean",
  BigInt: "bigint",
  Symbol: "symbol",
  ObjectKeyword: "object"
}

const typeText = (type: Representation, indent: string): string => {
  const of = (inner: Representation) => typeText(inner, indent)
  switch (type._tag) {
    case "Reference":
      return type.$ref
    case "Suspend":
      return of(type.thunk)
    case "Literal":
      return typeof type.literal === "bigint" ? `${type.literal}n` : JSON.stringify(type.literal)
    case "Enum":
      return type.enums.map(([, value]) => JSON.stringify(value)).join(" | ")
    case "TemplateLiteral":
      return `\`${type.parts.map((part) => `\${${of(part)}}`).join("")}\``
    case "Union":
      return type.types.map(of).join(" | ") || "never"
    case "Arrays":
      return arrayText(type, of)
    case "Objects":
      return objectText(type, indent)
    case "Declaration":
      return type.representation?.id === "effect/schema/Json" ? "Json" : "unknown"
    default:
      return keywords[type._tag] ?? "unknown"
  }
}

const arrayText = (
  { elements, rest }: SchemaRepresentation.Arrays,
  of: (type: Representation) => string
): string => {
  const [more, ...last] = rest
  if (elements.length === 0 && more !== undefined && last.length === 0) return `ReadonlyArray<${of(more)}>`
  const each = [
    ...elements.map(({ isOptional, type }) => (isOptional ? `(${of(type)})?` : of(type))),
    ...(more === undefined ? [] : [`...ReadonlyArray<${of(more)}>`]),
    ...last.map(of)
  ]
  return `readonly [${each.join(", ")}]`
}

const objectText = (
  { indexSignatures, propertySignatures }: SchemaRepresentation.Objects,
  indent: string
): string => {
  const inner = `${indent}  `
  const fields = propertySignatures
    .filter(({ name }) => typeof name !== "symbol")
    .map(({ annotations, isOptional, name, type }) => {
      const description = annotations?.["description"]
      const text = `${propertyName(String(name))}${isOptional ? "?" : ""}`
      return member(text, type, typeof description === "string" ? description : undefined, inner)
    })
  // Fields need not fit the signatures beside them, and in one object type they would have to.
  const signatures = indexSignatures.map(
    ({ parameter, type }) => `{ readonly [name: ${typeText(parameter, indent)}]: ${typeText(type, indent)} }`
  )
  const object = fields.length > 0 || signatures.length === 0 ? [`{\n${fields.join("")}${indent}}`] : []
  return [...object, ...signatures].join(" & ")
}
