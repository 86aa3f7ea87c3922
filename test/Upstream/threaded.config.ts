/** What `Threaded.test.ts` reads in a thread and in its own. */
import { Schema } from "effect"

import { Decimal, defineConfig, derived, polled, source } from "../../src/Config.ts"

const Row = Schema.Struct({
  id: Schema.String,
  rate: Decimal,
  n: Schema.optionalKey(Schema.Finite),
  all: Schema.optionalKey(Schema.Array(Schema.String))
})
const at = (path: string) => ({ url: `http://up/${path}` })

const list = polled({ source: source(at("list")), key: "id", row: Row, keep: ({ rate }) => rate !== "0" })
const shared = source({ ...at("deep"), rows: "data.rows" })
const deep = polled({ source: shared, key: "id", row: Row, maxBad: 0.3 })
const beside = polled({
  source: shared,
  rows: "data.beside",
  key: "id",
  row: Row,
  allowEmpty: true,
  duplicates: "first"
})
const tolerant = polled({
  source: source(at("tolerant")),
  key: "id",
  row: Row,
  tolerance: { rate: { absolute: 2 }, n: { every: "3 seconds" } }
})
const paged = polled({
  source: source({ ...at("paged"), pages: { by: "page", parameter: "p", size: 10 } }),
  key: "id",
  row: Row
})

interface Pair {
  readonly id: string
  readonly rate: unknown
  readonly does?: string
}
const made = polled({
  source: source(at("made")),
  key: "id",
  row: Row,
  rows: (body: ReadonlyArray<Pair>) => {
    if (body[0]?.does === "exit") process.exit(3)
    while (body[0]?.does === "hang");
    return body.map((pair) => ({ key: `m/${pair.id}`, row: { ...pair, id: `m/${pair.id}` } }))
  }
})

const Total = Schema.Struct({ id: Schema.String, rows: Schema.Finite })
const total = derived({
  from: { list, deep },
  key: "id",
  row: Total,
  rows: ({ deep, list }) => [{ key: "all", row: { id: "all", rows: deep.size + list.size } }]
})

export default defineConfig({ collections: { list, deep, beside, tolerant, paged, made, total } })
