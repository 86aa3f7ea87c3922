/**
 * The other end of `Thread`: it holds the rows as they were told last, and turns what changed into the same extracts as
 * would have been made here. The thread starts with the first large body, ends with the scope, and begins anew when it
 * died. One body is in it at a time; what waits longer than its poll may is given up, and with it the thread it is in.
 */
import { Worker } from "node:worker_threads"

import { Deferred, Effect, type Scope, Semaphore } from "effect"

import type { Catalog, ConfigFile } from "../Catalog.ts"
import { type Row, sameJson } from "../Collection.ts"
import { entryBeside } from "../Entry.ts"
import type { Body } from "./Body.ts"
import type { Edition } from "./Edition.ts"
import { advance, type Extract, sinceOf } from "./Extract.ts"
import { broken, notJson, type PollFailed } from "./Failure.ts"
import { signatureOf } from "./Signature.ts"
import type { Answer, Request, Told } from "./Thread.ts"

export interface Thread {
  /** `undefined`: the thread may not be used. `before`: rows that it has not been told of yet, by collection. */
  readonly extract: (
    source: string,
    bodies: ReadonlyArray<Body>,
    before: (collection: string) => Edition
  ) => Effect.Effect<ReadonlyMap<string, Extract> | undefined, PollFailed>
  readonly forget: (source: string) => void
}

const startWithin = "30 seconds"

interface Live {
  readonly worker: Worker
  /** `false`: it has loaded another config than this daemon. */
  readonly ready: Deferred.Deferred<boolean, PollFailed>
  /** Takes the answer to what it was asked last. */
  resume: ((answer: Effect.Effect<Answer, PollFailed>) => void) | undefined
}

export const makeThread = Effect.fnUntraced(function* (
  catalog: Catalog["Service"],
  { path }: ConfigFile
): Effect.fn.Return<Thread, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const turn = yield* Semaphore.make(1)
  const signature = signatureOf(catalog)
  let live: Live | undefined
  let refused = false
  let ids = 0
  /** By source, then by collection: what the thread and this side both know. */
  const mirrors = new Map<string, Map<string, Edition>>()

  const end = (each: Live, cause: unknown): void => {
    if (live === each) live = undefined
    Deferred.doneUnsafe(each.ready, Effect.fail(broken(cause)))
    each.resume?.(Effect.fail(broken(cause)))
    each.resume = undefined
    void each.worker.terminate()
  }

  const start = Effect.sync(() => {
    const worker = new Worker(entryBeside("./Thread", import.meta.url), { workerData: { path } })
    const made: Live = { worker, ready: Deferred.makeUnsafe(), resume: undefined }
    live = made
    worker.on("message", (answer: Answer) => {
      if (answer.op === "ready") {
        Deferred.doneUnsafe(made.ready, Effect.succeed(answer.signature === signature))
        return
      }
      const { resume } = made
      made.resume = undefined
      resume?.(Effect.succeed(answer))
    })
    worker.on("error", (error) => end(made, error))
    worker.on("exit", (code) => end(made, `the thread that reads bodies ended with ${code}`))
    return made
  })

  /** The start is nobody's poll: one that cannot wait for it leaves it running, and the next finds it done. */
  const started = Effect.suspend(() => {
    if (live !== undefined) return Effect.succeed(live)
    return Effect.tap(start, (made) =>
      Effect.sleep(startWithin).pipe(
        Effect.andThen(Deferred.isDone(made.ready)),
        Effect.map((done) => (done ? undefined : end(made, `did not start within ${startWithin}`))),
        Effect.raceFirst(Effect.exit(Deferred.await(made.ready))),
        Effect.forkIn(scope)
      )
    )
  })

  const ask = (to: Live, request: Request, transfer: ReadonlyArray<ArrayBuffer> = []) =>
    Effect.callback<Answer, PollFailed>((resume) => {
      if (live !== to) return resume(Effect.fail(broken("the thread that reads bodies has ended")))
      to.resume = resume
      to.worker.postMessage(request, transfer)
    })

  const follow = Effect.fnUntraced(function* (
    to: Live,
    source: string,
    bodies: ReadonlyArray<Body>,
    before: (collection: string) => Edition
  ) {
    const id = ids++
    const sent = bodies.map(({ bytes }) => owned(bytes))
    const answer = yield* ask(
      to,
      { op: "extract", id, source, bodies: sent },
      sent.map(({ buffer }) => buffer)
    )
    if (answer.op === "notJson") return yield* notJson(answer.reason)
    if (answer.op !== "told") return yield* Effect.die(answer.op === "broken" ? answer.reason : answer.op)
    const mirror = mirrors.get(source) ?? new Map<string, Edition>()
    mirrors.set(source, mirror)
    const heard = new Map<string, Map<string, Row>>(
      answer.extracts.map(({ collection }) => [collection, new Map()])
    )
    const known = (collection: string) => mirror.get(collection) ?? before(collection)
    for (;;) {
      const more = yield* ask(to, { op: "more", id })
      if (more.op !== "piece" || more.piece === undefined) break
      const { collection, keys, rows } = more.piece
      const [old, into] = [known(collection), heard.get(collection)!]
      for (let i = 0; i < keys.length; i++) {
        const was = old.get(keys[i]!)
        into.set(keys[i]!, was !== undefined && sameJson(was, rows[i]!) ? was : rows[i]!)
      }
    }
    const extracts = new Map<string, Extract>()
    for (const told of answer.extracts) {
      const extract = extractOf(told, known(told.collection), heard.get(told.collection)!)
      mirror.set(told.collection, extract.rows)
      extracts.set(told.collection, extract)
    }
    return extracts
  })

  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      const last = live
      live = undefined
      await last?.worker.terminate()
    })
  )

  return {
    extract: (source, bodies, before) =>
      turn.withPermits(1)(
        Effect.gen(function* () {
          if (refused) return undefined
          const to = yield* started
          if (!(yield* Deferred.await(to.ready))) {
            refused = true
            end(to, "another config")
            yield* Effect.logWarning(
              "the config file has changed since the start: large bodies hold up readers until the daemon is started again"
            )
            return undefined
          }
          return yield* follow(to, source, bodies, before).pipe(
            Effect.onInterrupt(() => Effect.sync(() => end(to, "its poll was given up")))
          )
        }).pipe(
          Effect.tapError(({ code, cause }) =>
            code === "upstream_not_json"
              ? Effect.void
              : Effect.logError("the thread that reads bodies failed", cause)
          )
        )
      ),
    forget: (source) => {
      mirrors.delete(source)
      live?.worker.postMessage({ op: "forget", source } satisfies Request)
    }
  }
})

/** Bytes that nobody else has a part of, so that they can be handed over. */
const owned = (bytes: Buffer): Uint8Array<ArrayBuffer> =>
  bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer
    ? new Uint8Array(bytes.buffer)
    : new Uint8Array(bytes)

const extractOf = (told: Told, before: Edition, heard: ReadonlyMap<string, Row>): Extract => {
  const { anew, bad, failure, gone, mended, notes } = told
  const own = { failure, notes, bad, mended }
  if (failure !== undefined) return { ...own, rows: before, since: undefined }
  const since = anew ? sinceOf(before, heard) : { rows: before, changed: heard, gone }
  return { ...own, rows: advance(since), since }
}
