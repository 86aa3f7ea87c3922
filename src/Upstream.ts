/**
 * Upstream: where rows come from, how often, and what if it fails. The only module that talks outward.
 *
 * Every source is polled by one fiber of its own, whether one collection reads it or ten; what the polls say goes
 * through one PubSub, in the order in which it came.
 */
import { Clock, Context, Deferred, Effect, FiberMap, Layer, PubSub, type Scope } from "effect"
import { HttpClient } from "effect/http"

import { Catalog, declares, sourcesOf } from "./Catalog.ts"
import { familyOf, type Row } from "./Collection.ts"
import { steady } from "./Steady.ts"
import type { HookedWrite, OlderAsked, Written } from "./Config.ts"
import { Demands } from "./Upstream/Demand.ts"
import { type Asking, makeHook } from "./Upstream/Hook.ts"
import { makeExtraction } from "./Upstream/Extraction.ts"
import { makeLoad } from "./Upstream/Load.ts"
import { makeOlder, type Older } from "./Upstream/Older.ts"
import { makePoll } from "./Upstream/Poll.ts"
import { makePoller, type Poller, type Refreshed, timesOf } from "./Upstream/Poller.ts"
import type { Reading } from "./Upstream/Reading.ts"

export { PollFailed } from "./Upstream/Failure.ts"
export type { Extract, Failure, Notes, Since } from "./Upstream/Extract.ts"
export { exactly } from "./Upstream/Exactly.ts"
export { unfitField } from "./Upstream/Fit.ts"
export { threadFrom } from "./Upstream/Extraction.ts"
export type { Refreshed } from "./Upstream/Poller.ts"
export type { Outcome, Reading } from "./Upstream/Reading.ts"

/** Readings that wait for the engine. A full one holds the pollers, which is what should happen. */
const readingsWaiting = 64
/** Requests that come by wake a source at most this often, ms. */
const wakeEvery = 1_000
/** Members of one family that are polled at once, where the source does not say. */
const defaultMaxMembers = 1_000

const wanted = { readers: 1, touchedAt: 0 }
/** Before the engine listens nothing is read that is read once. */
const never = () => false

/** Who reads: sources that somebody reads are polled more often, and members of families only then. */
export class Demand extends Context.Service<
  Demand,
  {
    /** A family of which no more members may be read beside these: those that are polled at once are bounded. */
    readonly full: (collections: Iterable<string>) => Effect.Effect<string | undefined>
    /** Somebody came to read and stays, until `leave`. */
    readonly enter: (collections: Iterable<string>) => void
    readonly leave: (collections: Iterable<string>) => void
    /** Somebody came by to read. */
    readonly touch: (collections: Iterable<string>) => void
    /** When somebody last read this member of a written family, ms of the steady clock; `Infinity` while somebody does. */
    readonly readAt: (member: string) => number
    /** What was read last before a time, ms of the steady clock, is as if it never was. */
    readonly forgetReads: (before: number) => void
    /** Polls what this collection is made of now; see `Poller.refresh`. */
    readonly refresh: (collection: string) => Effect.Effect<Refreshed>
  }
>()("ratecast/Upstream/Demand") {}

/** Asks a backend for rows that are older than what is kept here; `undefined` where there is none to ask. */
export const OlderRows = Context.Reference<(asked: OlderAsked) => ReturnType<Older> | undefined>(
  "ratecast/Upstream/OlderRows",
  { defaultValue: () => () => undefined }
)

export class Upstream extends Context.Service<
  Upstream,
  Demand["Service"] & {
    readonly readings: Effect.Effect<PubSub.Subscription<Reading>, never, Scope.Scope>
    /**
     * Starts polling: nothing may be lost before the engine listens. `known`: collections that have rows already; a
     * member of a family among them goes like any that nobody reads. `isLoading`: whether a collection that is loaded once
     * still has to be.
     */
    readonly start: (known: Iterable<string>, isLoading: (name: string) => boolean) => Effect.Effect<void>
    /** Asks a backend what it says of a write to a collection that has such a hook. */
    readonly ask: (write: HookedWrite<Row>) => ReturnType<Asking>
  }
>()("ratecast/Upstream") {
  static readonly layer = Layer.effectContext(
    Effect.gen(function* () {
      const catalog = yield* Catalog
      const client = yield* HttpClient.HttpClient
      const clock = steady(yield* Clock.Clock)
      const readings = yield* Effect.acquireRelease(PubSub.bounded<Reading>(readingsWaiting), PubSub.shutdown)
      const fibers = yield* FiberMap.make<string>()
      const pollers = new Map<string, Poller>()
      const demands = new Demands()
      /** Of members of written families, which are paged out when nobody reads them. */
      const reads = new Demands()
      const extraction = yield* makeExtraction(catalog)
      const hooks = new Map<unknown, Asking>()
      const olders = new Map<string, Older>()
      for (const declared of catalog.declared.values()) {
        if (declared.made._tag !== "Written") continue
        const { onHistory, onWrite } = declared.made.options
        if (typeof onWrite === "object" && !hooks.has(onWrite))
          hooks.set(onWrite, yield* makeHook(client, onWrite, (name) => declares(catalog, name)!.row))
        if (onHistory !== undefined) olders.set(declared.name, yield* makeOlder(client, declared, onHistory))
      }
      const run = yield* FiberMap.runtime(fibers)()

      const sourceOf = (name: string) => catalog.sources.get(familyOf(name)?.family ?? name)
      /** Whether a written collection still has to be read from where its rows were. */
      let isLoading: (name: string) => boolean = never
      const isDone = (name: string) => sourceOf(name)?.once === true && !isLoading(name)

      const polling = Effect.fnUntraced(function* (name: string) {
        const id = familyOf(name)?.id
        const extract = yield* extraction(name)
        const source = sourceOf(name)!
        const poller = yield* makePoller({
          name,
          source,
          poll:
            source.load === undefined
              ? makePoll(client, source, id, extract)
              : makeLoad(client, source.load, { collection: name, id }, extract),
          // What is loaded for everybody is wanted by everybody.
          demand: () => (source.once === true && id === undefined ? wanted : demands.of(name)),
          publish: (reading) => PubSub.publish(readings, reading)
        })
        pollers.set(name, poller)
        yield* poller.run
        if (isDone(name)) pollers.delete(name)
      }, Effect.scoped)

      const start = (name: string): void => {
        if (pollers.has(name) || isDone(name)) return
        const family = familyOf(name)?.family
        if (family === undefined) return void run(name, polling(name))
        makeRoom(family)
        run(name, polling(name).pipe(Effect.andThen(retire(name))))
      }

      const mostOf = (family: string) => catalog.sources.get(family)?.options.maxMembers ?? defaultMaxMembers

      /** The members that nobody reads and that were read longest ago go first. */
      const makeRoom = (family: string) => {
        const members = [...pollers.keys()].filter((name) => familyOf(name)?.family === family)
        if (members.length < mostOf(family)) return
        const unread = members
          .filter((name) => demands.of(name).readers === 0)
          .toSorted((a, b) => demands.of(a).touchedAt - demands.of(b).touchedAt)
        for (const name of unread.slice(0, members.length - mostOf(family) + 1)) {
          pollers.delete(name)
          run(name, retire(name))
        }
      }

      /** Nobody reads this member any more: its rows may go, and whoever comes later finds it as it was at first. */
      const retire = Effect.fnUntraced(function* (name: string) {
        pollers.delete(name)
        demands.forget(name)
        if (isDone(name)) return
        const at = yield* Clock.currentTimeMillis
        yield* PubSub.publish(readings, {
          source: name,
          at,
          outcome: { _tag: "Idle" },
          settled: Deferred.makeUnsafe<boolean>()
        })
        // Somebody came while it was being given up.
        if (demands.of(name).readers > 0) start(name)
      })

      const isWritten = (name: string) =>
        familyOf(name) !== undefined && declares(catalog, name)?.made._tag === "Written"

      const polls = function* (collections: Iterable<string>): Generator<string> {
        for (const collection of collections) yield* sourcesOf(catalog, collection)
      }

      const enter = (collections: Iterable<string>, readers: number) => {
        const now = clock.currentTimeMillisUnsafe()
        const names = [...collections]
        for (const name of names) if (isWritten(name)) reads.add(name, readers, now)
        for (const name of new Set(polls(names))) {
          if (isDone(name) && readers === 0) continue
          const before = demands.of(name)
          demands.add(name, readers, now)
          if (familyOf(name) !== undefined) start(name)
          if (before.readers === 0 && now - before.touchedAt >= wakeEvery) pollers.get(name)?.wake()
        }
      }

      const leave = (collections: Iterable<string>) => {
        const now = clock.currentTimeMillisUnsafe()
        const names = [...collections]
        for (const name of names) if (isWritten(name)) reads.add(name, -1, now)
        for (const name of new Set(polls(names))) {
          demands.add(name, -1, now)
          if (isDone(name)) demands.forget(name)
        }
      }

      const full = (collections: Iterable<string>) => {
        const members = new Map<string, number>()
        const count = (name: string) => {
          const family = familyOf(name)?.family
          if (family !== undefined) members.set(family, (members.get(family) ?? 0) + 1)
        }
        const asked = new Set([...collections].filter((name) => !isDone(name)))
        for (const name of asked) count(name)
        const more = [...members.keys()]
        // One that nobody reads gives way.
        if (more.length > 0)
          for (const name of pollers.keys()) if (!asked.has(name) && demands.of(name).readers > 0) count(name)
        return more.find((family) => members.get(family)! > mostOf(family))
      }

      const refresh = Effect.fn("Upstream.refresh")(function* (collection: string) {
        const asked = clock.currentTimeMillisUnsafe()
        enter([collection], 0)
        const found = sourcesOf(catalog, collection).flatMap((name) => pollers.get(name) ?? [])
        const refreshed = yield* Effect.forEach(found, (poller) => poller.refresh(asked), {
          concurrency: "unbounded"
        })
        return {
          refreshed: refreshed.some((each) => each.refreshed),
          ok: refreshed.every((each) => each.ok),
          retryAfterMs: Math.max(0, ...refreshed.map((each) => each.retryAfterMs))
        }
      })

      const made = Upstream.of({
        readings: PubSub.subscribe(readings),
        start: (known, needed) =>
          Effect.sync(() => {
            isLoading = needed
            for (const source of catalog.sources.values()) if (!source.family) start(source.name)
            for (const name of known) {
              const source = catalog.sources.get(familyOf(name)?.family ?? "")
              if (source?.family !== true || isDone(name)) continue
              run(name, Effect.sleep(timesOf(source).forgetAfter).pipe(Effect.andThen(retire(name))))
            }
          }),
        full: (collections) => Effect.sync(() => full(collections)),
        enter: (collections) => enter(collections, 1),
        leave,
        touch: (collections) => enter(collections, 0),
        ask: (write) => {
          const { made } = declares(catalog, write.collection)!
          return hooks.get((made as Written).options.onWrite)!(write)
        },
        readAt: (member) => (reads.of(member).readers > 0 ? Infinity : reads.of(member).touchedAt),
        forgetReads: (before) => reads.expire(before),
        refresh
      })
      return Context.make(Upstream, made).pipe(
        Context.add(Demand, made),
        Context.add(OlderRows, (asked) => olders.get(declares(catalog, asked.collection)!.name)?.(asked))
      )
    })
  )
}
