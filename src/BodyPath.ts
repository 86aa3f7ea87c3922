/** Where something stands in a JSON body: `data.poolData`, by own members only, so that no path reaches a prototype. */
import { didYouMean } from "./Nearest.ts"

export const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: unknown })[name]
    : undefined

/** The value at a path, or `undefined`. No path is the body itself. */
export const atPath = (value: unknown, path: string | undefined): unknown => {
  let at = value
  for (const step of path?.split(".") ?? []) at = own(at, step)
  return at
}

const namesSaid = 8

/** What is in place of a list at a path. */
export const missing = (value: unknown, path: string | undefined): string => {
  const steps = path?.split(".") ?? []
  let at = value
  let depth = 0
  while (depth < steps.length && own(at, steps[depth]!) !== undefined) at = own(at, steps[depth++]!)
  const where = depth === 0 ? "the body" : JSON.stringify(steps.slice(0, depth).join("."))
  const given = path === undefined ? "rows is not given" : `rows is ${JSON.stringify(path)}`
  const names = kindOf(at) === "an object" ? Object.keys(at as object) : undefined
  if (names === undefined) return `${given}, and ${where} is ${kindOf(at)}.`
  const shown = names.slice(0, namesSaid).map((name) => JSON.stringify(name.slice(0, 40)))
  const list =
    names.length === 0 ? "nothing in it" : [...shown, ...(names.length > namesSaid ? ["…"] : [])].join(", ")
  if (depth === steps.length) return `${given}, and ${where} is an object that has ${list}.`
  return `${given}, and ${where} has ${list}${didYouMean(steps[depth]!, names.slice(0, 100)) || "."}`
}

/** In words. */
export const kindOf = (value: unknown): string => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "a list"
  switch (typeof value) {
    case "string":
      return "text"
    case "object":
      return "an object"
    case "undefined":
      return "not there"
    default:
      return `a ${typeof value}`
  }
}

/** A copy of a body with a value put at a path; what is not an object on the way becomes one. */
export const withPath = (value: unknown, path: string, put: unknown): unknown => {
  const [step, ...rest] = path.split(".") as [string, ...Array<string>]
  const members =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  const inner = rest.length === 0 ? put : withPath(own(value, step), rest.join("."), put)
  return Object.fromEntries([...members.filter(([name]) => name !== step), [step, inner]])
}
