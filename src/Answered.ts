/** What a write was answered, kept for a day: a request that comes again (`Idempotency-Key`) is given the same. */

export interface Answered {
  /** By which the request is known when it comes again. */
  readonly id: string
  /** Of what it asked for: with something else it is no repetition. */
  readonly body: string
  /** ms since 1970 */
  readonly at: number
  readonly key: string
  readonly revision: number
  /** The row as JSON; none where it was deleted. */
  readonly row?: string | undefined
  readonly isNew: boolean
}

/** ms */
export const answeredFor = 24 * 60 * 60 * 1_000
/** More in a day, and the oldest is forgotten. */
export const mostAnswered = 100_000
/** Characters of rows in all; more, and the oldest is forgotten before its time. */
export const mostAnsweredText = 64 * 1024 * 1024
