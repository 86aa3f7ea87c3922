/** Support: a thread for each customer that nobody else sees, and a staff that sees them all. */
import { Clock, Effect, Schema } from "effect"
import { defineConfig, refuse, written } from "ratecast"

const Message = Schema.Struct({
  id: Schema.String,
  text: Schema.String.check(Schema.isPattern(/\S/), Schema.isMaxLength(2000)),
  /** Whoever the token says, whatever the sender says. */
  author: Schema.optionalKey(Schema.String),
  /** When it was sent, ms since 1970, by our clock. */
  at: Schema.optionalKey(Schema.Int)
})

/** The id of the member is that of the customer; tokens say who may which (`support:{sub}`, or `support:*`). */
const support = written({
  key: "id",
  row: Message,
  edits: false,
  retain: { rows: 200 },
  writeEvery: "1 second",
  pageOutAfter: "30 minutes",
  keep: { rows: Infinity },
  onWrite: ({ op, row, sub }) => {
    if (sub === undefined || row === undefined) return refuse("a message has an author, who shows a token")
    // A key of somebody's own choice could sort before or after everything.
    if (op !== "append") return refuse("a message is sent with POST")
    return Effect.map(Clock.currentTimeMillis, (at) => ({ ...row, author: sub, at }))
  }
})

export default defineConfig({ collections: { "support:{uid}": support } })
