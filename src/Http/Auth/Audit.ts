/**
 * What is changed by the API key, in the log: by what, of what and from where, never the key, a subject or a row. The first
 * of a kind at once, and how many more there were a minute later: a backend may write a thousand rows a second.
 */
import { Effect, Schedule, type Scope } from "effect"

import { familyOf } from "../../Collection.ts"

export interface Deed {
  readonly what: "write" | "refresh" | "revocation"
  /** A collection; of a revocation whether by `sub` or `jti`. */
  readonly of: string
  readonly address: string
}

export type Audit = (deed: Deed) => Effect.Effect<void>

const every = "1 minute"
/** More kinds in one minute are a line each. */
const most = 10_000

interface Kind {
  readonly deed: Deed
  /** Not logged yet. */
  times: number
}

const log = ({ address, of, what }: Deed, times: number): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("the API key was used"), { what, of, from: address, times })

export const makeAudit: Effect.Effect<Audit, never, Scope.Scope> = Effect.gen(function* () {
  const kinds = new Map<string, Kind>()

  const tell = Effect.suspend(() => {
    const counted = [...kinds.values()].filter(({ times }) => times > 0)
    kinds.clear()
    return Effect.forEach(counted, ({ deed, times }) => log(deed, times), { discard: true })
  })
  yield* Effect.addFinalizer(() => tell)
  yield* Effect.forkScoped(Effect.repeat(tell, Schedule.spaced(every)))

  return ({ address, of, what }) =>
    Effect.suspend(() => {
      // A member's name may be somebody's.
      const deed = { what, of: familyOf(of)?.family ?? of, address }
      const id = JSON.stringify(deed)
      const kind = kinds.get(id)
      if (kind === undefined) {
        if (kinds.size < most) kinds.set(id, { deed, times: 0 })
        return log(deed, 1)
      }
      kind.times++
      return Effect.void
    })
})
