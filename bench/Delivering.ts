/**
 * The delivery loop alone: readers in memory, whose connections take everything and do nothing. No kernel is in it, so it
 * says the same on a busy machine, and every microsecond in it is ours.
 */
import { Effect, Layer } from "effect"

import { Catalog } from "../src/Catalog.ts"
import { type Framing, Hub, Journal, makeQuery } from "../src/Hub.ts"
import { Demand } from "../src/Upstream.ts"
import { keyOf, rate } from "./Event.ts"
import { ratesCatalog } from "./Rates.ts"

const catalog = ratesCatalog as Catalog["Service"]
const { collection } = catalog.declared.get("rates")!

const layer = Hub.layer.pipe(
  Layer.provide(
    Layer.succeed(Demand, {
      enter: () => {},
      leave: () => {},
      touch: () => {},
      readAt: () => Infinity,
      forgetReads: () => {},
      full: () => Effect.succeed(undefined),
      refresh: () => Effect.die("nobody asks")
    })
  ),
  Layer.provide(Journal.layerNone),
  Layer.provide(Layer.succeed(Catalog, catalog))
)

const readers = 1_000
const rowsOf = (n: number) => Array.from({ length: 40 }, (_, i) => ({ id: keyOf(i), rate: rate(i, n) }))

const cpu = async (run: () => Promise<void> | void): Promise<number> => {
  const before = process.cpuUsage()
  await run()
  const { system, user } = process.cpuUsage(before)
  return system + user
}

const delivering = (events: number, framing: Framing) =>
  Effect.gen(function* () {
    const hub = yield* Hub
    let delivered = 0
    const sink = {
      framing,
      write: (frame: { readonly in: (framing: Framing) => { readonly bytes: number } }) => {
        if (frame.in(framing).bytes > 0) delivered++
        return true
      },
      end: () => {}
    }
    const commit = (n: number) => {
      const made = rowsOf(n)
      const put = new Map(n === 0 ? made.map((row) => [row.id, row]) : [])
      const set = new Map(n === 0 ? [] : made.map((row) => [row.id, { row, fields: ["rate"] }]))
      return hub.board.commit({
        at: n,
        deltas: new Map([["rates", { put, set, remove: [], evict: [] }]]),
        asOf: new Map()
      })
    }
    yield* commit(0)
    const query = makeQuery([["rates", { collection, keys: undefined, fields: undefined, where: [] }]])
    for (let i = 0; i < readers; i++) {
      const reader = hub.enter(query, sink, { interval: 0, once: false })
      yield* hub.open(reader, { since: undefined, notBefore: 0 })
    }
    const cast = Effect.fnUntraced(function* (from: number, to: number) {
      for (let n = from; n < to; n++) {
        const wanted = delivered + readers
        yield* commit(n)
        // The loop leaves the event loop to others every few ms; all of them have it before the next one.
        yield* Effect.yieldNow.pipe(Effect.repeat({ while: () => delivered < wanted }))
      }
    })
    yield* cast(1, 50)
    const context = yield* Effect.context<never>()
    const spent = yield* Effect.promise(() =>
      cpu(() => Effect.runPromiseWith(context)(cast(50, 50 + events)))
    )
    return spent / events / readers
  }).pipe(Effect.provide(layer), Effect.scoped, Effect.runPromise)

/** CPU to hand one event to one reader, over that to encode it once: what a server pays that encodes for each. */
export const deliveringRatio = async (framing: Framing): Promise<number> => {
  const own = await delivering(200, framing)
  const event = { set: Object.fromEntries(rowsOf(1).map((row) => [row.id, { rate: row.rate }])) }
  const rounds = 20_000
  const encode = () => {
    for (let i = 0; i < rounds; i++) Buffer.from(`event: change\ndata: ${JSON.stringify(event)}\n\n`)
  }
  encode()
  return own / ((await cpu(encode)) / rounds)
}
