/** What is written on a thread is made by the main thread, which asks back whether whoever wrote it still may. */
import { Effect, Fiber, type Scope } from "effect"

import { WriteRefused, type Writes } from "../RateEngine.ts"
import type { RefusedWrite, ThreadLine } from "./Messages.ts"

type Write = Writes["Service"]["write"]
type Permitted = NonNullable<Parameters<Write>[2]>

export class WritesBy {
  private readonly line: ThreadLine
  private readonly scope: Scope.Scope
  /** Of writes that are on their way, by a number of our own. */
  private readonly permits = new Map<number, Permitted>()
  private numbers = 0

  constructor(line: ThreadLine, scope: Scope.Scope) {
    this.line = line
    this.scope = scope
  }

  readonly write: Write = (write, repeat, permitted) =>
    Effect.suspend(() => {
      const permit = permitted === undefined ? undefined : this.numbers++
      if (permit !== undefined) this.permits.set(permit, permitted!)
      const answered = Effect.orDie(this.line.ask("write", [write, repeat, permit])).pipe(
        Effect.ensuring(Effect.sync(() => permit !== undefined && this.permits.delete(permit)))
      )
      // It is made though whoever asked for it leaves, and their permission is asked for until then.
      return Effect.flatMap(Effect.forkIn(answered, this.scope), Fiber.join)
    }).pipe(
      Effect.flatMap((answer) =>
        "code" in answer ? Effect.fail(new WriteRefused(answer)) : Effect.succeed(answer)
      )
    )

  /** Why a write may not be made any more. */
  readonly permitted = (permit: number): Effect.Effect<RefusedWrite | undefined> =>
    Effect.match(this.permits.get(permit)!, { onSuccess: () => undefined, onFailure: refusedOf })
}

/** As it can be sent. */
export const refusedOf = ({ code, detail, retryAfterMs }: WriteRefused): RefusedWrite => ({
  code,
  detail,
  retryAfterMs
})
