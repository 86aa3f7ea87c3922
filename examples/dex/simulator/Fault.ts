/** What can be wrong with the backend, and how it is asked for; a mistake in asking is answered with a sentence. */
export const dataPaths = ["/v2/pools-lite", "/list.json"] as const

export type DataPath = (typeof dataPaths)[number]

export const faultKinds = [
  "none",
  "status",
  "slow",
  "timeout",
  "truncated",
  "html",
  "duplicate",
  "shape",
  "empty",
  "half",
  "flapping"
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  readonly kind: FaultKind
  /** Only there; without it, everywhere. */
  readonly path?: DataPath
  readonly status?: number
  readonly ms?: number
}

export class BadInput extends Error {}

type Fields = { readonly [name: string]: unknown }

export const parseObject = (input: unknown, names: ReadonlyArray<string>): Fields => {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new BadInput("the body must be a JSON object")
  }
  for (const name of Object.keys(input)) {
    if (!names.includes(name)) {
      throw new BadInput(`unknown field ${JSON.stringify(name)}; there are ${names.join(", ")}`)
    }
  }
  return input as Fields
}

export const parseInteger = (fields: Fields, name: string, from: number, to: number): number => {
  const value = fields[name]
  if (typeof value !== "number" || !Number.isInteger(value) || value < from || value > to) {
    throw new BadInput(`"${name}" must be an integer from ${from} to ${to}, not ${JSON.stringify(value)}`)
  }
  return value
}

const parseChoice = <A extends string>(fields: Fields, name: string, choices: ReadonlyArray<A>): A => {
  const choice = choices.find((choice) => choice === fields[name])
  if (choice === undefined) {
    throw new BadInput(`"${name}" must be one of ${choices.join(", ")}, not ${JSON.stringify(fields[name])}`)
  }
  return choice
}

export const parseFault = (input: unknown): Fault => {
  const fields = parseObject(input, ["kind", "path", "status", "ms"])
  const kind = parseChoice(fields, "kind", faultKinds)
  return {
    kind,
    ...(fields["path"] !== undefined && { path: parseChoice(fields, "path", dataPaths) }),
    ...(fields["status"] !== undefined && {
      status: parseInteger(fields, "status", kind === "html" ? 200 : 400, 599)
    }),
    ...(fields["ms"] !== undefined && { ms: parseInteger(fields, "ms", 0, 600_000) })
  }
}
