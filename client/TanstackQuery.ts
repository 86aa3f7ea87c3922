/**
 * TanStack Query 5: the options of queries whose data are rows, for as long as somebody observes them. One that nobody
 * observes is stale, so that the next who does begins to read again, from the cursor; else it never is.
 */
import type { Collection } from "./Collection.ts"
import type { Changed } from "./Listeners.ts"
import { ready } from "./Ready.ts"

export interface RowsOptions<Data> {
  readonly queryKey: ReadonlyArray<string>
  readonly queryFn: (context: Context) => Promise<Data>
  readonly staleTime: (query: object) => number
  /** Rows that did not change are the same objects: there is nothing to compare. */
  readonly structuralSharing: false
  /** What comes back, and when, is the client's to know. */
  readonly retry: false
  readonly networkMode: "always"
  readonly refetchOnReconnect: false
  readonly refetchOnWindowFocus: false
}

interface Context {
  readonly client: Client
  readonly queryKey: ReadonlyArray<unknown>
  readonly signal: AbortSignal
}

interface Query {
  readonly isActive: () => boolean
  readonly state: { readonly data: unknown }
}

interface Client {
  readonly getQueryCache: () => {
    readonly find: (filters: { queryKey: ReadonlyArray<unknown>; exact: true }) => Query | undefined
    readonly subscribe: (
      listener: (event: { readonly type: string; readonly query: object }) => void
    ) => () => void
  }
  readonly setQueryData: (queryKey: ReadonlyArray<unknown>, data: never) => unknown
}

/** All rows. Its key is `["ratecast", collection]`. */
export const rowsOptions = <A>(collection: Collection<A>): RowsOptions<ReadonlyArray<A>> =>
  options(
    collection,
    [],
    () => collection.rows,
    (changed) => collection.subscribe(changed)
  )

/** One row; `null` where there is none. Its key is `["ratecast", collection, key]`. */
export const rowOptions = <A>(collection: Collection<A>, key: string): RowsOptions<A | null> =>
  options(
    collection,
    [key],
    () => collection.get(key) ?? null,
    (changed) => collection.subscribe(key, changed)
  )

/** Those that get what changes. */
const live = new WeakSet<object>()

const options = <A, Data>(
  collection: Collection<A>,
  key: ReadonlyArray<string>,
  get: () => Data,
  subscribe: (changed: Changed) => () => void
): RowsOptions<Data> => ({
  queryKey: ["ratecast", collection.name, ...key],
  queryFn: async ({ client, queryKey, signal }) => {
    await ready(collection, signal)
    const cache = client.getQueryCache()
    const query = cache.find({ queryKey, exact: true })
    if (query?.isActive() && !live.has(query)) {
      live.add(query)
      const stop = subscribe(() => {
        const data = get()
        if (data !== query.state.data) client.setQueryData(queryKey, data as never)
      })
      const leave = cache.subscribe((event) => {
        if (event.query !== query || (query.isActive() && event.type !== "removed")) return
        live.delete(query)
        stop()
        leave()
      })
    }
    return get()
  },
  staleTime: (query) => (live.has(query) ? Infinity : 0),
  structuralSharing: false,
  retry: false,
  networkMode: "always",
  refetchOnReconnect: false,
  refetchOnWindowFocus: false
})
