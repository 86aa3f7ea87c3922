/**
 * What is loaded into a written collection: the newest rows are live, the others are history at once. And whoever wants
 * to write before that has to wait.
 */
import { Deferred, Effect } from "effect"

import type { Row } from "../Collection.ts"
import type { WrittenOptions } from "../Config.ts"
import type { Upstream } from "../Upstream.ts"
import type { Committed } from "./Board.ts"
import { emptyDelta } from "./Diff.ts"
import { WriteRefused } from "./Writer.ts"

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

/** Those who wait to write, by collection: a row that they write may be one of those that were there before. */
export class Waiting {
  private readonly upstream: Upstream["Service"]
  private readonly byCollection = new Map<string, { readonly done: Deferred.Deferred<void>; count: number }>()

  constructor(upstream: Upstream["Service"]) {
    this.upstream = upstream
  }

  /** Returns when nothing is to be loaded any more. */
  readonly loaded = Effect.fnUntraced(
    { self: this },
    function* (
      this: Waiting,
      { health }: Pick<Committed, "health">,
      collection: string
    ): Effect.fn.Return<void, WriteRefused> {
      const { upstream } = this
      if (health(collection).state !== "loading") return
      const isFull = (yield* upstream.full([collection])) !== undefined
      if (!isFull) upstream.touch([collection])
      if (!isFull && (yield* this.wait(collection, () => health(collection).state === "loading"))) return
      const { error } = health(collection)
      const why = error === undefined ? "" : `. ${error.detail}`
      return yield* new WriteRefused({
        code: "unavailable",
        detail: `the rows that were there before are still to be read; try again${why}`,
        retryAfterMs: 2_000
      })
    }
  )

  /** `false`: not in time. */
  private wait(collection: string, isLoading: () => boolean): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!isLoading()) return Effect.succeed(true)
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
