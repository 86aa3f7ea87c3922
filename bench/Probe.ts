/**
 * Loaded before a Node server (`node --import`), also before the daemon as it is shipped: looks at its memory and its
 * event loop when it is asked to, and takes a CPU profile.
 *
 * stdin: "memory", "collect", "loop", "profile", "profiled FILE". stdout: lines of "@ {json}".
 */
import { writeFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { createInterface } from "node:readline"
import { isMainThread } from "node:worker_threads"

export type Handler = (args: ReadonlyArray<string>) => object | Promise<object>

/** What else a server understands. */
export const commands = new Map<string, Handler>()
export const say = (answer: object): void => void process.stdout.write(`@ ${JSON.stringify(answer)}\n`)

const memory = () => {
  const { arrayBuffers, external, heapUsed, rss } = process.memoryUsage()
  return { rss: rss / 1024, heap: heapUsed / 1024, external: (external + arrayBuffers) / 1024 }
}

/** How late a timer of 1 ms came, ms. */
const late = (ns: number): number => Math.max(0, ns / 1e6 - 1)

const listen = () => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let session: Session | undefined

  commands.set("memory", memory)
  commands.set("collect", () => {
    globalThis.gc?.()
    globalThis.gc?.()
    return memory()
  })
  /** Since the last look. */
  commands.set("loop", () => {
    const seen = { max: late(delay.max), p99: late(delay.percentile(99)) }
    delay.reset()
    return seen
  })
  commands.set("profile", async () => {
    session = new Session()
    session.connect()
    await session.post("Profiler.enable")
    await session.post("Profiler.setSamplingInterval", { interval: 200 })
    await session.post("Profiler.start")
    return {}
  })
  commands.set("profiled", async ([file]) => {
    const { profile } = await session!.post("Profiler.stop")
    writeFileSync(file!, JSON.stringify(profile))
    session!.disconnect()
    return {}
  })

  createInterface({ input: process.stdin })
    .on("line", async (line) => {
      const [name = "", ...args] = line.split(" ")
      const handler = commands.get(name)
      say(handler === undefined ? { error: `unknown command ${name}` } : await handler(args))
    })
    .on("close", () => process.exit())
}

// Threads of the server load this, too; stdin is the main thread's.
if (isMainThread) listen()
