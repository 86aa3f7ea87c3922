/** What the fuzzer's daemon serves: a collection of every kind, with fields that take any JSON. */
import { Schema } from "effect"

import { type Config, Decimal, defineConfig, derived, polled, source, written } from "../../src/Config.ts"

const still = { every: "10 hours", refreshEvery: 0, retries: 0 } as const

const Message = Schema.Struct({
  id: Schema.String,
  text: Schema.optionalKey(Schema.String),
  note: Schema.optionalKey(Schema.Json)
})

export const configOf = (upstream: string): Config => {
  const pools = polled({
    source: source({ url: `${upstream}/pools`, ...still }),
    key: "id",
    row: Schema.Struct({
      id: Schema.String,
      type: Schema.optionalKey(Schema.String),
      rate: Schema.optionalKey(Decimal),
      note: Schema.optionalKey(Schema.Json)
    }),
    fixed: ["type"],
    allowEmpty: true,
    minKeep: 0
  })
  const types = derived({
    from: { pools },
    key: "type",
    row: Schema.Struct({ type: Schema.String, count: Schema.Int }),
    rows: ({ pools }) => {
      const counts = new Map<string, number>()
      for (const [, { type = "none" }] of pools) counts.set(type, (counts.get(type) ?? 0) + 1)
      return [...counts].map(([type, count]) => ({ key: type, row: { type, count } }))
    }
  })
  const order = polled({
    source: source({ url: `${upstream}/orders/{id}`, ...still, maxMembers: 30, forgetAfter: "1 second" }),
    key: "id",
    row: Schema.Struct({ id: Schema.String }),
    allowEmpty: true,
    minKeep: 0
  })
  const ledger = polled({
    source: source({ url: `${upstream}/ledger`, ...still }),
    key: "id",
    row: Schema.Struct({ id: Schema.String })
  })
  const chat = written({ key: "id", row: Message, retain: { rows: 50 } })
  return defineConfig({
    collections: {
      pools,
      types,
      ledger,
      chat,
      "order:{id}": order,
      "support:{uid}": written({ key: "id", row: Message, fixed: ["text"], retain: { rows: 50 } })
    }
  }) as Config
}
