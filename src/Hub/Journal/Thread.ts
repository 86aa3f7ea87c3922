/**
 * The thread that owns the journal's file. Commits that arrive while one is being written share the next transaction; a
 * checkpoint is made between them.
 */
import { parentPort, workerData } from "node:worker_threads"

import type { Entry, Expiring, Kept, Member, Past, PastAsked } from "../Journal.ts"
import { Database } from "./Database.ts"
import type { Memory } from "../State.ts"
import { type DatabaseMistake, mistakeOf } from "./Mistake.ts"

export type Request =
  | ({ readonly op: "open" } & Pick<Kept, "epoch" | "collections">)
  | { readonly op: "append"; readonly entry: Entry }
  | ({ readonly op: "replace" } & Pick<Kept, "collections" | "pieces">)
  | ({ readonly op: "past" } & PastAsked)
  | ({ readonly op: "expire" } & Expiring)
  | { readonly op: "keep"; readonly member: Member }
  | { readonly op: "member"; readonly name: string }
  | { readonly op: "close" }

export type Numbered = Request & { readonly id: number }

/** `id`: of the request that this answers. */
export interface Answer {
  readonly id: number
  readonly value?: Kept | ReadonlyArray<Past> | boolean | string | undefined
  readonly mistake?: Pick<DatabaseMistake, "trouble" | "message"> | undefined
}

const port = parentPort!
const { file, memory } = workerData as { readonly file: string; readonly memory: Memory }
let database: Database | undefined
let waiting: Array<{ readonly id: number; readonly entry: Entry }> = []
let checkpoint: Generator<void> | undefined

const answer = (id: number, run: () => Answer["value"] | void): void => {
  try {
    const value = run()
    port.postMessage({ id, value: value ?? undefined } satisfies Answer)
  } catch (error) {
    const { message, trouble } = mistakeOf(error)
    port.postMessage({ id, mistake: { message, trouble } } satisfies Answer)
  }
}

const flush = (): void => {
  const appends = waiting
  waiting = []
  if (appends.length === 0) return
  const mistakes: Array<DatabaseMistake> = []
  try {
    database!.append(appends.map(({ entry }) => entry))
    database!.checkPlace()
  } catch (error) {
    mistakes.push(mistakeOf(error))
  }
  for (const { id } of appends) {
    answer(id, () => {
      if (mistakes[0] !== undefined) throw mistakes[0]
    })
  }
  if (database!.wantsCheckpoint && checkpoint === undefined) {
    checkpoint = database!.checkpoint()
    setImmediate(proceed)
  }
}

const proceed = (): void => {
  if (checkpoint === undefined) return
  try {
    if (checkpoint.next().done === true) checkpoint = undefined
    // Commits that have come meanwhile go first.
    else setImmediate(proceed)
  } catch (error) {
    checkpoint = undefined
    // The log is all there still, and grows until another is tried.
    port.postMessage({ id: -1, mistake: mistakeOf(error) } satisfies Answer)
  }
}

port.on("message", (request: Numbered) => {
  const { id } = request
  switch (request.op) {
    case "open":
      return answer(id, () => {
        database = new Database(file, request, memory)
        return database.load()
      })
    case "append":
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ id, entry: request.entry })
      return
    case "past":
      // What was appended before it was asked is history by now.
      flush()
      return answer(id, () => database!.past(request))
    case "expire":
      flush()
      return answer(id, () => database!.expire(request))
    case "keep":
      // What it shows has to be in the log before it.
      flush()
      return answer(id, () => database!.keep(request.member))
    case "member":
      return answer(id, () => database!.member(request.name))
    case "replace":
      flush()
      return answer(id, () => {
        checkpoint = undefined
        database!.replace(request)
      })
    case "close":
      flush()
      answer(id, () => {
        checkpoint = undefined
        database?.close()
      })
      return port.close()
  }
})
