/**
 * What is wrong with a config: every mistake at once, each with its path and the nearest known name. The shapes of the
 * options stand here as schemas; what the types of `Config` already forbid is checked too, since Node strips them.
 */
import { Duration, Predicate, Schedule, Schema, SchemaIssue } from "effect"

import type { Config, Derived, Polled, RowSchema, Source, SourceOptions } from "../Config.ts"
import { didYouMean } from "../Nearest.ts"

/** `at` is a path into the config: `collections.pools.fixed[1]`. */
export interface Problem {
  readonly at: string
  readonly message: string
}

const DurationInput = Schema.declare(
  (value): value is Duration.Input => Duration.fromInput(value as never)._tag === "Some",
  {
    expected: 'a duration such as "10 seconds"'
  }
)
const Function = Schema.declare(
  (value): value is (...args: ReadonlyArray<never>) => unknown => typeof value === "function",
  {
    expected: "a function"
  }
)
const RowStruct = Schema.declare((value): value is RowSchema => Schema.isSchema(value) && "fields" in value, {
  expected: "a Schema.Struct"
})
const MadeBySource = Schema.declare((value): value is Source => Predicate.isTagged(value, "Source"), {
  expected: "what source({ … }) returns"
})
const MadeCollection = Schema.declare(
  (value): value is Polled | Derived =>
    Predicate.isTagged(value, "Polled") || Predicate.isTagged(value, "Derived"),
  { expected: "what polled({ … }) or derived({ … }) returns" }
)
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const sizedPages = {
  parameter: Schema.String,
  size: Positive,
  sizeParameter: Schema.optionalKey(Schema.String),
  max: Schema.optionalKey(Positive)
}
const shapes = {
  source: {
    url: Schema.Union([Schema.String, Schema.NonEmptyArray(Schema.String)]),
    method: Schema.optionalKey(Schema.Literals(["GET", "POST"])),
    body: Schema.optionalKey(Schema.Unknown),
    headers: Schema.optionalKey(Schema.Unknown),
    every: Schema.optionalKey(DurationInput),
    schedule: Schema.optionalKey(Schema.declare(Schedule.isSchedule, { expected: "a Schedule" })),
    idleEvery: Schema.optionalKey(DurationInput),
    refreshEvery: Schema.optionalKey(DurationInput),
    timeout: Schema.optionalKey(DurationInput),
    retries: Schema.optionalKey(Count),
    maxBytes: Schema.optionalKey(Positive),
    redirects: Schema.optionalKey(Schema.Literals(["none", "same-origin"])),
    rows: Schema.optionalKey(Schema.String),
    pages: Schema.optionalKey(
      Schema.Union([
        Schema.Struct({
          by: Schema.Literal("cursor"),
          next: Schema.String,
          parameter: Schema.String,
          max: Schema.optionalKey(Positive)
        }),
        Schema.Struct({ by: Schema.Literal("offset"), ...sizedPages }),
        Schema.Struct({ by: Schema.Literal("page"), first: Schema.optionalKey(Count), ...sizedPages })
      ])
    ),
    throttle: Schema.optionalKey(
      Schema.Struct({ every: DurationInput, leading: Schema.optionalKey(Schema.Boolean) })
    ),
    maxMembers: Schema.optionalKey(Positive),
    forgetAfter: Schema.optionalKey(DurationInput)
  },
  collection: {
    key: Schema.String,
    row: RowStruct,
    fixed: Schema.optionalKey(Schema.Array(Schema.String)),
    tolerance: Schema.optionalKey(
      Schema.Record(
        Schema.String,
        Schema.Struct({
          absolute: Schema.optionalKey(Schema.Finite),
          relative: Schema.optionalKey(Schema.Finite),
          every: Schema.optionalKey(DurationInput)
        })
      )
    )
  },
  polled: {
    source: MadeBySource,
    rows: Schema.optionalKey(Schema.Union([Schema.String, Function])),
    keep: Schema.optionalKey(Function),
    maxBad: Schema.optionalKey(Share),
    minKeep: Schema.optionalKey(Share),
    allowEmpty: Schema.optionalKey(Schema.Boolean),
    required: Schema.optionalKey(Schema.Boolean)
  },
  derived: {
    from: Schema.Record(Schema.String, MadeCollection),
    rows: Schema.optionalKey(Function),
    touches: Schema.optionalKey(Function),
    rowAt: Schema.optionalKey(Function)
  }
}
const SourceShape = Schema.Struct(shapes.source)
const PolledShape = Schema.Struct({ ...shapes.collection, ...shapes.polled })
const DerivedShape = Schema.Struct({ ...shapes.collection, ...shapes.derived })

/** Names a mistyped option may have meant, wherever in the options it stands. */
const knownOptions = (shape: Schema.Struct<Schema.Struct.Fields>): ReadonlyArray<string> => [
  ...Object.keys(shape.fields),
  "by",
  "next",
  "parameter",
  "size",
  "sizeParameter",
  "max",
  "first",
  "leading",
  "absolute",
  "relative",
  "every"
]

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const shapeProblems = (
  at: string,
  shape: Schema.Struct<Schema.Struct.Fields>,
  value: unknown
): ReadonlyArray<Problem> => {
  const result = Schema.decodeUnknownResult(shape as never, { errors: "all", onExcessProperty: "error" })(
    value
  )
  if (result._tag === "Success") return []
  return formatIssues((result.failure as Schema.SchemaError).issue).issues.map(({ message, path = [] }) => {
    const where = path.reduce<string>(
      (text, step) => (typeof step === "number" ? `${text}[${step}]` : `${text}.${String(step)}`),
      at
    )
    const last = String(path.at(-1))
    return message.startsWith("Expected no excess property")
      ? { at: where, message: `unknown option${didYouMean(last, knownOptions(shape))}` }
      : { at: where, message: `${message.charAt(0).toLowerCase()}${message.slice(1)}` }
  })
}

const nameShape = /^[A-Za-z][A-Za-z0-9_-]*(:\{[A-Za-z]+\})?$/

/** Everything that is wrong with a config. */
export const problemsOf = (config: unknown): ReadonlyArray<Problem> => {
  const collections = (config as Partial<Config> | undefined)?.collections
  if (typeof collections !== "object" || collections === null || Object.keys(collections).length === 0) {
    return [
      { at: "collections", message: "no collections; export default defineConfig({ collections: { … } })" }
    ]
  }
  const unknown = Object.keys(config as object).filter((name) => name !== "collections")
  return [
    ...unknown.map((name) => ({ at: name, message: `unknown option${didYouMean(name, ["collections"])}` })),
    ...Object.entries(collections).flatMap(([name, made]) => collectionProblems(name, made, collections))
  ]
}

const collectionProblems = (
  name: string,
  made: unknown,
  all: Config["collections"]
): ReadonlyArray<Problem> => {
  const at = `collections.${name}`
  const problems: Array<Problem> = []
  const problem = (path: string, message: string) => problems.push({ at: `${at}${path}`, message })
  if (!nameShape.test(name)) problem("", "a name is letters, digits, - and _, and a family ends in :{id}")
  if (!Predicate.isTagged(made, "Polled") && !Predicate.isTagged(made, "Derived")) {
    problem("", "expected what polled({ … }) or derived({ … }) returns")
    return problems
  }
  const { _tag, options } = made as unknown as Polled | Derived
  problems.push(...shapeProblems(at, _tag === "Polled" ? PolledShape : DerivedShape, options))
  if (problems.length > 0) return problems

  const fields = Object.keys(options.row.fields)
  const known = (path: string, field: string) => {
    if (!fields.includes(field))
      problem(path, `no field ${JSON.stringify(field)} in the row${didYouMean(field, fields)}`)
  }
  known(".key", options.key as string)
  ;(options.fixed as ReadonlyArray<string> | undefined)?.forEach((field, i) => known(`.fixed[${i}]`, field))
  for (const field of Object.keys(options.tolerance ?? {})) known(`.tolerance.${field}`, field)
  // Reading row["__proto__"] answers with the prototype of a row that has no such field.
  if (fields.includes("__proto__")) problem(".row", "a field cannot be called __proto__")
  if (_tag === "Polled") problems.push(...sourceProblems(`${at}.source`, name, options.source.options))
  else problems.push(...inputProblems(at, name, options, all))
  return problems
}

const inputProblems = (
  at: string,
  name: string,
  options: Derived["options"],
  all: Config["collections"]
): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  if (name.includes(":")) problems.push({ at, message: "a family cannot be derived" })
  for (const [alias, input] of Object.entries(options.from as Record<string, Polled | Derived>)) {
    const declared = Object.entries(all).find(([, made]) => made === input)
    if (declared === undefined)
      problems.push({ at: `${at}.from.${alias}`, message: "is not one of the collections of this config" })
    else if (declared[0].includes(":"))
      problems.push({ at: `${at}.from.${alias}`, message: "a family cannot be an input" })
  }
  if (
    "rows" in options === ("touches" in options || "rowAt" in options) ||
    "touches" in options !== "rowAt" in options
  ) {
    problems.push({ at, message: "expected either rows, or touches and rowAt" })
  }
  return problems
}

const sourceProblems = (at: string, name: string, options: SourceOptions): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = [...shapeProblems(at, SourceShape, options)]
  if (problems.length > 0) return problems
  const problem = (path: string, message: string) => problems.push({ at: `${at}${path}`, message })
  const parameter = /:(\{[A-Za-z]+\})$/.exec(name)?.[1]
  for (const url of urlsOf(options)) {
    const target = parameter === undefined ? url : url.replaceAll(parameter, "x")
    const parsed = URL.parse(target)
    if (parsed === null || !/^https?:$/.test(parsed.protocol))
      problem(".url", `${JSON.stringify(url)} is not an http or https URL`)
    else if (/[{}]/.test(target))
      problem(".url", `${JSON.stringify(url)} has a {…} that the name ${JSON.stringify(name)} does not give`)
    else if (parameter !== undefined && !url.includes(parameter))
      problem(".url", `has no ${parameter}, so every member would be the same`)
    else if (parsed.username !== "" || parsed.password !== "")
      problem(".url", "credentials belong into headers, as Redacted")
  }
  if (options.every !== undefined && options.schedule !== undefined)
    problem(".schedule", "expected either every or schedule")
  if (options.every !== undefined && Duration.toMillis(Duration.fromInputUnsafe(options.every)) < 50)
    problem(".every", "expected at least 50 millis")
  if (options.body !== undefined && options.method !== "POST") problem(".body", 'needs method: "POST"')
  if (options.pages !== undefined && urlsOf(options).length > 1) problem(".pages", "expected one url")
  return problems
}

const urlsOf = (options: SourceOptions): ReadonlyArray<string> =>
  typeof options.url === "string" ? [options.url] : options.url
