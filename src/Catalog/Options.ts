/**
 * The shapes of the options as schemas: what the types of `Config` already forbid is checked too, since Node strips them.
 */
import { Duration, Predicate, Schedule, Schema, SchemaAST, SchemaIssue } from "effect"

import type { Derived, Hook, Polled, RowSchema, Source, Written } from "../Config.ts"
import { didYouMean } from "../Nearest.ts"
import type { Problem } from "./Problems.ts"

const durationFrom = (ms: number, bound = `at least ${ms} millis`) =>
  Schema.declare(
    (value): value is Duration.Input => {
      const duration = Duration.fromInput(value as never)
      return duration._tag === "Some" && Duration.toMillis(duration.value) >= ms
    },
    { expected: `a duration such as "10 seconds", ${bound}` }
  )
const AnyDuration = durationFrom(0, "not below 0")
/** What happens every so often, or after so long: with none it would happen all the time. */
const SomeDuration = durationFrom(1)
/** Between two polls. */
const PollingDuration = durationFrom(50)
const Function = Schema.declare(
  (value): value is (...args: ReadonlyArray<never>) => unknown => typeof value === "function",
  {
    expected: "a function"
  }
)
export const madeTags = ["Polled", "Derived", "Written"] as const
export const whatIsMade = "what polled({ … }), derived({ … }) or written({ … }) returns"

/** Not a `Schema.Class`, which has fields too: its instances are no JSON. */
const RowStruct = Schema.declare(
  (value): value is RowSchema =>
    Schema.isSchema(value) && "fields" in value && SchemaAST.isObjects(SchemaAST.toType(value.ast)),
  { expected: "a Schema.Struct" }
)
const MadeBySource = Schema.declare((value): value is Source => Predicate.isTagged(value, "Source"), {
  expected: "what source({ … }) returns"
})
const FunctionOrHook = Schema.declare(
  (value): value is Hook => typeof value === "function" || Predicate.isTagged(value, "Hook"),
  { expected: "a function, or what hook({ … }) returns" }
)
const FunctionOrSource = Schema.declare(
  (value): value is Source => typeof value === "function" || Predicate.isTagged(value, "Source"),
  { expected: "a function, or what source({ … }) returns" }
)
const MadeCollection = Schema.declare(
  (value): value is Polled | Derived | Written => madeTags.some((tag) => Predicate.isTagged(value, tag)),
  { expected: whatIsMade }
)
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const NotNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

const CountOrAll = Schema.declare(
  (value): value is number => value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0),
  { expected: "a number of rows, or Infinity for all" }
)

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
    every: Schema.optionalKey(PollingDuration),
    schedule: Schema.optionalKey(Schema.declare(Schedule.isSchedule, { expected: "a Schedule" })),
    idleEvery: Schema.optionalKey(PollingDuration),
    refreshEvery: Schema.optionalKey(AnyDuration),
    timeout: Schema.optionalKey(SomeDuration),
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
      Schema.Struct({ every: SomeDuration, leading: Schema.optionalKey(Schema.Boolean) })
    ),
    maxMembers: Schema.optionalKey(Positive),
    forgetAfter: Schema.optionalKey(AnyDuration)
  },
  collection: {
    key: Schema.String,
    row: RowStruct,
    fixed: Schema.optionalKey(Schema.Array(Schema.String))
  },
  drifting: {
    tolerance: Schema.optionalKey(
      Schema.Record(
        Schema.String,
        Schema.Struct({
          absolute: Schema.optionalKey(NotNegative),
          relative: Schema.optionalKey(NotNegative),
          every: Schema.optionalKey(SomeDuration)
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
    duplicates: Schema.optionalKey(Schema.Literals(["error", "first", "last"])),
    allowEmpty: Schema.optionalKey(Schema.Boolean),
    required: Schema.optionalKey(Schema.Boolean)
  },
  derived: {
    from: Schema.Record(Schema.String, MadeCollection),
    rows: Schema.optionalKey(Function),
    touches: Schema.optionalKey(Function),
    rowAt: Schema.optionalKey(Function)
  },
  written: {
    retain: Schema.optionalKey(
      Schema.Struct({ rows: Schema.optionalKey(Positive), age: Schema.optionalKey(SomeDuration) })
    ),
    keep: Schema.optionalKey(
      Schema.Struct({ rows: Schema.optionalKey(CountOrAll), age: Schema.optionalKey(AnyDuration) })
    ),
    maxBytes: Schema.optionalKey(Positive),
    durability: Schema.optionalKey(Schema.Literals(["process", "power"])),
    writeEvery: Schema.optionalKey(SomeDuration),
    pageOutAfter: Schema.optionalKey(durationFrom(1_000, "at least 1 second")),
    edits: Schema.optionalKey(Schema.Boolean),
    load: Schema.optionalKey(FunctionOrSource),
    maxBad: Schema.optionalKey(Share),
    loadFirst: Schema.optionalKey(Schema.Literals(["oldest", "newest"])),
    onHistory: Schema.optionalKey(Function),
    onWrite: Schema.optionalKey(FunctionOrHook)
  }
}
export const HookShape = Schema.Struct({
  url: Schema.String,
  headers: Schema.optionalKey(Schema.Unknown),
  timeout: Schema.optionalKey(SomeDuration),
  concurrency: Schema.optionalKey(Positive)
})
export const SourceShape = Schema.Struct(shapes.source)
export const madeShapes = {
  Polled: Schema.Struct({ ...shapes.collection, ...shapes.drifting, ...shapes.polled }),
  Derived: Schema.Struct({ ...shapes.collection, ...shapes.drifting, ...shapes.derived }),
  Written: Schema.Struct({ ...shapes.collection, ...shapes.written })
}

interface Nested {
  readonly fields?: { readonly [name: string]: Nested }
  /** Of what may be missing. */
  readonly schema?: Nested
  /** Of a union. */
  readonly members?: ReadonlyArray<Nested>
  /** Of a record. */
  readonly value?: Nested
}

/** Names that an option may have at the end of this path. */
const knownOptions = (shape: Nested, [step, ...path]: ReadonlyArray<PropertyKey>): ReadonlyArray<string> => {
  const { fields, members, schema, value } = shape
  if (schema !== undefined) return knownOptions(schema, [step!, ...path])
  if (members !== undefined) return members.flatMap((member) => knownOptions(member, [step!, ...path]))
  if (path.length === 0) return Object.keys(fields ?? {})
  const next = value ?? fields?.[String(step)]
  return next === undefined ? [] : knownOptions(next, path)
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** `at` is where the value stands in the config. */
export const shapeProblems = (
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
      ? {
          at: where,
          message: `unknown option${didYouMean(last, knownOptions(shape as Nested, path as ReadonlyArray<PropertyKey>))}`
        }
      : { at: where, message: `${message.charAt(0).toLowerCase()}${message.slice(1)}` }
  })
}
