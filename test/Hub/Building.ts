/** On the virtual clock a snapshot is built at once: here it takes so many turns, and others come in between. */
import { Effect } from "effect"

import type { Query } from "../../src/Hub/Query.ts"
import { Snapshots } from "../../src/Hub/Snapshots.ts"

export const building = Effect.fnUntraced(function* (turns: number) {
  const { prototype } = Snapshots
  const build = prototype["build"]
  const slowed = new WeakSet<Snapshots>()
  prototype["build"] = function (this: Snapshots, ...asked) {
    if (!slowed.has(this)) {
      slowed.add(this)
      const encode = this["encode"]
      Object.assign(this, {
        encode: (query: Query) => Effect.tap(encode.call(this, query), breaths(turns))
      })
    }
    return build.apply(this, asked)
  }
  yield* Effect.addFinalizer(() => Effect.sync(() => (prototype["build"] = build)))
})

/** Lets others run, so many times. */
export const breaths = (count: number) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.yieldNow, { discard: true })
