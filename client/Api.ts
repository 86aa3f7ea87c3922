/** What there is to read, as types: of a config file (`typeof config`), or as `ratecast types` writes them. */
import type { Row } from "./Wire.ts"

/** Rows by the name of their collection; a family is `` `order:${string}` ``. */
export type Api = { readonly [collection: string]: object }

interface Configured {
  readonly collections: {
    readonly [name: string]: { readonly options: { readonly row: { readonly Type: unknown } } }
  }
}

type Named<Name extends string> = Name extends `${infer Family}{${string}}${infer Rest}`
  ? `${Family}${string}${Rest}`
  : Name

/** Rows by name, whichever way the collections are said. */
export type RowsOf<A> = A extends Configured
  ? {
      [
        Name in keyof A["collections"] & string as Named<Name>
      ]: A["collections"][Name]["options"]["row"]["Type"]
    }
  : A

export type NameOf<A> = keyof RowsOf<A> & string

/** The row of one collection, which nobody writes to; of fields that nobody knows where nobody has said. */
export type RowOf<A, Name extends string> = Name extends keyof RowsOf<A>
  ? Readonly<Said<RowsOf<A>[Name]>>
  : Row

/** `object` says nothing. */
type Said<R> = [object] extends [R] ? ([keyof R] extends [never] ? Row : R) : R
