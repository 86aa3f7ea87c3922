/** What the main thread and one that serves readers tell and ask each other. */
import type { LogLevel, Metric } from "effect"

import type { Caller, NoPlace, Revocation, TooSoon } from "../Http.ts"
import type { Kept, News, Page, PastAsked } from "../Hub.ts"
import type { Repeat, Write, WriteRefused, Wrote } from "../RateEngine.ts"
import type { Refreshed } from "../Upstream.ts"
import type { Line } from "./Line.ts"

/** What a thread begins with. */
export interface Orders {
  /** From 1. */
  readonly thread: number
  /** The config file. Each thread loads it: functions cannot be sent. */
  readonly config: string
  readonly port: number
  readonly logFormat: "json" | "pretty"
  readonly logLevel: LogLevel.LogLevel
}

export type ToThread =
  | { readonly _tag: "Begin"; readonly kept: Kept; readonly outlives: boolean }
  | { readonly _tag: "News"; readonly news: News; readonly outlives: boolean }
  /** Asks how far it is. */
  | { readonly _tag: "Beat"; readonly sent: number }
  /** Readers may come. */
  | { readonly _tag: "Listen" }
  | { readonly _tag: "Drain" }

export type ToMain =
  /** Wants a checkpoint and all that follows. */
  | { readonly _tag: "Follow" }
  /** Has the state. */
  | { readonly _tag: "Holds" }
  | { readonly _tag: "Listens" }
  /** Everything up to what was `sent` then has been applied. */
  | { readonly _tag: "Taken"; readonly sent: number }
  | {
      readonly _tag: "Demand"
      readonly what: "enter" | "leave" | "touch"
      readonly collections: ReadonlyArray<string>
    }
  /** Of a connection that has ended, or will not be; whatever has been answered. */
  | { readonly _tag: "Release"; readonly place: number }
  /** Cannot go on, for a reason that is no defect. */
  | { readonly _tag: "Stops"; readonly message: string }

/** A refusal as it can be sent. */
export type RefusedWrite = Pick<WriteRefused, "code" | "detail" | "retryAfterMs">

interface Asks<About, Answer> {
  readonly about: About
  readonly answer: Answer
}

/** Of a sibling, by whichever of them has it. */
type SiblingAsks = {
  readonly ping: Asks<string, boolean>
  readonly redeem: Asks<string, Caller | undefined>
  readonly revoke: Asks<Revocation, boolean>
}

export type ThreadAsks = SiblingAsks & {
  readonly full: Asks<ReadonlyArray<string>, string | undefined>
  readonly refresh: Asks<string, Refreshed>
  /** `permit`: a number of the thread's own, by which it is asked whether the write may still be made. */
  readonly write: Asks<
    readonly [Write, repeat: Repeat | undefined, permit: number | undefined],
    Wrote | RefusedWrite
  >
  /** Whether it could be read. */
  readonly bring: Asks<string, boolean>
  readonly past: Asks<PastAsked, Page>
  readonly metrics: Asks<undefined, string>
  /** A place, by a number of the thread's own. */
  readonly take: Asks<readonly [place: number, address: string], NoPlace | undefined>
  readonly belongsTo: Asks<readonly [place: number, subject: string], NoPlace | undefined>
  readonly countWrite: Asks<readonly [address: string, subject: string | undefined], TooSoon | undefined>
}

export type MainAsks = SiblingAsks & {
  readonly metrics: Asks<undefined, ReadonlyArray<Metric.Metric.Snapshot>>
  /** Why a write may not be made any more. */
  readonly permitted: Asks<number, RefusedWrite | undefined>
}

export type ThreadLine = Line<ToMain, ToThread, ThreadAsks, MainAsks>
export type MainLine = Line<ToThread, ToMain, MainAsks, ThreadAsks>
