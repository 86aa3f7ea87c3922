import { assert, describe, it } from "@effect/vitest"

import { load } from "./Messages.ts"

const format = await load<{ readonly [name: string]: (value: number) => string }>("format.js")

/** Room as wide as a digit, made visible. */
const texts = (name: string, values: ReadonlyArray<number>) =>
  values.map((value) => format[name]!(value).replaceAll("\u2007", "_"))

describe("format.js", () => {
  it("writes numbers whose points stand below each other and which keep their width", () => {
    const prices = texts("price", [0, 1, 9.99999, 0.00012345, 1234.5, 1.2344e-6, 9.9999e-9, 1e-13])
    assert.deepStrictEqual(
      prices.map((text) => text.replace(/_+$/, "")),
      ["0.0000", "1.0000", "10.0000", "0.00012345", "1,234.50", "0.0₅1234", "0.0₇1000", "0.0₁₂1000"]
    )
    assert.deepStrictEqual(new Set(prices.map((text) => text.length - text.indexOf(".") - 1)), new Set([8]))
    assert.deepStrictEqual(texts("size", [0, 999, 9995, 999_600, 1.5e9]), [
      "0 B",
      "999 B",
      "10.0 kB",
      "1.00 MB",
      "1.50 GB"
    ])
    assert.deepStrictEqual(texts("share", [0, 1e-9, 0.00021, 0.0213, 0.1, 1.65]), [
      "0 %",
      "less than 0.001 %",
      "0.021 %",
      "2.1 %",
      "10 %",
      "165 %"
    ])
  })
})
