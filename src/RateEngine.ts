/**
 * RateEngine: what changed, what follows from it, and how fast it may leave. One cause, one commit: everything that one
 * reading changes, derived collections included, is computed first and then committed at once.
 *
 * The computing is pure functions (`RateEngine/`); here is the thin stream around them, with a single ordered consumer.
 */
import { Clock, Context, Deferred, Effect, Fiber, FiberMap, Layer, PubSub, Queue } from "effect"

import type { Answered } from "./Answered.ts"
import { Catalog, declares } from "./Catalog.ts"
import type { Board } from "./RateEngine/Board.ts"
import { type Consequence, Consequences } from "./RateEngine/Consequences.ts"
import { announce, say } from "./RateEngine/Remarks.ts"
import { Waiting } from "./RateEngine/Loading.ts"
import { Receiver } from "./RateEngine/Receiver.ts"
import { answeredOf, type Repeat, Repeats } from "./RateEngine/Repeats.ts"
import { WriteRefused, Writer } from "./RateEngine/Writer.ts"
import type { Draft, Write, Wrote } from "./RateEngine/Writing.ts"
import { steady } from "./Steady.ts"
import type { Unreadable } from "./Unreadable.ts"
import { type Reading, Upstream } from "./Upstream.ts"

export type { Beside, Board } from "./RateEngine/Board.ts"
export { WriteRefused } from "./RateEngine/Writer.ts"
export type { Repeat } from "./RateEngine/Repeats.ts"
export { mostBytesOf } from "./RateEngine/Writing.ts"
export type { Write, Wrote } from "./RateEngine/Writing.ts"

type Event =
  /** The config may be another than that of the run before. */
  | { readonly _tag: "Begun" }
  | { readonly _tag: "Reading"; readonly reading: Reading }
  /** A throttle lets go of what it held. */
  | { readonly _tag: "Released"; readonly source: string }
  /** Fields that a tolerance in time held back may leave. */
  | { readonly _tag: "Due"; readonly collection: string }
  | {
      readonly _tag: "Write"
      readonly collection: string
      readonly draft: Draft
      readonly repeat: Repeat | undefined
      /** `undefined`: the row has become another; nothing was written. */
      readonly done: Deferred.Deferred<Wrote | undefined, Unreadable>
    }
  /** The oldest rows have been live for as long as they are retained. */
  | { readonly _tag: "Aged"; readonly collection: string }

/** So often a write is made anew because its row has become another meanwhile. */
const maxTries = 8

const unavailable = Effect.fail(
  new WriteRefused({
    code: "unavailable",
    detail: "what is kept of this collection cannot be read just now; try again"
  })
)

/** What clients and backends write. */
export class Writes extends Context.Service<
  Writes,
  {
    /**
     * Writes one row of a written collection; waits until it is kept, and seen. `permitted` is asked when all that it waits
     * for before that is over: whether it may still be made.
     */
    readonly write: (
      write: Write,
      repeat?: Repeat,
      permitted?: Effect.Effect<void, WriteRefused>
    ) => Effect.Effect<Wrote, WriteRefused>
  }
>()("ratecast/RateEngine/Writes") {}

export class RateEngine extends Context.Service<
  RateEngine,
  Writes["Service"] & {
    /** Starts polling and turns readings into commits, one after the other, for as long as it runs. */
    readonly run: (board: Board) => Effect.Effect<never>
  }
>()("ratecast/RateEngine") {
  static readonly layer = Layer.effectContext(
    Effect.gen(function* () {
      const catalog = yield* Catalog
      const upstream = yield* Upstream
      const time = steady(yield* Clock.Clock)
      const events = yield* Queue.bounded<Event>(1)
      const writer = new Writer(catalog, upstream.ask)
      const waiting = new Waiting(upstream)
      const scope = yield* Effect.scope
      const begun = Deferred.makeUnsafe<{ readonly board: Board; readonly repeats: Repeats }>()

      /** Goes on to its end though whoever asked for it leaves: they may ask again, and what is on its way is not undone. */
      const write: Writes["Service"]["write"] = (write, repeat, permitted = Effect.void) =>
        Effect.flatMap(Effect.forkIn(writeOnce(write, repeat, permitted), scope), Fiber.join)

      const writeOnce = (
        write: Write,
        repeat: Repeat | undefined,
        permitted: Effect.Effect<void, WriteRefused>
      ): Effect.Effect<Wrote, WriteRefused> => {
        const once = Effect.suspend(() =>
          writer.paced(write, time.currentTimeMillisUnsafe(), tried(write, repeat, permitted))
        )
        return repeat === undefined
          ? once
          : Effect.flatMap(Deferred.await(begun), ({ repeats }) => repeats.once(repeat, once))
      }

      const tried = Effect.fnUntraced(
        function* (
          write: Write,
          repeat: Repeat | undefined,
          permitted: Effect.Effect<void, WriteRefused>
        ): Effect.fn.Return<Wrote, WriteRefused | Unreadable> {
          const { board } = yield* Deferred.await(begun)
          yield* waiting.loaded(board, write.collection)
          for (let tries = 0; tries < maxTries; tries++) {
            const draft = yield* board.present([write.collection], writer.draft(board, write))
            yield* permitted
            const done = Deferred.makeUnsafe<Wrote | undefined, Unreadable>()
            yield* Queue.offer(events, { _tag: "Write", collection: write.collection, draft, repeat, done })
            const wrote = yield* Deferred.await(done)
            if (wrote !== undefined) return wrote
          }
          return yield* new WriteRefused({
            code: "conflict",
            detail: "others write this row just now; try again"
          })
        },
        Effect.catchTag("Unreadable", () => unavailable)
      )

      const run = Effect.fnUntraced(function* (board: Board) {
        const consequences = new Consequences(catalog)
        const timers = yield* FiberMap.make<string>()
        const remarked = new Set<string>()

        const after = (key: string, ms: number, event: Event) =>
          FiberMap.run(timers, key, Effect.sleep(ms).pipe(Effect.andThen(Queue.offer(events, event))))

        const carryOut = Effect.fnUntraced(function* (
          { commit, past, remarks }: Consequence,
          answered?: Answered
        ) {
          // An answer is kept with a commit, though it may be one of nothing: what comes again must not be made anew.
          if (commit.deltas.size === 0 && answered === undefined) board.touch(commit.asOf)
          else yield* board.commit(commit, { answered, past })
          for (const [collection, { health }] of commit.deltas) {
            const failure = remarks.find(
              (remark) => remark.collection === collection && remark.failure !== undefined
            )?.failure
            if (health !== undefined) yield* announce(collection, health, remarked, failure)
            if (health?.state === "live") waiting.done(collection)
          }
          yield* Effect.forEach(remarks, (remark) => say(remark, remarked), { discard: true })
          for (const [collection, at] of consequences.due()) {
            yield* after(`due ${collection}`, at - commit.at, { _tag: "Due", collection })
          }
        })

        const receiver = new Receiver(catalog, time, {
          commit: Effect.fnUntraced(function* (reading, since) {
            const now = yield* Clock.currentTimeMillis
            const consequence = consequences.ofReading(board, reading, now, since)
            yield* carryOut(consequence)
            return consequence.counts
          }),
          later: (source, ms) => after(`throttle ${source}`, ms, { _tag: "Released", source })
        })
        const repeats = new Repeats(board.answered())

        const commitWrite = Effect.fnUntraced(function* (
          collection: string,
          draft: Draft,
          repeat: Repeat | undefined
        ) {
          const now = yield* Clock.currentTimeMillis
          const made = writer.delta(board, collection, draft, now)
          if (made === undefined) return undefined
          const { delta, key } = made
          const consequence = consequences.ofWrite(board, collection, delta, now)
          const wrote: Wrote = {
            // A commit of nothing, which only keeps the answer, is nothing to wait for.
            revision: board.revision() + (consequence.commit.deltas.size > 0 ? 1 : 0),
            key,
            row: draft.row === undefined ? undefined : (delta.put.get(key) ?? draft.row),
            isNew: draft.before === undefined
          }
          const answered = repeat === undefined ? undefined : answeredOf(repeat, now, wrote)
          yield* carryOut(consequence, answered)
          if (answered !== undefined) repeats.add(answered)
          yield* watchAge(collection)
          return wrote
        })

        /** Wakes us when the oldest row has been live for as long as it may. */
        const watchAge = Effect.fnUntraced(function* (collection: string) {
          const age = declares(catalog, collection)?.collection.retain?.age
          if (age === undefined) return
          const oldest = board.oldestAt(collection)
          if (oldest === undefined) return
          const wait = Math.max(0, oldest + age - (yield* Clock.currentTimeMillis))
          yield* after(`age ${collection}`, wait, { _tag: "Aged", collection })
        })

        const age = Effect.fnUntraced(function* (collection: string) {
          yield* carryOut(consequences.ofAge(board, collection, yield* Clock.currentTimeMillis))
          yield* watchAge(collection)
        })

        const handle = Effect.fnUntraced(function* (event: Event) {
          switch (event._tag) {
            case "Begun":
              return yield* carryOut(
                consequences.ofStart(board, board.inMemory(), yield* Clock.currentTimeMillis)
              )
            case "Reading":
              return yield* receiver.receive(event.reading)
            case "Released":
              return yield* receiver.release(event.source)
            case "Write":
              return yield* board
                .present([event.collection], commitWrite(event.collection, event.draft, event.repeat))
                .pipe(
                  // Whoever waits is told, whatever becomes of it.
                  Effect.onExit((exit) => Deferred.done(event.done, exit)),
                  Effect.asVoid
                )
            case "Aged":
              return yield* board.present([event.collection], age(event.collection))
            case "Due":
              return yield* carryOut(
                consequences.ofTime(board, event.collection, yield* Clock.currentTimeMillis)
              )
          }
        })

        yield* Queue.offer(events, { _tag: "Begun" })
        const readings = yield* upstream.readings
        yield* PubSub.take(readings).pipe(
          Effect.flatMap((reading) => Queue.offer(events, { _tag: "Reading", reading })),
          Effect.forever,
          Effect.forkScoped
        )
        yield* upstream.start(board.names(), (name) => board.health(name).state === "loading")
        for (const name of board.names()) yield* watchAge(name)
        yield* Deferred.succeed(begun, { board, repeats })
        return yield* Queue.take(events).pipe(
          Effect.flatMap(handle),
          // It is logged, and whoever waits for it knows.
          Effect.catchTag("Unreadable", () => Effect.void),
          // One reading that breaks something must not be the last that is read.
          Effect.catchDefect((defect) =>
            Effect.logError("a reading could not be made into a commit", defect)
          ),
          Effect.forever
        )
      }, Effect.scoped)

      return Context.make(RateEngine, RateEngine.of({ run, write })).pipe(Context.add(Writes, { write }))
    })
  )
}
