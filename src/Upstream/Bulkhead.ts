/**
 * A backend that is asked about single things while somebody waits: a few questions at once, the others wait for their
 * turn, and one that fails is left alone for a while. Never asked twice: it may have done something.
 */
import { Data, Duration, Effect, Metric, type Scope, Semaphore } from "effect"

import { familyOf } from "../Collection.ts"
import { makeBreaker } from "./Breaker.ts"
import { failed as broke, type PollFailed, sentenceOf, timedOut } from "./Failure.ts"

/** There is no answer that counts. */
export class Unanswered extends Data.TaggedError("Unanswered")<{
  /** When it may be asked again, ms. */
  readonly retryAfterMs: number | undefined
}> {}

export interface About {
  readonly collection: string
  readonly what: "write" | "history"
}

/** `outcomeOf`: of an answer, for the counter. */
export type Bulkhead = <A>(
  question: Effect.Effect<A, PollFailed>,
  about: About,
  outcomeOf: (answer: A) => string
) => Effect.Effect<A, Unanswered>

const questions = Metric.counter("backend_questions_total", {
  description:
    "Questions to backends while somebody waits, by collection, what they were about (write, history) and outcome",
  incremental: true
})

const asked = { write: "the hook", history: "onHistory" }
const notDone = { write: "no write to", history: "no older rows of" }
/** More, and whoever asks is told at once. */
const maxWaiting = 256
/** For how long one that fails is left alone, at first and at last, ms. */
const open = { first: 1_000, most: 30_000 }

export const makeBulkhead = Effect.fnUntraced(function* (
  name: string,
  options: {
    readonly concurrency: number
    readonly timeout: Duration.Duration
    /** Whether the backend is worse for it; one that is not shows that it is there. */
    readonly counts: (failure: PollFailed) => boolean
  }
): Effect.fn.Return<Bulkhead, never, Scope.Scope> {
  const { concurrency, counts, timeout } = options
  const turns = yield* Semaphore.make(concurrency)
  const breaker = yield* makeBreaker(name, open)
  let waiting = 0

  return Effect.fnUntraced(function* (question, { collection, what }, outcomeOf) {
    const count = (outcome: string) => {
      const attributes = { collection: familyOf(collection)?.family ?? collection, about: what, outcome }
      return Metric.update(Metric.withAttributes(questions, attributes), 1)
    }
    const failed = (outcome: string, retryAfterMs?: number) =>
      Effect.andThen(count(outcome), new Unanswered({ retryAfterMs }))
    if (waiting >= maxWaiting) return yield* failed("busy")
    waiting++
    const answer = yield* question.pipe(
      Effect.timeoutOrElse({ duration: timeout, orElse: () => timedOut(timeout) }),
      Effect.catchDefect((defect) => broke(defect)),
      (whole) => breaker(whole, counts),
      turns.withPermit,
      Effect.ensuring(Effect.sync(() => void waiting--)),
      Effect.catchTags({
        PollFailed: (failure) =>
          Effect.logWarning(`${notDone[what]} ${collection}: ${sentenceOf(asked[what], failure)}`).pipe(
            Effect.annotateLogs({ collection }),
            Effect.andThen(failed(failure.code, failure.retryAfterMs))
          ),
        CircuitBreakerError: ({ reason }) =>
          failed("open", reason._tag === "CircuitOpen" ? Duration.toMillis(reason.retryAfter) : undefined)
      })
    )
    yield* count(outcomeOf(answer))
    return answer
  })
})
