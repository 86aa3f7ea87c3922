/**
 * Angular: signals and Observables of what a cast holds; no zone is asked for. A signal reads from when it is first read
 * until what has injected it is destroyed, and not on a server; an Observable while it is subscribed. `Observable` is that of
 * rxjs, which Angular needs anyway: so it can be piped, and given to `rxResource`.
 */
import { computed, DestroyRef, inject, PLATFORM_ID, type Signal, signal } from "@angular/core"
import { Observable } from "rxjs"

import type { Status } from "./Options.ts"
import type { Collection } from "./Collection.ts"

interface Cast {
  readonly status: Status
  readonly subscribe: (changed: () => void) => () => void
}

/** All rows. */
export const rowsSignal = <A>(collection: Collection<A>): Signal<ReadonlyArray<A>> =>
  following(() => collection, rowsOf)

/** One row; `undefined` where there is none. The key may be a signal: then it is the row of its value. */
export const rowSignal = <A>(
  collection: Collection<A>,
  key: string | (() => string)
): Signal<A | undefined> =>
  following(typeof key === "string" ? () => key : key, (key) => rowOf(collection, key))

/** How the connection is. */
export const statusSignal = (cast: Cast): Signal<Status> => following(() => cast, statusOf)

/** All rows: those that are held, and from then on whenever one has changed. */
export const rows$ = <A>(collection: Collection<A>): Observable<ReadonlyArray<A>> =>
  observing(rowsOf(collection))

export const row$ = <A>(collection: Collection<A>, key: string): Observable<A | undefined> =>
  observing(rowOf(collection, key))

export const status$ = (cast: Cast): Observable<Status> => observing(statusOf(cast))

interface Source<B> {
  readonly get: () => B
  readonly subscribe: (changed: () => void) => () => void
}

const rowsOf = <A>(collection: Collection<A>): Source<ReadonlyArray<A>> => ({
  get: () => collection.rows,
  subscribe: (changed) => collection.subscribe(changed)
})

const rowOf = <A>(collection: Collection<A>, key: string): Source<A | undefined> => ({
  get: () => collection.get(key),
  subscribe: (changed) => collection.subscribe(key, changed)
})

const statusOf = (cast: Cast): Source<Status> => ({ get: () => cast.status, subscribe: cast.subscribe })

const following = <K, B>(of: () => K, sourceOf: (of: K) => Source<B>): Signal<B> => {
  const changes = signal(0)
  let isOver = inject(PLATFORM_ID, { optional: true }) === "server"
  let stop: (() => void) | undefined
  inject(DestroyRef).onDestroy(() => {
    isOver = true
    stop?.()
  })
  const source = computed(() => sourceOf(of()))
  let followed: Source<B> | undefined
  return computed(() => {
    changes()
    const now = source()
    if (now !== followed && !isOver) {
      followed = now
      // The new one first: with it the connection stays.
      const before = stop
      stop = now.subscribe(() => changes.update((count) => count + 1))
      before?.()
    }
    return now.get()
  })
}

const observing = <B>({ get, subscribe }: Source<B>): Observable<B> =>
  new Observable((observer) => {
    let last = get()
    observer.next(last)
    return subscribe(() => {
      const next = get()
      if (next !== last) observer.next((last = next))
    })
  })
