/**
 * What the process takes of the machine: memory, and file descriptors, one for each connection. When those run out the
 * kernel's connections are taken and closed at once, and neither Node nor the client is told why (libuv does so on
 * EMFILE), so it has to be said here, and before.
 */
import { readdir, readFile } from "node:fs/promises"

import { Effect, Layer, Metric, Schedule } from "effect"

const open = Metric.gauge("process_open_fds", { description: "Open file descriptors" })
const most = Metric.gauge("process_max_fds", { description: "Most file descriptors that may be open" })

const resident = Metric.gauge("process_resident_memory_bytes", { description: "Resident memory, bytes" })

const every = "5 seconds"
/** Shares of the limit: from here on it is said, and below that it may be said again. */
const high = 0.9
const low = 0.8

/** Of this process. proc(5); other systems have no such folder, and nothing is said there. */
const limits = Effect.promise(() => readFile("/proc/self/limits", "utf8").catch(() => "")).pipe(
  Effect.map((text) => Number(/^Max open files\s+(\d+)/m.exec(text)?.[1] ?? Infinity))
)

/** Counting takes one itself, so where there is none left all are open. */
const opened = (limit: number) =>
  Effect.promise(() =>
    readdir("/proc/self/fd").then(
      ({ length }) => length - 1,
      () => limit
    )
  )

export const layerVitals = Layer.effectDiscard(
  Effect.gen(function* () {
    const limit = yield* limits
    if (limit !== Infinity) yield* Metric.update(most, limit)
    let warned = false
    const look = Effect.gen(function* () {
      yield* Metric.update(resident, process.memoryUsage.rss())
      if (limit === Infinity) return
      const now = yield* opened(limit)
      yield* Metric.update(open, now)
      if (now < low * limit) warned = false
      if (warned || now < high * limit) return
      warned = true
      yield* Effect.logWarning(
        `${now} of ${limit} file descriptors are open; clients beyond that are turned away without a word. ` +
          "Set LimitNOFILE=65536 in the service file, or ulimit -n 65536"
      )
    })
    yield* look.pipe(Effect.repeat(Schedule.spaced(every)), Effect.forkScoped)
  })
)
