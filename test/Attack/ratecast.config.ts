import { Schema } from "effect"

import { defineConfig, polled, source, written } from "../../src/Config.ts"

const upstream = process.env["ATTACK_UPSTREAM"]!
const often = { retries: 0, idleEvery: "200 millis" } as const

export default defineConfig({
  collections: {
    ticks: polled({
      source: source({ url: `${upstream}/ticks`, every: "200 millis", refreshEvery: "1 second", ...often }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, n: Schema.Int, at: Schema.Finite })
    }),
    packed: polled({
      source: source({ url: `${upstream}/packed`, every: "500 millis", ...often }),
      key: "id",
      row: Schema.Struct({ id: Schema.String }),
      required: false
    }),
    wide: polled({
      source: source({ url: `${upstream}/wide`, every: "10 hours", retries: 0 }),
      key: "id",
      row: Schema.Struct({ id: Schema.String, text: Schema.String })
    }),
    chat: written({ key: "id", row: Schema.Struct({ id: Schema.String, text: Schema.String }) })
  }
})
