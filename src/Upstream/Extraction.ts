/**
 * By which road a body becomes rows: here, in the thread that serves readers, or, where it is large, in a thread of its
 * own, so that readers do not wait for it. Which one it is cannot be seen from what comes of it.
 */
import { Context, Effect, type Scope } from "effect"

import type { Catalog } from "../Catalog.ts"
import type { Body } from "./Body.ts"
import type { Extract } from "./Extract.ts"
import { Extractors } from "./Extractors.ts"
import { notJson, type PollFailed } from "./Failure.ts"
import { makeThread } from "./Threaded.ts"

/** Answers of at least this many bytes, unpacked, are read in a thread: one of which every row differs holds the loop for some 10 ms. */
export const threadFrom = Context.Reference<number>("ratecast/Upstream/threadFrom", {
  defaultValue: () => 500_000
})

export type Extraction = (
  bodies: ReadonlyArray<Body>
) => Effect.Effect<ReadonlyMap<string, Extract>, PollFailed>

/** One for each poller, by the name of what it polls. */
export const makeExtraction = Effect.fnUntraced(function* (
  catalog: Catalog["Service"]
): Effect.fn.Return<(source: string) => Effect.Effect<Extraction, never, Scope.Scope>, never, Scope.Scope> {
  const from = yield* threadFrom
  // A config that is no file cannot be loaded by a thread.
  const thread = catalog.file === undefined ? undefined : yield* makeThread(catalog, catalog.file)

  return Effect.fnUntraced(function* (source: string) {
    let here = new Extractors(catalog, source)
    let isThere = false
    if (thread !== undefined) yield* Effect.addFinalizer(() => Effect.sync(() => thread.forget(source)))

    const inProcess = (bodies: ReadonlyArray<Body>) =>
      Effect.try({ try: () => here.extract(bodies), catch: notJson })

    return Effect.fnUntraced(function* (bodies: ReadonlyArray<Body>) {
      const size = bodies.reduce((sum, { bytes }) => sum + bytes.length, 0)
      // Once there it stays there: each road remembers the last body by itself.
      if (thread === undefined || !(isThere || size >= from)) return yield* inProcess(bodies)
      const there = yield* thread.extract(source, bodies, (collection) => here.last(collection))
      if (there === undefined) return yield* inProcess(bodies)
      if (!isThere) {
        isThere = true
        here = new Extractors(catalog, source)
      }
      return there
    })
  })
})
