/**
 * Writes, from being asked for to being ready to commit. What takes time (a hook of the config, a look into history) is
 * done before a write stands in line with the polls; if the row has become another by then, it is done again.
 */
import { Data, Duration, Effect } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import type { Delta, Row, Rows } from "../Collection.ts"
import { type HookedWrite, isRefused, type OnWrite, type Refused, type WrittenOptions } from "../Config.ts"
import type { Unreadable } from "../Unreadable.ts"
import type { Upstream } from "../Upstream.ts"
import { Keys } from "./Keys.ts"
import { Pace } from "./Pace.ts"
import { type Draft, type Refusal, type Write, Writing } from "./Writing.ts"

export class WriteRefused extends Data.TaggedError("WriteRefused")<{
  readonly code:
    | Refusal["code"]
    | "unauthenticated"
    | "forbidden"
    | "unavailable"
    | "not_writable"
    | "too_many"
  readonly detail: string
  /** When it may be tried again, ms. */
  readonly retryAfterMs?: number | undefined
}> {}

/** What a writer has to know of what is committed. */
export interface Held {
  readonly rows: (collection: string) => Rows
  /** When its rows were born, ms since 1970. */
  readonly births: (collection: string) => Iterable<readonly [key: string, at: number]>
  /** When the newest commit was made, ms since 1970. */
  readonly at: () => number
  /** Whether a row of this key has left the live window. */
  readonly wasEvicted: (collection: string, key: string) => Effect.Effect<boolean, Unreadable>
}

/** How long a hook may take; writes to other rows and polls do not wait for it. */
const hookWithin = "5 seconds"

/** Collections of which the last key given is remembered. */
const maxKeys = 1_000

export class Writer {
  private readonly catalog: Catalog["Service"]
  private readonly ask: Upstream["Service"]["ask"]
  private readonly writings = new Map<string, Writing>()
  private readonly keys = new Map<string, Keys>()
  private readonly paces = new Map<string, Pace>()

  constructor(catalog: Catalog["Service"], ask: Upstream["Service"]["ask"]) {
    this.catalog = catalog
    this.ask = ask
    for (const declared of catalog.declared.values())
      if (declared.made._tag === "Written") {
        this.writings.set(declared.name, new Writing(declared))
        const every = declared.made.options.writeEvery
        if (every !== undefined)
          this.paces.set(declared.name, new Pace(Duration.toMillis(Duration.fromInputUnsafe(every))))
      }
  }

  /** What the write makes of the row as it is now, with the say of the config's hook. */
  readonly draft = Effect.fnUntraced(
    { self: this },
    function* (this: Writer, held: Held, write: Write): Effect.fn.Return<Draft, WriteRefused | Unreadable> {
      const writing = this.writingOf(write.collection)
      if (writing === undefined)
        return yield* new WriteRefused({
          code: "not_writable",
          detail: "the rows of this collection come from an upstream; only written collections are written to"
        })
      const key = write.op === "append" ? undefined : write.key
      const before = key === undefined ? undefined : held.rows(write.collection).get(key)
      const isGone =
        key !== undefined && before === undefined && (yield* held.wasEvicted(write.collection, key))
      const draft = yield* accepted(writing.draft(write, before, isGone))
      return yield* this.hooked(write, writing, draft)
    }
  )

  /** Runs a write of somebody who may write just now. What is refused does not count. */
  paced<A>(
    { address, collection, sub }: Write,
    now: number,
    write: Effect.Effect<A, WriteRefused>
  ): Effect.Effect<A, WriteRefused> {
    const pace = this.paces.get(declares(this.catalog, collection)?.name ?? "")
    const who = sub === undefined ? address : `subject ${sub}`
    if (pace === undefined || who === undefined) return write
    const taken = pace.take(who, now)
    return typeof taken === "number"
      ? Effect.fail(
          new WriteRefused({
            code: "too_many",
            detail: `at most one write in ${Duration.format(Duration.millis(pace.every))} here; try again in ${Duration.format(Duration.seconds(Math.ceil(taken / 1000)))}`,
            retryAfterMs: taken
          })
        )
      : Effect.onError(write, () => Effect.sync(taken))
  }

  /** `undefined`: the row is another by now, so the draft is made again. */
  delta(
    held: Held,
    collection: string,
    draft: Draft,
    now: number
  ): { readonly key: string; readonly delta: Delta } | undefined {
    const rows = held.rows(collection)
    if (draft.key !== undefined && rows.get(draft.key) !== draft.before) return undefined
    const key = draft.key ?? this.keysOf(held, collection, now).next(now, rows)
    return { key, delta: this.writingOf(collection)!.delta(draft, key, rows) }
  }

  private writingOf(collection: string): Writing | undefined {
    return this.writings.get(declares(this.catalog, collection)?.name ?? "")
  }

  private keysOf(held: Held, collection: string, now: number): Keys {
    let keys = this.keys.get(collection)
    keys ??= new Keys(now, held.at(), held.births(collection))
    this.keys.delete(collection)
    this.keys.set(collection, keys)
    // One that is forgotten is made anew as after a restart.
    for (const oldest of this.keys.keys()) {
      if (this.keys.size <= maxKeys) break
      this.keys.delete(oldest)
    }
    return keys
  }

  private hooked(write: Write, writing: Writing, draft: Draft): Effect.Effect<Draft, WriteRefused> {
    const { onWrite } = declares(this.catalog, write.collection)!.made.options as WrittenOptions<Row>
    if (onWrite === undefined) return Effect.succeed(draft)
    const { by = "nothing", collection, op, sub } = write
    const { before, key = "", row } = draft
    const hooked = { op, collection, key, before, row, sub, by }
    if (typeof onWrite === "function")
      return Effect.flatMap(this.heard(onWrite, hooked), (said) => kept(writing, draft, said))
    return this.ask({ ...hooked, row: writing.shown(draft) }).pipe(
      Effect.mapError(({ retryAfterMs }) => new WriteRefused({ ...notChecked, retryAfterMs })),
      Effect.flatMap((said) =>
        isRefused(said)
          ? kept(writing, draft, said)
          : kept(writing, draft, said).pipe(Effect.catch(unfit(collection)))
      )
    )
  }

  /** What a function of the config says. */
  private heard(onWrite: OnWrite<Row>, write: HookedWrite<Row>) {
    return Effect.suspend(() => {
      const said = onWrite(write)
      return Effect.isEffect(said) ? said : Effect.succeed(said)
    }).pipe(
      Effect.timeout(hookWithin),
      Effect.catchCause((cause) =>
        Effect.logError("onWrite failed", cause).pipe(
          Effect.annotateLogs({ collection: write.collection }),
          Effect.andThen(new WriteRefused(notChecked))
        )
      )
    )
  }
}

const notChecked = { code: "unavailable", detail: "this could not be checked; try again" } as const

/** A row of theirs that does not fit is no mistake of whoever writes. */
const unfit = (collection: string) => (refused: WriteRefused) =>
  Effect.logError(
    `no write to ${collection}: the hook put a row in place that does not fit: ${refused.detail}`
  ).pipe(Effect.annotateLogs({ collection }), Effect.andThen(new WriteRefused(notChecked)))

const kept = (
  writing: Writing,
  draft: Draft,
  said: Row | Refused | undefined
): Effect.Effect<Draft, WriteRefused> => {
  if (said === undefined) return Effect.succeed(draft)
  return isRefused(said)
    ? Effect.fail(new WriteRefused({ code: "forbidden", detail: said.detail }))
    : accepted(writing.replaced(draft, said))
}

const accepted = (made: Draft | Refusal): Effect.Effect<Draft, WriteRefused> =>
  made._tag === "Draft" ? Effect.succeed(made) : Effect.fail(new WriteRefused(made))
