/** Readers in a process of their own, counted event by event: in C where there is a compiler, else in Node. */
import { join } from "node:path"

import { Child, cores } from "./Child.ts"
import type { Counting } from "./Contestants.ts"
import { load } from "./Native.ts"

export interface Counted {
  readonly messages: number
  readonly bytes: number
  /** Of the reader that got fewest, and of the one that got most. */
  readonly least: number
  readonly most: number
  /** Connections that broke or were refused. */
  readonly lost: number
  /** Of stamped events: ms from stamp to reader; -1 where there were none. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface Readers {
  /** From the first connect until everybody was answered, s; and what each waited, ms. */
  readonly connected: {
    readonly ready: number
    readonly lost: number
    readonly seconds: number
    readonly p50: number
    readonly p99: number
  }
  readonly count: () => Promise<Counted>
  /** Counts from now on. */
  readonly reset: () => Promise<unknown>
  /** CPU of the readers' own process, s. */
  readonly cpu: number
  readonly kill: () => void
}

export interface Crowd {
  readonly port: number
  readonly readers: number
  /** Reader `i` sends the `i`th, counted round. */
  readonly requests: ReadonlyArray<string>
  readonly counting: Counting
  /** What a reader must have got to count as answered: the end of the head, or more. */
  readonly ready?: string | undefined
  readonly mark?: string
  /** What each says once it is answered, in hex. */
  readonly greeting?: string | undefined
  /** Connections under way at once. */
  readonly together?: number
  /** So many of them read nothing after the answer. */
  readonly stalled?: number
}

export const startReaders = async (crowd: Crowd): Promise<Readers> => {
  const { counting, greeting = "", mark = "@T", port, readers, ready = "\r\n\r\n", requests } = crowd
  const { stalled = 0, together = 200 } = crowd
  const args = [port, readers, together, stalled, counting, ready, mark, greeting].map(String)
  const child = Child.start(
    "readers",
    cores.load,
    "path" in load
      ? [load.path, ...args]
      : [process.execPath, join(import.meta.dirname, "ReadersInNode.ts"), ...args]
  )
  const bytes = requests.map((request) => Buffer.from(request, "latin1"))
  child.write(`${bytes.length}\n`)
  for (const request of bytes) {
    child.write(`${request.length}\n`)
    child.write(request)
  }
  const connected = (await child.answer()) as unknown as Readers["connected"]
  return {
    connected,
    count: async () => (await child.ask("count")) as unknown as Counted,
    reset: () => child.ask("reset"),
    get cpu() {
      return child.cpu
    },
    kill: () => child.kill()
  }
}
