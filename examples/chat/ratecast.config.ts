/** A public chat: the last 500 messages are live, the others are history. */
import { Clock, Effect, Schema } from "effect"
import { defineConfig, refuse, written } from "ratecast"

const Message = Schema.Struct({
  id: Schema.String,
  author: Schema.String.check(Schema.isPattern(/\S/), Schema.isMaxLength(40)),
  text: Schema.String.check(Schema.isPattern(/\S/), Schema.isMaxLength(2000)),
  /** When it was sent and last edited, ms since 1970, by our clock whatever the sender says. */
  at: Schema.optionalKey(Schema.Int),
  edited: Schema.optionalKey(Schema.Int)
})

const chat = written({
  key: "id",
  row: Message,
  retain: { rows: 500 },
  onWrite: ({ before, op, row }) => {
    if (row === undefined) return undefined
    // A key of somebody's own choice could sort before or after everything.
    if (op === "put") return refuse("a message is sent with POST, and edited with PATCH")
    const { author, text } = row
    return Effect.map(Clock.currentTimeMillis, (now) =>
      before === undefined ? { id: row.id, author, text, at: now } : { ...before, text, edited: now }
    )
  }
})

export default defineConfig({ collections: { chat } })
