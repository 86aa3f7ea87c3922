/**
 * Requests that may come again because their answer was lost (`Idempotency-Key`): the first answer is given again. Kept
 * with the commits, so that a restart in between changes nothing.
 */
import { Clock, Deferred, Effect } from "effect"

import { type Answered, answeredFor, mostAnswered, mostAnsweredText } from "../Answered.ts"
import type { Row } from "../Collection.ts"
import { WriteRefused } from "./Writer.ts"
import type { Wrote } from "./Writing.ts"

/** By what a request is known that may come again, and what it asked for. */
export type Repeat = Pick<Answered, "id" | "body">

export class Repeats {
  private readonly answered = new Map<string, Answered>()
  private text = 0
  /** Under way, by id. */
  private readonly running = new Map<
    string,
    { readonly body: string; readonly done: Deferred.Deferred<Wrote, WriteRefused> }
  >()

  constructor(kept: Iterable<Answered>) {
    for (const each of kept) this.add(each)
  }

  /** Writes, unless this request has come before; where it is under way, its answer is waited for. */
  once({ body, id }: Repeat, write: Effect.Effect<Wrote, WriteRefused>): Effect.Effect<Wrote, WriteRefused> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const found = this.find(id, now)
      if (found !== undefined) return found.body === body ? Effect.succeed(wroteOf(found)) : another
      const running = this.running.get(id)
      if (running !== undefined)
        return running.body === body
          ? Effect.catchIf(Deferred.await(running.done), isTheirs, () => this.once({ body, id }, write))
          : another
      const done = Deferred.makeUnsafe<Wrote, WriteRefused>()
      this.running.set(id, { body, done })
      return Effect.onExit(write, (exit) => {
        this.running.delete(id)
        return Deferred.done(done, exit)
      })
    })
  }

  find(id: string, now: number): Answered | undefined {
    const found = this.answered.get(id)
    return found !== undefined && now - found.at < answeredFor ? found : undefined
  }

  add(answered: Answered): void {
    this.forget(answered.id)
    this.answered.set(answered.id, answered)
    this.text += lengthOf(answered)
    for (const [id, { at }] of this.answered) {
      const isFull = this.answered.size > mostAnswered || this.text > mostAnsweredText
      if (!isFull && answered.at - at < answeredFor) return
      this.forget(id)
    }
  }

  private forget(id: string): void {
    const found = this.answered.get(id)
    if (found === undefined) return
    this.answered.delete(id)
    this.text -= lengthOf(found)
  }
}

/** Whose token has ended meanwhile; who comes again may have another. */
const isTheirs = ({ code }: WriteRefused): boolean => code === "unauthenticated" || code === "forbidden"

const another = Effect.fail(
  new WriteRefused({ code: "conflict", detail: "this Idempotency-Key was used for something else" })
)

export const answeredOf = (repeat: Repeat, at: number, { isNew, key, revision, row }: Wrote): Answered => ({
  ...repeat,
  at,
  key,
  revision,
  row: row === undefined ? undefined : JSON.stringify(row),
  isNew
})

const wroteOf = ({ isNew, key, revision, row }: Answered): Wrote => ({
  revision,
  key,
  row: row === undefined ? undefined : (JSON.parse(row) as Row),
  isNew
})

const lengthOf = ({ row = "" }: Answered): number => row.length
