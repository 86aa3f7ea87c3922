/** Where something stands in a JSON body: `data.poolData`, by own members only, so that no path reaches a prototype. */

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

/** A copy of a body with a value put at a path; what is not an object on the way becomes one. */
export const withPath = (value: unknown, path: string, put: unknown): unknown => {
  const [step, ...rest] = path.split(".") as [string, ...Array<string>]
  const members =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  const inner = rest.length === 0 ? put : withPath(own(value, step), rest.join("."), put)
  return Object.fromEntries([...members.filter(([name]) => name !== step), [step, inner]])
}
