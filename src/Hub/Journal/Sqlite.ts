/** The journal in one SQLite file, written by a thread of its own: a first commit of 42,000 rows would hold the readers' loop for 80 ms. */
import { Worker } from "node:worker_threads"

import { Deferred, Effect, Layer } from "effect"

import { entryBeside } from "../../Entry.ts"
import { Journal, JournalFailed, type Kept, type Past } from "../Journal.ts"
import { HubMemory } from "../Memory.ts"
import type { Answer, Numbered, Request } from "./Thread.ts"

const closeWithin = "5 seconds"

/** `file`: where the journal is kept; its folder is made where there is none. */
export const layerSqlite = (file: string) =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const waiting = new Map<number, (answer: Answer) => void>()
      const context = yield* Effect.context<never>()
      let ids = 0
      const lost = Deferred.makeUnsafe<never, JournalFailed>()
      let dead: string | undefined

      const worker = new Worker(entryBeside("./Thread", import.meta.url), {
        workerData: { file, memory: yield* HubMemory }
      })
      worker.on("message", (answer: Answer) => {
        if (answer.id === -1) {
          return void Effect.runForkWith(context)(
            Effect.logWarning(`no checkpoint could be made: ${answer.mistake!.message}`)
          )
        }
        const resume = waiting.get(answer.id)
        waiting.delete(answer.id)
        resume?.(answer)
      })
      const die = (detail: string) => {
        // Its exit follows the error that is the reason.
        dead ??= detail
        for (const [id, resume] of waiting) resume({ id, mistake: failed(dead) })
        waiting.clear()
        Deferred.doneUnsafe(lost, Effect.fail(new JournalFailed({ file, trouble: "failed", detail: dead })))
      }
      worker.on("error", (error) => die(String(error)))
      worker.on("exit", () => die("its thread has ended"))

      const ask = (request: Request): Effect.Effect<Answer["value"], JournalFailed> =>
        Effect.callback<Answer>((resume) => {
          const id = ids++
          if (dead !== undefined) return resume(Effect.succeed({ id, mistake: failed(dead) }))
          waiting.set(id, (answer) => resume(Effect.succeed(answer)))
          worker.postMessage({ ...request, id } satisfies Numbered)
        }).pipe(
          Effect.flatMap(({ mistake, value }) =>
            mistake === undefined
              ? Effect.succeed(value)
              : Effect.fail(new JournalFailed({ file, trouble: mistake.trouble, detail: mistake.message }))
          )
        )

      yield* Effect.addFinalizer(() =>
        ask({ op: "close" }).pipe(
          Effect.catch((error) => Effect.logWarning(error.message)),
          Effect.andThen(Effect.promise(() => worker.terminate())),
          // A disk that hangs must not keep the process from ending: what was acknowledged is kept.
          Effect.timeoutOrElse({
            duration: closeWithin,
            orElse: () => Effect.logWarning(`the journal ${file} is not closed, its disk does not answer`)
          })
        )
      )
      return Journal.of({
        open: (fresh) => Effect.map(ask({ op: "open", ...fresh }), (kept) => kept as Kept),
        append: (entry) => Effect.asVoid(ask({ op: "append", entry })),
        past: (asked) =>
          Effect.map(ask({ op: "past", ...asked }), (rows) => rows as ReadonlyArray<Past> | undefined),
        expire: (expiring) => Effect.map(ask({ op: "expire", ...expiring }), (more) => more === true),
        keepMember: (member) => Effect.asVoid(ask({ op: "keep", member })),
        member: (name) => Effect.map(ask({ op: "member", name }), (text) => text as string | undefined),
        replace: (kept) => Effect.asVoid(ask({ op: "replace", ...kept })),
        lost: Deferred.await(lost),
        outlives: () => true,
        file
      })
    })
  )

const failed = (message: string) => ({ trouble: "failed", message }) as const
