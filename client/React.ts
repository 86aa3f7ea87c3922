/** React 18 and 19: a component is rendered again when what it shows has changed, and by nothing else. */
import { useCallback, useMemo, useRef, useSyncExternalStore } from "react"

import type { Status } from "./Options.ts"
import type { Collection, CollectionStatus } from "./Collection.ts"
import { host } from "./Host.ts"

interface Cast {
  readonly status: Status
  readonly initial: Status
  readonly subscribe: (changed: () => void) => () => void
}

/** Of any collection. */
type Stated = Pick<Collection<never>, "status" | "subscribe">

/** One row; none where there is none. */
export const useRow = <A>(collection: Collection<A>, key: string): A | undefined => {
  const subscribe = useCallback(
    (changed: () => void) => collection.subscribe(key, changed),
    [collection, key]
  )
  return useSyncExternalStore(
    subscribe,
    () => collection.get(key),
    () => {
      const rows = rendered(collection)
      return rows ? (Object.hasOwn(rows, key) ? rows[key] : undefined) : collection.get(key)
    }
  )
}

/**
 * All rows, or what is made of them: `select` is asked for each change of the rows, and an array of the same rows in the
 * same order is not a change.
 */
export const useRows: {
  <A>(collection: Collection<A>): ReadonlyArray<A>
  <A, B>(collection: Collection<A>, select: (rows: ReadonlyArray<A>) => B): B
} = <A>(collection: Collection<A>, select: (rows: ReadonlyArray<A>) => unknown = itself): never =>
  useSelected(
    collection,
    () => collection.rows,
    (): ReadonlyArray<A> => {
      const rows = rendered(collection)
      return rows ? Object.values(rows) : collection.rows
    },
    select
  ) as never

/** How the connection is, or one collection; or what is made of that: most show its `state` alone. */
export const useStatus: {
  (cast: Cast): Status
  (collection: Stated): CollectionStatus
  <B>(cast: Cast, select: (status: Status) => B): B
  <B>(collection: Stated, select: (status: CollectionStatus) => B): B
} = (one: Cast | Stated, select: (status: never) => unknown = itself): never =>
  useSelected<Status | CollectionStatus, unknown>(
    one,
    () => one.status,
    () => ("road" in one.status ? begun(one as Cast) : one.status),
    select as never
  ) as never

const itself = <S>(one: S): S => one

const isServer = () => host.document === undefined

/**
 * What the server has rendered is what a page has to begin with, however far the rows have come by then: those that it was
 * given, or none.
 */
const rendered = <A>({ initial = {} }: Collection<A>) => (isServer() ? undefined : initial)

/** As of a page that is given the rows that are here: not connected yet, whether a server is, or the browser can be. */
const begun = ({ initial, status }: Cast): Status => {
  const { asOf, cursor, state } = isServer() ? status : initial
  return { ...initial, asOf, cursor, state: cursor && state !== "connecting" ? "stale" : "connecting" }
}

const useSelected = <S, B>(
  source: { readonly subscribe: (changed: () => void) => () => void },
  now: () => S,
  first: () => S,
  select: (of: S) => B
): B => {
  const last = useRef<B | undefined>(undefined)
  const made = useMemo(() => {
    const through = (get: () => S) => {
      let seen: S | undefined
      let value: B
      return () => {
        const next = get()
        if (seen !== next) {
          seen = next
          value = select(next)
          // Of two that are alike either will do: whichever render has kept it.
          if (alike(last.current, value)) value = last.current
          last.current = value
        }
        return value
      }
    }
    // As the page began: it is made once.
    let began: S | undefined
    return { now: through(now), first: through(() => (began ??= first())) }
  }, [source, select])
  return useSyncExternalStore(source.subscribe, made.now, made.first)
}

const alike = <B>(a: B | undefined, b: B): a is B =>
  Object.is(a, b) ||
  (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, i) => Object.is(one, b[i])))
