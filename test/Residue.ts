/**
 * What must be left of a hub after a test: no reader, no fiber, no timer. Tests that stand on `Rig` or on `Daemon` are
 * looked at when their hub is closed, and fail by the name of what is left.
 */
import { subscribe } from "node:diagnostics_channel"
import type { Socket } from "node:net"

import { Clock, Effect, Layer, Metric } from "effect"

import { Hub } from "../src/Hub.ts"
import type { Reader } from "../src/Hub/Audience.ts"
import { Deadlines } from "../src/Hub/Deadlines.ts"

/** Snapshot messages are let go of this long after everybody has left, ms: theirs are the only deadlines then. */
const openingKept = 1_000

/** All deadlines of a hub: found by setting one more. */
const deadlinesOf = (hub: Hub["Service"]): Deadlines => {
  const { set } = Deadlines.prototype
  const found: Array<Deadlines> = []
  Deadlines.prototype.set = function (at, fire, of) {
    found.push(this)
    return set.call(this, at, fire as (now: number, of: unknown) => void, of)
  }
  hub.after(Infinity, () => {})()
  Deadlines.prototype.set = set
  return found[0]!
}

class Left extends Error {}

/** Fibers that run with the services of a layer: its own, and not those of the test around it. */
class Fibers implements Metric.FiberRuntimeMetricsService {
  count = 0
  readonly recordFiberStart = (): void => void this.count++
  readonly recordFiberEnd = (): void => void this.count--
}

const breath = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

/** Built before everything else, so it is the last to look. `wait`: the last ones end in the turns that follow. */
const noFibersAfter = (wait: Effect.Effect<void>) =>
  Layer.effect(
    Metric.FiberRuntimeMetrics,
    Effect.acquireRelease(
      Effect.sync(() => new Fibers()),
      Effect.fnUntraced(function* (fibers) {
        for (let turns = 0; fibers.count > 0 && turns < 50; turns++) yield* wait
        if (fibers.count > 0) yield* Effect.die(new Left(`${fibers.count} fibers are left of a closed hub`))
      })
    )
  )

/** For a daemon over sockets, in the time of this process. */
export const noFibers = noFibersAfter(Effect.sleep("20 millis"))

/** How many readers the hub counts. */
export const readersNow = Effect.map(Metric.snapshot, (metrics) => {
  const gauge = metrics.find(({ id }) => id === "hub_readers")
  return gauge?.type === "Gauge" ? Number(gauge.state.value) : 0
})

/** Built after the hub, so it looks while that still runs. */
const noReaders = Layer.effectDiscard(
  Effect.gen(function* () {
    const hub = yield* Hub
    const deadlines = deadlinesOf(hub)
    const entered = new Set<Reader>()
    const { enter } = hub
    Object.assign(hub, {
      enter: (...asked: Parameters<typeof enter>) => {
        const reader = enter(...asked)
        entered.add(reader)
        return reader
      }
    })
    yield* Effect.addFinalizer(
      Effect.fnUntraced(function* () {
        for (const reader of entered) hub.leave(reader)
        const latest = (yield* Clock.currentTimeMillis) + openingKept
        const timers = deadlines["heap"].filter(({ at }) => at > latest)
        const readers = Math.max(yield* readersNow, [...entered].filter(({ gone }) => !gone).length)
        if (readers > 0) yield* Effect.die(new Left(`${readers} readers are left though everybody has left`))
        if (timers.length > 0)
          yield* Effect.die(new Left(`${timers.length} timers are left though everybody has left`))
      })
    )
  })
)

/** Everybody leaves before the hub is closed; what is left then, or after that, fails the test. */
export const leavingNothing = <A, E, R>(layer: Layer.Layer<A | Hub, E, R>): Layer.Layer<A | Hub, E, R> =>
  noReaders.pipe(Layer.provideMerge(layer), Layer.provide(noFibersAfter(breath)))

/** The server's ends of the connections of this process. */
const accepted = new Set<Socket>()
subscribe("net.server.socket", (message) => {
  const { socket } = message as { readonly socket: Socket }
  accepted.add(socket)
  socket.once("close", () => accepted.delete(socket))
})

/** Throws where the server that listened here has not let go of a connection. */
export const noSockets = (port: number): void => {
  const left = [...accepted].filter(({ destroyed, localPort }) => localPort === port && !destroyed)
  if (left.length > 0) throw new Left(`${left.length} connections are left of a closed daemon`)
}

/** What keeps this process alive, by kind, but for the pipes to the one that started it. */
export const resources = (): { readonly [kind: string]: number } =>
  Object.fromEntries(
    Map.groupBy(process.getActiveResourcesInfo(), (kind) => kind)
      .entries()
      .filter(([kind]) => kind !== "PipeWrap")
      .map(([kind, each]) => [kind, each.length])
  )
