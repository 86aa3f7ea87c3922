import { assert, describe, it } from "@effect/vitest"

import {
  aligned,
  compact,
  givenPlaces,
  listed,
  mostPlaces,
  moved,
  placesOf,
  sentence,
  share,
  size,
  ticks,
  when
} from "../../page/Format.ts"

/** Room as wide as a digit, made visible. */
const seen = (text: string) => text.replaceAll("\u2007", "_")
const places = (text: string) => text.length - text.indexOf(".") - 1

describe("numbers of the page", () => {
  it("have their points below each other, and keep their width", () => {
    const texts = [0, 1, 9.999_99, 0.000_123_45, 1234.5, 1.2344e-6, 9.9999e-9, 1e-13, -0.5, -1.2344e-6].map(
      (value) => seen(aligned(value, mostPlaces))
    )
    assert.deepStrictEqual(
      texts.map((text) => text.replace(/_+$/, "")),
      [
        "0.0000",
        "1.0000",
        "10.0000",
        "0.00012345",
        "1,234.50",
        "0.0₅1234",
        "0.0₇1000",
        "0.0₁₂1000",
        "-0.50000",
        "-0.0₅1234"
      ]
    )
    assert.deepStrictEqual(new Set(texts.map(places)), new Set([8]))
    assert.deepStrictEqual(
      [1, 250, 0.5, 1234.56, 0.0001].map((value) => Math.min(mostPlaces, placesOf(value))),
      [0, 0, 5, 2, 8]
    )
    assert.deepStrictEqual(
      [1, 1200].map((value) => aligned(value, 0)),
      ["1", "1,200"]
    )
  })

  it("have no place that they came without", () => {
    assert.deepStrictEqual(
      ["-7.5", "1.10", "100", "1e-7", "1.5e-7", "2e+21", "1.25E+1", ""].map(givenPlaces),
      [1, 2, 0, 7, 8, 0, 1, 0]
    )
  })

  it("say how far they are from where they began: by a share, where one can be said", () => {
    assert.deepStrictEqual(
      [
        [100, 101.5],
        [42_000, 42_000.8],
        [8, 7],
        [5, 5],
        [1e12, 1e12 - 1],
        [42e6, 42e6 - 1],
        [0, 0],
        [-0.3, -0.3],
        [-0.3, 0.5],
        [0, 3],
        [-8, -9.5],
        [2, -1]
      ].map(([from, to]) => moved(from!, to!)),
      [
        "+1.50 %",
        "+0.0019 %",
        "−12.50 %",
        "0 %",
        "less than 0.0001 %",
        "less than 0.0001 %",
        "0",
        "0",
        "+0.8",
        "+3",
        "−1.5",
        "−3"
      ]
    )
  })

  it("of an axis are as short as they can be while no two are alike", () => {
    assert.deepStrictEqual(
      [
        [41_960_000, 41_965_000, 41_970_000, 41_975_000],
        [41e6, 42e6, 43e6],
        [999_990, 999_995, 1_000_000, 1_000_005],
        [1_234_567_890_120, 1_234_567_890_121],
        [1.000_001, 1.000_002],
        [123_456.781, 123_456.782],
        [0, 0.5, 1],
        [-1e-9, 0, 1e-9],
        [250, 300],
        [7]
      ].map(ticks),
      [
        ["41.960 M", "41.965 M", "41.970 M", "41.975 M"],
        ["41.00 M", "42.00 M", "43.00 M"],
        ["999,990", "999,995", "1,000,000", "1,000,005"],
        ["1,234,567,890,120", "1,234,567,890,121"],
        ["1.000001", "1.000002"],
        ["123,456.781", "123,456.782"],
        ["0", "0.5", "1"],
        ["-0.000000001", "0", "0.000000001"],
        ["250", "300"],
        ["7"]
      ].map((texts) => texts.map((text) => text.replace(" ", "\u202f")))
    )
  })

  it("are said by letters where nobody reads them to the end, all in one width", () => {
    const texts = [999, 1000, 999_999, 37_492_077_220_821, -5].map((value) => seen(compact(value)))
    assert.deepStrictEqual(texts, [
      "999.00\u202f_",
      "1.00\u202fk",
      "1.00\u202fM",
      "37.49\u202fT",
      "-5.00\u202f_"
    ])
    assert.strictEqual(compact(NaN), "–")
  })

  it("say sizes and shares by three and two digits, and never 0 for what is not 0", () => {
    assert.deepStrictEqual([0, 999, 9995, 999_600, 1.5e9].map(size), [
      "0 B",
      "999 B",
      "10.0 kB",
      "1.00 MB",
      "1.50 GB"
    ])
    assert.deepStrictEqual([0, 1e-9, 0.000_21, 0.0213, 0.1, 1.65].map(share), [
      "0 %",
      "less than 0.001 %",
      "0.021 %",
      "2.1 %",
      "10 %",
      "165 %"
    ])
  })

  it("name the day of a time that is not today's", () => {
    const at = new Date(2026, 2, 9, 8, 7, 6).getTime()
    assert.deepStrictEqual([when(at, at + 1000), when(at, at + 86_400_000)], ["08:07:06", "Mar 09 08:07:06"])
  })
})

describe("words of the page", () => {
  it("name two of many", () => {
    assert.deepStrictEqual([[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]].map(listed), [
      "",
      "a",
      "a and b",
      "a, b and c",
      "a, b and 2 more"
    ])
  })

  it("are a sentence, also where a daemon said them in passing", () => {
    assert.deepStrictEqual(["", "no token", "Why?", "It is. So"].map(sentence), [
      "",
      "No token.",
      "Why?",
      "It is. So."
    ])
  })
})
