/** A hub over one collection that changes when a test says so, and a disk from which it is started again. */
import { Clock, Effect, type Layer, Schema } from "effect"

import type { Catalog } from "../../src/Catalog.ts"
import type { Delta } from "../../src/Collection.ts"
import { defineConfig, polled, source } from "../../src/Config.ts"
import { Hub, type HubMemory, type Journal } from "../../src/Hub.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { type Client, connect, hubOf, queryOf, Script, settle } from "../Kit.ts"

interface Pool {
  readonly id: string
  readonly rate: number
}

const row = Schema.Struct({ id: Schema.String, rate: Schema.Finite })
/** Polls that nobody asks for come long after a test is over. */
const still = { every: "100 hours" } as const
const config = defineConfig({
  collections: {
    pools: polled({ source: source({ url: "http://up/pools", ...still }), key: "id", row, minKeep: 0 }),
    others: polled({ source: source({ url: "http://up/others", ...still }), key: "id", row })
  }
})

type Name = "pools" | "others"

export class Shop {
  readonly rows = { pools: new Map<string, Pool>(), others: new Map<string, Pool>() }
  private readonly disk = new Disk()
  private readonly script = new Script(({ url }) => ({
    body: [...this.rows[url.slice("http://up/".length) as Name].values()]
  }))

  constructor(...ids: ReadonlyArray<string>) {
    for (const name of ["pools", "others"] as const)
      for (const id of ids) this.rows[name].set(id, { id, rate: 0 })
  }

  /** One run of the hub, from its start to its end. */
  run<A, E>(
    body: Effect.Effect<A, E, Hub | Catalog>,
    {
      journal = layerMemory(this.disk),
      memory
    }: { journal?: Layer.Layer<Journal>; memory?: typeof HubMemory.Service } = {}
  ): Effect.Effect<A, E> {
    return Effect.andThen(settle, body).pipe(
      Effect.provide(hubOf(config as never, this.script, memory, journal))
    ) as Effect.Effect<A, E>
  }

  /** One commit: these rows have this rate now. */
  change(rate: number, ids: ReadonlyArray<string>, name: Name = "pools") {
    return Effect.gen({ self: this }, function* () {
      const { board } = yield* Hub
      const delta: Delta = {
        put: new Map(),
        set: new Map(ids.map((id) => [id, { row: { id, rate }, fields: ["rate"] }])),
        remove: [],
        evict: []
      }
      for (const id of ids) this.rows[name].set(id, { id, rate })
      yield* board.commit({
        at: yield* Clock.currentTimeMillis,
        deltas: new Map([[name, delta]]),
        asOf: new Map()
      })
    })
  }

  /** What the client holds is what there is, and it was never told what it had no use for. */
  isHeldBy(client: Client): boolean {
    const held = [...(client.rows.get("pools") ?? [])].map(([, fields]) => Object.fromEntries(fields))
    return client.refused === 0 && JSON.stringify(held) === JSON.stringify([...this.rows.pools.values()])
  }
}

export const ids = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `p${i}`)

/** A reader of all pools. */
export const come = (since?: string, client?: Client) =>
  Effect.gen(function* () {
    return yield* connect(yield* queryOf(["pools"]), { since, ...(client === undefined ? {} : { client }) })
  })

/** Comes back with the cursor it has. */
export const back = (client: Client) => {
  client.messages.length = 0
  return come(client.cursor, client)
}
