/**
 * Redux Toolkit Query: endpoints whose data are rows, for as long as the cache has them. What is given to the store is made
 * outside of Immer, which would look at every row for each change of one, and is frozen, so that Immer leaves it alone.
 */
import type { CastError } from "./CastError.ts"
import type { Changed } from "./Listeners.ts"
import type { Collection } from "./Collection.ts"
import { ready } from "./Ready.ts"
import type { Problem } from "./Wire.ts"

/** As of `createEntityAdapter`. */
export interface Entities<A> {
  ids: Array<string>
  entities: { [id: string]: A }
}

/** As of `fetchBaseQuery`: a store holds no errors, which are no plain objects. */
export interface Failed {
  status: number
  data: Problem
}

export interface Endpoint<Data, Arg> {
  readonly queryFn: (
    arg: Arg,
    api: { readonly signal: AbortSignal }
  ) => Promise<{ data: Data } | { error: Failed }>
  readonly onCacheEntryAdded: (arg: Arg, api: Lifecycle<Data>) => Promise<void>
  readonly structuralSharing: false
}

interface Lifecycle<Data> {
  readonly getCacheEntry: () => { readonly data?: Data | undefined }
  readonly updateCachedData: (recipe: () => Data) => unknown
  readonly cacheDataLoaded: PromiseLike<unknown>
  readonly cacheEntryRemoved: PromiseLike<void>
}

/** All rows, as an array: one copy for each frame in which one has changed. */
export const rowsEndpoint = <A>(collection: Collection<A>): Endpoint<ReadonlyArray<A>, void> =>
  endpoint(collection, ({ rows }) => Object.freeze(rows) as ReadonlyArray<A>)

/** All rows, as `{ ids, entities }`, by the keys of the collection. */
export const entitiesEndpoint = <A>(collection: Collection<A>): Endpoint<Entities<A>, void> =>
  endpoint(collection, ({ keys, rows }, _, before) => {
    const ids = [...keys()]
    const isSame = before?.ids.length === ids.length && ids.every((id, i) => id === before.ids[i])
    return Object.freeze({
      ids: isSame ? before.ids : ids,
      // Anew: to copy so large an object, and write to the copy, takes longer.
      entities: Object.fromEntries(ids.map((id, i) => [id, rows[i]!]))
    })
  })

/** One row, by its key; `null` where there is none. */
export const rowEndpoint = <A>(collection: Collection<A>): Endpoint<A | null, string> =>
  endpoint<A, A | null, string>(
    collection,
    (collection, key) => collection.get(key) ?? null,
    (collection, key, changed) => collection.subscribe(key, changed)
  )

/**
 * For `onCacheEntryAdded` of a query of something else, whose argument is the key of a row: what is to happen with that row,
 * at once where there is one, and whenever it changes.
 */
export const onRow =
  <A, Api extends Omit<Lifecycle<unknown>, "updateCachedData">>(
    collection: Collection<A>,
    then: (row: A, api: Api, key: string) => void
  ) =>
  (key: string, api: Api): Promise<void> =>
    whileCached(api, () => {
      const tell = () => {
        const row = collection.get(key)
        if (row) then(row, api, key)
      }
      tell()
      return collection.subscribe(key, tell)
    })

const whileCached = async (
  { cacheDataLoaded, cacheEntryRemoved }: Pick<Lifecycle<never>, "cacheDataLoaded" | "cacheEntryRemoved">,
  begin: () => () => void
) => {
  try {
    await cacheDataLoaded
  } catch {
    // It was removed before.
    return
  }
  const stop = begin()
  await cacheEntryRemoved
  stop()
}

/** `make`: of the data before, where there are any. */
const endpoint = <A, Data, Arg>(
  collection: Collection<A>,
  make: (collection: Collection<A>, arg: Arg, before?: Data) => Data,
  subscribe = (collection: Collection<A>, _arg: Arg, changed: Changed) => collection.subscribe(changed)
): Endpoint<Data, Arg> => {
  /** Of which rows an answer was made. */
  const answered = new WeakMap<object, unknown>()
  return {
    structuralSharing: false,
    queryFn: async (arg, { signal }) => {
      try {
        await ready(collection, signal)
        const data = make(collection, arg)
        if (data) answered.set(data, collection.rows)
        return { data }
      } catch (error) {
        const { status = 0, ...data } = error as CastError
        return { error: { status, data } }
      }
    },
    onCacheEntryAdded: (arg, api) =>
      whileCached(api, () => {
        // What came between, or since a server has answered.
        if (answered.get(api.getCacheEntry().data as object) !== collection.rows)
          api.updateCachedData(() => make(collection, arg))
        return subscribe(collection, arg, (keys) => {
          if (keys.size) api.updateCachedData(() => make(collection, arg, api.getCacheEntry().data))
        })
      })
  }
}
