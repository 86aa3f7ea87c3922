/** A journal that the daemon can do without: when it fails, what is committed from then on lives in memory only. */
import { Effect, Layer, Metric } from "effect"

import { Journal, type JournalFailed, type PastAsked } from "../Journal.ts"

const inMemory = Metric.gauge("journal_failed", {
  description: "1 where the journal cannot be used and commits live in memory only"
})

const none = ({ before }: PastAsked) => Effect.succeed(before === undefined ? [] : undefined)

export const layerFallback = Layer.effect(
  Journal,
  Effect.gen(function* () {
    const journal = yield* Journal
    let failed = false
    const abandon = (failure: JournalFailed) =>
      Effect.suspend(() => {
        failed = true
        return Metric.update(inMemory, 1).pipe(
          Effect.andThen(Effect.logError(`${failure.message}; until then commits live in memory only`))
        )
      })
    yield* journal.lost.pipe(Effect.catch(abandon), Effect.forkScoped)
    return Journal.of({
      open: (fresh) =>
        journal
          .open(fresh)
          .pipe(
            Effect.catch((failure) => Effect.as(abandon(failure), { ...fresh, pieces: [], entries: [] }))
          ),
      append: (entry) =>
        Effect.suspend(() => (failed ? Effect.void : journal.append(entry))).pipe(Effect.catch(abandon)),
      // What cannot be read, or let go of, or moved out of memory is no reason to give up what can be kept.
      past: (asked) => Effect.suspend(() => (failed ? none(asked) : journal.past(asked))),
      expire: (expiring) => Effect.suspend(() => (failed ? Effect.succeed(false) : journal.expire(expiring))),
      keepMember: (member) => Effect.suspend(() => (failed ? Effect.void : journal.keepMember(member))),
      // One that was moved there before may be there still; of which revision it is, it says itself.
      member: (name) => journal.member(name),
      replace: (kept) =>
        Effect.suspend(() => (failed ? Effect.void : journal.replace(kept))).pipe(Effect.catch(abandon)),
      lost: Effect.never,
      abandon,
      outlives: () => !failed && journal.outlives(),
      file: journal.file
    })
  })
)
