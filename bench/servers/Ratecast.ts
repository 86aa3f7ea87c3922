/**
 * The daemon, with all its roads, fed by commits instead of an upstream.
 *
 * node bench/servers/Ratecast.ts ROWS SPARE, port in PORT. "go BYTES RATE": changes of a few rows, the first of them stamped;
 * "zipf KEYS RATE": changes of keys that people ask for; "nobody KEYS RATE": of keys that nobody asks for; "commits N":
 * so many at once; "stop".
 */
import "effect/schema/SchemaJITCompiler/enable"

import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Logger } from "effect"

import { Catalog } from "../../src/Catalog.ts"
import type { Delta, Edit, Row } from "../../src/Collection.ts"
import { layerDaemon } from "../../src/Daemon.ts"
import { Hub, Journal } from "../../src/Hub.ts"
import { Settings } from "../../src/Settings.ts"
import { keyOf, rate, stamp } from "../Event.ts"
import { commands, say } from "../Probe.ts"
import { ratesCatalog } from "../Rates.ts"
import { Zipf } from "../Zipf.ts"

const rows = Number(process.argv[2] ?? 100)
/** Rows behind those that anybody asks for. */
const spare = Number(process.argv[3] ?? 0)
/** A change without its rows: type, two cursors, time, names. */
const envelope = 165

const delta = (part: Partial<Delta>): Delta => ({
  put: new Map(),
  set: new Map(),
  remove: [],
  evict: [],
  ...part
})

const edit = (id: string, value: string): readonly [string, Edit] => [
  id,
  { row: { id, rate: value }, fields: ["rate"] }
]

const program = Effect.gen(function* () {
  const hub = yield* Hub
  const commit = (made: Delta) =>
    Effect.runPromise(
      hub.board.commit({ at: Date.now(), deltas: new Map([["rates", made]]), asOf: new Map() })
    )

  const first = new Map<string, Row>([["first", { id: "first", rate: stamp() }]])
  for (let i = 0; i < rows + spare; i++) first.set(keyOf(i), { id: keyOf(i), rate: rate(i, 0) })
  yield* Effect.promise(() => commit(delta({ put: first })))

  let n = 0
  let events = 0
  let timer: NodeJS.Timeout | undefined
  const every = (perSecond: string | undefined, make: () => ReadonlyArray<readonly [string, Edit]>) => {
    events = 0
    timer = setInterval(
      () => {
        events++
        n++
        void commit(delta({ set: new Map(make()) }))
      },
      1000 / Number(perSecond)
    )
    return {}
  }
  const sized = (bytes: number) => {
    const edits = [edit("first", stamp())]
    for (let i = 0, length = envelope + 50; length + 45 <= bytes; i++, length += 40)
      edits.push(edit(keyOf(i), rate(i, n)))
    return edits
  }
  commands.set("go", ([bytes, perSecond]) => every(perSecond, () => sized(Number(bytes))))
  commands.set("zipf", ([count, perSecond]) => {
    const zipf = new Zipf(rows, 7)
    return every(perSecond, () => [...zipf.keys(Number(count))].map((key) => edit(key, rate(n % 997, n))))
  })
  commands.set("nobody", ([count, perSecond]) =>
    every(perSecond, () =>
      Array.from({ length: Number(count) }, (_, i) => edit(keyOf(rows + (i % spare)), rate(i, n)))
    )
  )
  commands.set("commits", async ([count]) => {
    for (let i = 0; i < Number(count); i++, n++) await commit(delta({ set: new Map(sized(2_000)) }))
    return {}
  })
  commands.set("stop", () => {
    clearInterval(timer)
    return { events }
  })
  say({ port: Number(process.env["PORT"]) })
  return yield* Effect.never
})

Effect.runFork(
  program.pipe(
    Effect.provide(layerDaemon),
    Effect.provide(Journal.layerNone),
    Effect.provide(NodeHttpClient.layerUndici),
    Effect.provide(Layer.succeed(Catalog, ratesCatalog as Catalog["Service"])),
    Effect.provide(Settings.layer),
    Effect.provide(Logger.layer([]))
  )
)
