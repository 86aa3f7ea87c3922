/** What one poll said, on its way to be committed. */
import type { Deferred } from "effect"

import type { PollFailed } from "./Failure.ts"
import type { Polled } from "./Poll.ts"

export type Outcome =
  | Polled
  | { readonly _tag: "Failed"; readonly failure: PollFailed }
  /** Of a member of a family: nobody reads it any more, its rows may go. */
  | { readonly _tag: "Idle" }

export interface Reading {
  /** `pools`, or a member of a family: `order:17`. */
  readonly source: string
  readonly at: number
  readonly outcome: Outcome
  /** Done when what this reading caused is committed: whether it counted. */
  readonly settled: Deferred.Deferred<boolean>
}
