/** What the daemon says of each collection that there is, and of which many are one family. */
/** As in `GET /v1/collections`. */
export interface Described {
  /** Of a family a pattern: `order:*`. */
  readonly name: string
  readonly kind: "polled" | "derived" | "written"
  readonly key: string
  readonly fixed: Shape
  readonly live: Shape
  readonly rows: number
  readonly state: "loading" | "live" | "stale"
  readonly error?: { readonly code: string; readonly detail: string }
  readonly asOf?: number
}

export interface Shape {
  readonly type?: string
  readonly $ref?: string
  readonly items?: Shape
  readonly anyOf?: ReadonlyArray<Shape>
  readonly properties?: { readonly [field: string]: Shape }
}

export const isFamily = (name: string): boolean => name.includes("*")

/** What stands before the id of each of its members. */
export const prefixOf = (family: string): string => family.slice(0, family.indexOf("*"))
