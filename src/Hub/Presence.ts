/** Members that are paged out come back when somebody needs them, and stay for as long as that takes. */
import { Deferred, Effect } from "effect"

import type { Unreadable } from "../Unreadable.ts"
import { awayFrom } from "./Changes.ts"
import type { Query } from "./Query.ts"
import type { State } from "./State.ts"

/** Tables that are read at once, where many are needed. */
const atOnce = 16

export class Presence {
  private readonly state: State
  private readonly fetch: (name: string) => Effect.Effect<void, Unreadable>
  private readonly coming = new Map<string, Deferred.Deferred<void, Unreadable>>()

  /** When what `fetch` returns has ended, the member is in `state`. */
  constructor(state: State, fetch: (name: string) => Effect.Effect<void, Unreadable>) {
    this.state = state
    this.fetch = fetch
  }

  /** Runs it with these collections in memory. */
  of<A, E, R>(
    names: ReadonlyArray<string>,
    use: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Unreadable, R> {
    const { state } = this
    return this.while(
      () => names,
      () => names.filter((name) => state.away.has(name)),
      use
    )
  }

  /** Runs it with all of a query in memory that was touched after a revision. */
  ofQuery<A, E, R>(
    query: Query,
    seen: number,
    use: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Unreadable, R> {
    const { state } = this
    // Most ask for what is never paged out.
    if (state.away.size === 0 && query.patterns.size === 0) return use
    return this.while(
      () => query.parts.keys(),
      () => [...awayFrom(state, query, seen)],
      use
    )
  }

  private while<A, E, R>(
    needed: () => Iterable<string>,
    missing: () => ReadonlyArray<string>,
    use: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | Unreadable, R> {
    return Effect.suspend(() => {
      const { holds } = this.state
      const held: Array<string> = []
      const hold = (names: Iterable<string>) => {
        for (const name of names) {
          holds.hold(name)
          held.push(name)
        }
      }
      const complete: Effect.Effect<A, E | Unreadable, R> = Effect.suspend(() => {
        const names = missing()
        if (names.length === 0) return use
        hold(names)
        return Effect.andThen(
          Effect.forEach(names, (name) => this.bring(name), { concurrency: atOnce, discard: true }),
          complete
        )
      })
      return Effect.ensuring(
        Effect.suspend(() => {
          hold(needed())
          return complete
        }),
        Effect.sync(() => holds.release(held))
      )
    })
  }

  /** Once, however many need it. */
  private bring(name: string): Effect.Effect<void, Unreadable> {
    return Effect.suspend(() => {
      if (!this.state.away.has(name)) return Effect.void
      const coming = this.coming.get(name)
      if (coming !== undefined) return Deferred.await(coming)
      const here = Deferred.makeUnsafe<void, Unreadable>()
      this.coming.set(name, here)
      return this.fetch(name).pipe(
        Effect.onExit((exit) => {
          this.coming.delete(name)
          return Deferred.done(here, exit)
        }),
        // Others wait for it, whoever asked first.
        Effect.uninterruptible
      )
    })
  }
}
