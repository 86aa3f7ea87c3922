/** What a page asks for by itself, beside what it is told: writes, refreshes, history. */
import type { Refreshed, Row, Written } from "./Wire.ts"

export interface WriteOptions {
  /** Only if the row is still this one, or `*`: the `ETag` of `GET /v1/rows/…`. */
  readonly ifMatch?: string
  /** Given again, a write is answered as the first time. Default: a new one, kept while this one is tried. */
  readonly idempotencyKey?: string
}

export interface Calls<A = Row> {
  /** A new row; the server gives its key. Like all writes: done when the rows here have it, too. Fails with a `CastError`. */
  readonly append: (row: Partial<A>, options?: WriteOptions) => Promise<Written>
  /** A whole row, new or in place of another. `isNew`: only where there is none. */
  readonly put: (
    key: string,
    row: Partial<A>,
    options?: WriteOptions & { readonly isNew?: boolean }
  ) => Promise<Written>
  /** Some fields of a row. */
  readonly patch: (
    key: string,
    set: Partial<A>,
    options?: WriteOptions & { readonly unset?: ReadonlyArray<keyof A & string> }
  ) => Promise<Written>
  readonly delete: (key: string, options?: WriteOptions) => Promise<Written>
  /** Has the upstream asked now; done when the rows here have what it answered. */
  readonly refresh: () => Promise<Refreshed>
  /** A page of rows, the newest first, live ones too. `before`: what the page before answered; `null` at the end. */
  readonly history: (page?: { readonly before?: string | undefined; readonly limit?: number }) => Promise<{
    readonly rows: ReadonlyArray<{ readonly key: string; readonly row: A }>
    readonly before: string | null
  }>
}

/** One request; its answer. Fails with a `CastError`. */
export type Ask = (path: string, init?: Init) => Promise<never>

export interface Init {
  readonly method?: string
  readonly headers?: { readonly [name: string]: string }
  readonly body?: string | null
}

/** `seen`: when the rows here are at that revision. */
export const makeCalls = (
  name: string,
  ask: Ask,
  seen: <A extends { readonly epoch: string; readonly revision: number }>(answer: A) => Promise<A>
): Calls => {
  const path = encodeURIComponent(name)
  // Keys travel in the query: in a path `.` and `..` are not names.
  const write = async (
    method: string,
    key: string,
    body: unknown,
    { idempotencyKey = newKey(), ifMatch, isNew }: WriteOptions & { readonly isNew?: boolean } = {}
  ): Promise<Written> =>
    seen(
      await ask(`rows/${path}${key && "?key=" + encodeURIComponent(key)}`, {
        method,
        headers: {
          "content-type": "application/json",
          "idempotency-key": idempotencyKey,
          ...(ifMatch && { "if-match": ifMatch }),
          ...(isNew && { "if-none-match": "*" })
        },
        body: body === undefined ? null : JSON.stringify(body)
      })
    )
  return {
    append: (row, options) => write("POST", "", row, options),
    put: (key, row, options) => write("PUT", key, row, options),
    patch: (key, set, options) => write("PATCH", key, { set, unset: options?.unset }, options),
    delete: (key, options) => write("DELETE", key, undefined, options),
    refresh: async () => seen<Refreshed>(await ask(`refresh/${path}`, { method: "POST" })),
    history: ({ before, limit = 50 } = {}) =>
      ask(`history/${path}?${new URLSearchParams({ limit: `${limit}`, ...(before && { before }) })}`)
  }
}

/** `randomUUID` is there on secure pages only. */
const newKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-")
