/** The one collection that most scenarios commit to. Its upstream is never reached. */
import { Schema } from "effect"

import { makeCatalog } from "../src/Catalog.ts"
import { defineConfig, polled, source } from "../src/Config.ts"

export const ratesCatalog = makeCatalog(
  defineConfig({
    collections: {
      rates: polled({
        source: source({ url: "http://127.0.0.1:1/", every: "1 hour", retries: 0 }),
        key: "id",
        row: Schema.Struct({ id: Schema.String, rate: Schema.String })
      })
    }
  })
)
