/**
 * What a hub follows that does not commit by itself: a checkpoint, and from then on every commit as its text, in order and
 * without a gap. Epoch, revisions and tips come with it, so a cursor is as good at any follower as at the hub itself.
 */
import { Context, type Effect, type Scope } from "effect"

import type { Unreadable } from "../Unreadable.ts"
import type { Entry, Kept, Page, PastAsked } from "./Journal.ts"

export type News =
  | ({ readonly _tag: "Commit" } & Entry)
  /** The upstream answered well and nothing changed. */
  | { readonly _tag: "Touch"; readonly asOf: ReadonlyMap<string, number> }
  | { readonly _tag: "PagedOut"; readonly name: string }
  /** `text`: as the journal kept it. */
  | { readonly _tag: "PagedIn"; readonly name: string; readonly text: string }

export class Log extends Context.Service<
  Log,
  {
    /**
     * `begin` gets the checkpoint; what it returns hears all that comes after, one by one, and has applied each when it
     * returns.
     */
    readonly follow: <A extends { readonly hear: (news: News) => void }>(
      begin: (kept: Kept) => A
    ) => Effect.Effect<A, never, Scope.Scope>
    /** Has a member paged in: heard of before this returns. */
    readonly bring: (name: string) => Effect.Effect<void, Unreadable>
    /** Rows that are history, as `Journal.past`, and then those that a backend has. */
    readonly past: (asked: PastAsked) => Effect.Effect<Page>
    /** Whether commits outlive the process that makes them. */
    readonly outlives: () => boolean
  }
>()("ratecast/Hub/Log") {}
