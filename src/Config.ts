/**
 * What people import from `ratecast` to write their `ratecast.config.ts`: sources, collections, and the schemas that
 * belong to them. Nothing here does anything; `Catalog` checks it and names what is wrong.
 *
 * @example
 * const prices = source({ url: "https://api.example.com/prices", every: "10 seconds" })
 * const Price = Schema.Struct({ id: Schema.String, name: Schema.String, usd: Decimal })
 * export default defineConfig({
 *   collections: { prices: polled({ source: prices, key: "id", row: Price, fixed: ["name"] }) }
 * })
 */
import { type Duration, type Effect, type Redacted, type Schedule, Schema, SchemaGetter } from "effect"
import type { HttpClient } from "effect/http"

import type { Rows } from "./Collection.ts"
import type { Written } from "./Config/Written.ts"
import { decimalShape } from "./Decimal.ts"

export { fromScaled, toScaled } from "./Decimal.ts"
export {
  hook,
  type Hook,
  type HookedWrite,
  type HookOptions,
  isRefused,
  type Load,
  type OlderAsked,
  type OnHistory,
  type OnWrite,
  refuse,
  type Refused,
  written,
  type Written,
  type WrittenOptions
} from "./Config/Written.ts"
export type { Rows }

/** Of what a decimal is read from: by this it is known where in a row decimals are declared. */
export const decimalIdentifier = "DecimalText"

/**
 * A decimal number as text, with the digits the upstream sent: `1.10` stays `1.10`, also where the upstream sends it as
 * a JSON number.
 */
export const Decimal = Schema.Union([Schema.String, Schema.Finite])
  .annotate({ identifier: decimalIdentifier })
  .pipe(
    Schema.decodeTo(
      Schema.String.check(
        Schema.isPattern(decimalShape, { expected: "a decimal number such as 1.10" })
      ).annotate({
        identifier: "Decimal",
        description: "a decimal number as text"
      }),
      {
        decode: SchemaGetter.transform((value: string | number) => String(value)),
        encode: SchemaGetter.transform((text: string): string | number => text)
      }
    )
  )

export type Headers = { readonly [name: string]: string | Redacted.Redacted<string> }

/** How a body is fetched in pages. All pages together are one poll; it counts only if every page came. */
export type Pages =
  /** The next page's cursor stands at `next` in the body; the last page has none. */
  | { readonly by: "cursor"; readonly next: string; readonly parameter: string; readonly max?: number }
  /** `parameter=0, size, 2 × size …` until a page has fewer than `size` rows. */
  | {
      readonly by: "offset"
      readonly parameter: string
      readonly size: number
      readonly sizeParameter?: string
      readonly max?: number
    }
  /** `parameter=first, first + 1 …` until a page has fewer than `size` rows. */
  | {
      readonly by: "page"
      readonly parameter: string
      readonly first?: number
      readonly size: number
      readonly sizeParameter?: string
      readonly max?: number
    }

export interface Throttle {
  /** At most one commit in this time; the newest reading wins, and the last one is always delivered. */
  readonly every: Duration.Input
  /** `true` (the default): the first reading after a quiet time leaves at once. `false`: readings are gathered first. */
  readonly leading?: boolean
}

export interface SourceOptions {
  /** Where to poll. Several URLs are one poll, their rows together. In a family's source `{id}` stands for the member. */
  readonly url: string | ReadonlyArray<string>
  readonly method?: "GET" | "POST"
  /** Sent as JSON. Page parameters go into it by path (`variables.skip`) where the method is POST. */
  readonly body?: unknown
  /** An Effect is run before every poll: a token that renews. */
  readonly headers?: Headers | Effect.Effect<Headers, unknown, HttpClient.HttpClient>
  /** The time between two polls. Default 10 s. */
  readonly every?: Duration.Input
  /** Any schedule, instead of `every`. */
  readonly schedule?: Schedule.Schedule<unknown>
  /** The time between two polls while nobody reads. Default 6 × `every`. */
  readonly idleEvery?: Duration.Input
  /** A forced refresh within this time of the last poll fetches nothing. Default 1 s. */
  readonly refreshEvery?: Duration.Input
  /** For one attempt, from the request to the last byte. Default 10 s. */
  readonly timeout?: Duration.Input
  /** Attempts after the first, within one poll. Default 2. */
  readonly retries?: number
  /** Largest body, unpacked, all pages together. Default 32 MiB. */
  readonly maxBytes?: number
  /** Default `none`: a redirect is a failed poll. `same-origin` follows three. */
  readonly redirects?: "none" | "same-origin"
  /** Where the rows are in the body: a path such as `data.poolData`. Default: the body is the array. */
  readonly rows?: string
  readonly pages?: Pages
  readonly throttle?: Throttle
  /** Of a family: members polled at once. Default 1,000. */
  readonly maxMembers?: number
  /** Of a family: a member nobody has read for this long is forgotten. Default 1 min. */
  readonly forgetAfter?: Duration.Input
}

export interface Source {
  readonly _tag: "Source"
  readonly options: SourceOptions
}

/** One upstream, polled once however many collections read it. */
export const source = (options: SourceOptions): Source => ({ _tag: "Source", options })

/** A schema of one row: a `Schema.Struct` whose decoded side is JSON. */
export type RowSchema<A = unknown> = Schema.ConstraintDecoder<A> & {
  readonly fields: { readonly [name: string]: Schema.Constraint }
}

/** How far a field may drift from what was last committed before it is committed again. */
export interface Tolerance {
  /** In the field's own unit. */
  readonly absolute?: number
  /** Relative to the committed value: `0.001` is 0.1 %. */
  readonly relative?: number
  /** At most once in this time; what is held back leaves when it is over. */
  readonly every?: Duration.Input
}

export interface CollectionOptions<A> {
  /** The field that holds the key. */
  readonly key: keyof A & string
  /** Fields that hardly ever change, such as names and lists: only these may be filtered by `where`. */
  readonly fixed?: ReadonlyArray<keyof A & string>
  readonly tolerance?: { readonly [K in keyof A]?: Tolerance }
}

/** One row with the key it goes by. */
export interface Keyed<A = unknown> {
  readonly key: string
  readonly row: A
}

export interface PolledOptions<A> extends CollectionOptions<A> {
  readonly source: Source
  readonly row: RowSchema<A>
  /** Where this collection's rows are, if not where the source says; or a pure function that renames, flattens, splits. */
  // oxlint-disable-next-line typescript/no-explicit-any -- the body is whatever the upstream sends
  readonly rows?: string | ((body: any) => Iterable<Keyed>)
  /** Which rows to keep. Default: all. */
  readonly keep?: (row: A) => boolean
  /** A poll with more bad rows than this does not count. Default 0.1. */
  readonly maxBad?: number
  /** A poll in which fewer of the rows held are still there does not count until the next repeats it. Default 0.5. */
  readonly minKeep?: number
  /** Of rows with one key in one answer, which counts; `error`: then the poll does not. Default `last`. */
  readonly duplicates?: "error" | "first" | "last"
  /** Whether a poll without rows counts at once. Default `false`. */
  readonly allowEmpty?: boolean
  /** Whether the daemon is ready only once this has rows. Default `true`. */
  readonly required?: boolean
}

export interface Polled<A = unknown> {
  readonly _tag: "Polled"
  readonly options: PolledOptions<A>
}

/** A collection whose rows come from an upstream. */
export const polled = <A>(options: PolledOptions<A>): Polled<A> => ({ _tag: "Polled", options })

/** A row of an input that changed: born where there is no `before`, gone where there is no `after`. */
export interface InputChange<Inputs> {
  readonly input: keyof Inputs & string
  readonly key: string
  readonly before: { readonly [field: string]: unknown } | undefined
  readonly after: { readonly [field: string]: unknown } | undefined
}

// oxlint-disable-next-line typescript/no-explicit-any -- a collection of any row
type AnyCollection = Polled<any> | Derived<any> | Written<any>
type Inputs = { readonly [name: string]: AnyCollection }
type RowOf<C> =
  C extends Polled<infer A> ? A : C extends Derived<infer A> ? A : C extends Written<infer A> ? A : never
export type InputRows<From> = { readonly [K in keyof From]: Rows<RowOf<From[K]>> }

interface DerivedBase<A, From> extends CollectionOptions<A> {
  readonly from: From
  readonly row: RowSchema<A>
}

/** Every row anew, whenever anything in an input changed. */
export interface DerivedWhole<A, From> extends DerivedBase<A, From> {
  readonly rows: (inputs: InputRows<From>) => Iterable<Keyed<A>>
}

/** Only the rows that a change in an input touches. */
export interface DerivedByKey<A, From> extends DerivedBase<A, From> {
  readonly touches: (change: InputChange<From>, inputs: InputRows<From>) => Iterable<string>
  readonly rowAt: (key: string, inputs: InputRows<From>) => A | undefined
}

export interface Derived<A = unknown> {
  readonly _tag: "Derived"
  // oxlint-disable-next-line typescript/no-explicit-any -- the inputs' rows are known where `derived` is called
  readonly options: DerivedWhole<A, any> | DerivedByKey<A, any>
}

/** A collection that is a pure function of others. */
export const derived = <A, const From extends Inputs>(
  options: DerivedWhole<A, From> | DerivedByKey<A, From>
): Derived<A> => ({ _tag: "Derived", options })

export interface Config<C extends Inputs = Inputs> {
  /** By name. A family of collections is declared as `"order:{id}"`, and its source has `{id}` in its URL. */
  readonly collections: C
}

export const defineConfig = <const C extends Inputs>(config: Config<C>): Config<C> => config
