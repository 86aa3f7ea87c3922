/**
 * What is loaded into a written collection: the newest rows are live, the others are history at once. And whoever wants
 * to write before that has to wait.
 */
import { Deferred, Effect } from "effect"

import type { Row } from "../Collection.ts"
import type { WrittenOptions } from "../Config.ts"
import { emptyDelta } from "./Diff.ts"

/** How long a write waits for rows that are being loaded. */
const waitsFor = "5 seconds"

/** `rows` as they came. `past`: the oldest first. */
export const loaded = (
  rows: Iterable<readonly [key: string, row: Row]>,
  retained: number,
  { loadFirst }: Pick<WrittenOptions<Row>, "loadFirst">
) => {
  const all = loadFirst === "newest" ? [...rows].toReversed() : [...rows]
  const first = Math.max(0, all.length - retained)
  const past = all.slice(0, first)
  return { delta: { ...emptyDelta, put: new Map(all.slice(first)) }, past }
}

/** Those who wait, by collection. */
export class Waiting {
  private readonly byCollection = new Map<string, { readonly done: Deferred.Deferred<void>; count: number }>()

  /** `false`: not in time. */
  wait(collection: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const found = this.byCollection.get(collection) ?? { done: Deferred.makeUnsafe<void>(), count: 0 }
      this.byCollection.set(collection, found)
      found.count++
      return Deferred.await(found.done).pipe(
        Effect.as(true),
        Effect.timeoutOrElse({ duration: waitsFor, orElse: () => Effect.succeed(false) }),
        Effect.ensuring(
          Effect.sync(() => {
            if (--found.count === 0 && this.byCollection.get(collection) === found)
              this.byCollection.delete(collection)
          })
        )
      )
    })
  }

  done(collection: string): void {
    const found = this.byCollection.get(collection)
    this.byCollection.delete(collection)
    if (found !== undefined) Deferred.doneUnsafe(found.done, Effect.void)
  }
}
