/** The sharing centre: what becomes of an order that is shared as a PDF, by e-mail or by a link. */
import { Schema } from "effect"
import { defineConfig, written } from "ratecast"

const Job = Schema.Struct({
  id: Schema.String,
  order: Schema.String,
  what: Schema.Literals(["PDF", "E-mail", "Link"]),
  state: Schema.Literals(["queued", "running", "done", "failed"]),
  /** Per cent. */
  progress: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })),
  /** When it came into this state, ms since 1970. */
  at: Schema.Int,
  /** Why it failed. */
  reason: Schema.optionalKey(Schema.String)
})

/** The workers put each job's row; pages read those of one order with `where=order:…`. */
const jobs = written({
  key: "id",
  row: Job,
  fixed: ["order", "what"],
  retain: { rows: 10_000, age: "1 day" }
})

export default defineConfig({ collections: { jobs } })
