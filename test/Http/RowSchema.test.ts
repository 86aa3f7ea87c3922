import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { type Catalog, makeCatalog } from "../../src/Catalog.ts"
import { type Config, Decimal, defineConfig, written } from "../../src/Config.ts"
import { rowSchemas } from "../../src/Http/RowSchema.ts"

describe("the JSON Schemas of a row", () => {
  it("have numbers where it has numbers, and no text that no row may have", () => {
    const row = Schema.Struct({
      id: Schema.String,
      n: Schema.Number,
      noted: Schema.Number.annotate({ description: "how many" }),
      maybe: Schema.optional(Schema.NullOr(Schema.Number)),
      deep: Schema.Struct({ all: Schema.Array(Schema.Number) }),
      either: Schema.Union([Schema.Number, Schema.String]),
      word: Schema.Literals(["Infinity", "none"]),
      usd: Decimal
    })
    const config = defineConfig({ collections: { prices: written({ key: "id", row, fixed: ["n"] }) } })
    const catalog = makeCatalog(config as Config) as Catalog["Service"]
    const { fixed, live } = rowSchemas(catalog.declared.get("prices")!)
    assert.deepStrictEqual(fixed["properties"], { n: { type: "number" } })
    const properties = live["properties"] as { readonly [name: string]: object }
    assert.deepStrictEqual(properties["noted"], { type: "number" })
    assert.deepStrictEqual(properties["deep"], {
      type: "object",
      properties: { all: { type: "array", items: { type: "number" } } },
      required: ["all"],
      additionalProperties: true
    })
    assert.deepStrictEqual(properties["word"], { type: "string", enum: ["Infinity", "none"] })
    assert.notInclude(JSON.stringify(live), "NaN")
    assert.deepInclude(properties["either"], { anyOf: [{ type: "number" }, { type: "string" }] })
    assert.include(JSON.stringify(properties["maybe"]), '[{"type":"number"},{"type":"null"}')
    assert.isObject((live["$defs"] as { readonly [name: string]: unknown })["Decimal"])
  })
})
