/** The contract of what every road tells, message by message (docs/protocol.md, *Messages*). */
import { Schema } from "effect"

import { Cursor, Row } from "./Vocabulary.ts"

const Rows = Schema.Record(Schema.String, Row)
export const State = Schema.Literals(["loading", "live", "stale"])
export const UpstreamError = Schema.Struct({ code: Schema.String, detail: Schema.String })

/** What is known of a collection, where it has changed. */
const health = {
  state: Schema.optionalKey(State),
  error: Schema.optionalKey(UpstreamError),
  asOf: Schema.optionalKey(Schema.Finite)
}

export const Snapshot = Schema.Struct({
  type: Schema.Literal("snapshot"),
  cursor: Cursor,
  reason: Schema.Literals(["initial", "epoch", "query", "diverged", "forgotten", "smaller"]),
  at: Schema.Finite,
  collections: Schema.Record(
    Schema.String,
    Schema.Struct({
      ...health,
      state: State,
      retain: Schema.optionalKey(
        Schema.Struct({ rows: Schema.Int, age: Schema.optionalKey(Schema.Finite) }).annotate({
          description: "What stays live of a written collection."
        })
      ),
      more: Schema.optionalKey(Schema.Boolean.annotate({ description: "Whether there are older rows." })),
      rows: Rows
    })
  )
}).annotate({ identifier: "Snapshot", description: "Replaces everything the client holds." })

export const Change = Schema.Struct({
  type: Schema.Literal("change"),
  from: Cursor,
  cursor: Cursor,
  commits: Schema.Int,
  at: Schema.Finite,
  collections: Schema.Record(
    Schema.String,
    Schema.Union([
      Schema.Struct({ ...health, rows: Rows }).annotate({ description: "Replaces this collection." }),
      Schema.Struct({
        ...health,
        remove: Schema.optionalKey(Schema.Array(Schema.String)),
        evict: Schema.optionalKey(Schema.Array(Schema.String)),
        skipped: Schema.optionalKey(Schema.Int),
        put: Schema.optionalKey(Rows),
        set: Schema.optionalKey(Rows),
        unset: Schema.optionalKey(Schema.Record(Schema.String, Schema.Array(Schema.String)))
      })
    ])
  )
}).annotate({ identifier: "Change", description: "Takes a client from `from` to `cursor`." })

export const Ping = Schema.Struct({
  type: Schema.Literal("ping"),
  from: Cursor,
  cursor: Cursor,
  at: Schema.Finite,
  interval: Schema.Finite.annotate({ description: "When the next one comes at the latest, ms." }),
  asOf: Schema.Record(Schema.String, Schema.Finite),
  connection: Schema.optionalKey(Schema.String),
  ticket: Schema.optionalKey(Schema.String)
}).annotate({
  identifier: "Ping",
  description: "Takes a client from `from` to `cursor`; no row has changed."
})

/** RFC 9457, as a socket tells it. */
export const ProblemDetails = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  code: Schema.String,
  detail: Schema.String
}).annotate({ identifier: "ProblemDetails" })

export const Goodbye = Schema.Struct({
  type: Schema.Literal("goodbye"),
  code: Schema.String,
  retryAfterMs: Schema.optionalKey(Schema.Finite),
  problem: Schema.optionalKey(ProblemDetails),
  ticket: Schema.optionalKey(Schema.String)
}).annotate({ identifier: "Goodbye", description: "The last message of a connection." })

/** What a refresh is answered. */
export const Refreshed = Schema.Struct({
  epoch: Schema.String,
  revision: Schema.Int,
  asOf: Schema.optionalKey(Schema.Finite),
  refreshed: Schema.Boolean,
  retryAfterMs: Schema.Finite
}).annotate({ identifier: "Refreshed" })
