/** How commits are made: kept by the journal first, then seen by readers, here and wherever somebody follows. */
import { Clock, Deferred, Effect, Metric } from "effect"

import type { Answered } from "../Answered.ts"
import { Catalog } from "../Catalog.ts"
import type { Commit } from "../Collection.ts"
import type { Beside, Board } from "../RateEngine.ts"
import { Unreadable } from "../Unreadable.ts"
import { commitPieces } from "./CommitText.ts"
import type { Followers } from "./Followers.ts"
import { keeping, loadedPast } from "./History.ts"
import { Journal, type JournalFailed } from "./Journal.ts"
import type { Log, News } from "./Log.ts"
import type { Presence } from "./Presence.ts"
import { declarationsOf } from "./Restart.ts"
import type { State } from "./State.ts"

const commits = Metric.counter("hub_commits_total", { description: "Commits", incremental: true })
const newestRevision = Metric.gauge("hub_revision", { description: "The revision of the newest commit" })
const journalSeconds = Metric.histogram("journal_append_seconds", {
  description: "Time until the journal has acknowledged a commit",
  boundaries: [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]
})

/** Characters of a commit that are written between two turns of the loop. */
const writtenAtOnce = 256 * 1024

/** `publish` lets readers see a commit; its bytes as they are stored, or the tip that they lead to. */
export const leader = Effect.fnUntraced(function* (options: {
  readonly state: State
  /** What was answered in runs before. */
  readonly answered: ReadonlyArray<Answered>
  /** Rows that are history, by the journal. */
  readonly older: Log["Service"]["past"]
  readonly publish: (made: Commit, bytes: string | number) => void
  readonly followers: Followers
  readonly presence: Presence
  /** These were written to. */
  readonly use: (collections: Iterable<string>) => void
}) {
  const { answered, followers, older, presence, publish, state, use } = options
  const catalog = yield* Catalog
  const journal = yield* Journal
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const failed = Deferred.makeUnsafe<never, JournalFailed>()
  /** Nobody sees anything of a commit while it is written, so readers may be served between two pieces of a large one. */
  const written = Effect.fnUntraced(function* (made: Commit) {
    const { add, tip } = state.nextTip()
    const pieces: Array<string> = []
    let size = 0
    for (const piece of commitPieces(made)) {
      pieces.push(piece)
      add(piece)
      size += piece.length
      if (size < writtenAtOnce) continue
      size = 0
      yield* Effect.yieldNow
    }
    return { text: pieces.join(""), tip: tip() }
  })

  const keep = (made: Commit, beside?: Beside) =>
    presence.of([...made.deltas.keys()], kept(made, beside)).pipe(
      // Whoever makes one has had them here.
      Effect.catchTag("Unreadable", Effect.die)
    )

  const kept = (made: Commit, { answered, past }: Beside = {}) =>
    Effect.flatMap(Effect.all([written(made), loadedPast(made.at, past)]), ([{ text, tip }, loaded]) => {
      const began = clock.monotonicTimeNanosUnsafe()
      const entry = {
        revision: state.revision + 1,
        text,
        ...keeping(catalog, state, made, loaded),
        ...(answered === undefined ? {} : { answered })
      }
      return Effect.map(journal.append(entry), () => {
        journalSeconds.updateUnsafe(Number(clock.monotonicTimeNanosUnsafe() - began) / 1e9, context)
        publish(made, tip)
        use(made.deltas.keys())
        commits.updateUnsafe(1, context)
        newestRevision.updateUnsafe(state.revision, context)
        followers.tell({ _tag: "Commit", revision: state.revision, text })
      })
    })

  // Interrupted between the two, the journal would be ahead of us and refuse the next commit.
  const commit = (made: Commit, beside?: Beside) =>
    keep(made, beside).pipe(
      Effect.uninterruptible,
      Effect.catch((failure) => Effect.andThen(Deferred.fail(failed, failure), Effect.never))
    )

  const board: Board = {
    names: () => state.names(),
    inMemory: () => state.tables.keys(),
    rows: (name) => state.rows(name),
    health: (name) => state.health(name),
    asOf: (name) => state.asOf(name),
    commit,
    answered: () => answered,
    revision: () => state.revision,
    at: () => state.at,
    births: (name) => state.births(name),
    oldestAt: (name) => state.oldestAt(name),
    present: (names, effect) => presence.of(names, effect),
    wasEvicted: (name, key) =>
      state.wasEvicted(name, key)
        ? Effect.succeed(true)
        : Effect.flatMap(older({ collection: name, before: key, limit: 0 }), (found) =>
            found === "unavailable" ? Effect.fail(new Unreadable()) : Effect.succeed(found !== undefined)
          ),
    touch: (asOf) => {
      state.touch(asOf)
      followers.tell({ _tag: "Touch", asOf })
    }
  }

  const log: Log["Service"] = {
    follow: (begin) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const pieces = followers.checkpoint()
          const collections = declarationsOf(catalog)
          const follower = begin({ epoch: state.epoch, collections, pieces, entries: [] })
          const hear = (news: News) => follower.hear(news)
          followers.add(hear)
          return { follower, hear }
        }),
        ({ hear }) => Effect.sync(() => followers.delete(hear))
      ).pipe(Effect.map(({ follower }) => follower)),
    bring: (name) => presence.of([name], Effect.void),
    past: older,
    outlives: journal.outlives
  }

  /** `start` makes the first commit of a run that goes on, before anybody reads: it may fail. */
  return { board, failed: Effect.raceFirst(Deferred.await(failed), journal.lost), log, start: keep }
})
