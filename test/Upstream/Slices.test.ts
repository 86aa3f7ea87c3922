import { assert, describe, it } from "@effect/vitest"

import { atPath } from "../../src/BodyPath.ts"
import { Body } from "../../src/Upstream/Body.ts"
import { type Slices, slicesOf } from "../../src/Upstream/Slices.ts"
import { runs } from "./Series.ts"

interface Item {
  readonly key: string | undefined
  readonly value: unknown
}

/** Counts what it is given to parse. */
const reader = () => {
  const counted = { parsed: 0 }
  return {
    counted,
    keyOf: ({ key }: Item) => key,
    parse: (text: string) => {
      counted.parsed++
      const value = JSON.parse(text) as { readonly id?: unknown } | null
      const key = typeof value?.id === "string" ? value.id : undefined
      return { key, item: (): Item => ({ key, value }) }
    }
  }
}

const whole = (body: Body, path: string | undefined): unknown => {
  try {
    const list = atPath(body.json.value, path)
    return Array.isArray(list) ? list : "no list"
  } catch {
    return "not JSON"
  }
}

const check = (text: string | Buffer, path: string | undefined, before?: Slices<Item>) => {
  const body = new Body(Buffer.from(text as string))
  const counting = reader()
  const slices = slicesOf(body.bytes, path, before, counting)
  const values = slices?.items.map(({ value }) => value)
  const expected = whole(body, path)
  if (slices !== undefined) assert.deepStrictEqual(values, expected, String(text).slice(0, 300))
  return { slices, expected, parsed: counting.counted.parsed }
}

describe("rows that are read one by one", () => {
  it("are those of JSON.parse, or it is left to JSON.parse to say what there is", () => {
    let [lists, sliced] = [0, 0]
    for (let seed = 1; seed <= 60; seed++) {
      const before = new Map<string, Slices<Item> | undefined>()
      for (const [source, bodies] of runs(seed, 60)) {
        for (const path of source === "deep" ? ["data.rows", "data.beside"] : [undefined]) {
          const place = `${source} ${path}`
          const { expected, slices } = check(bodies[0]!, path, before.get(place))
          if (slices !== undefined) before.set(place, slices)
          if (Array.isArray(expected)) lists++
          if (slices !== undefined) sliced++
        }
      }
    }
    assert.isAbove(sliced, lists * 0.9)
  })

  it("also of texts that are nearly JSON", () => {
    const first = check('{"a":[1,{"id":"x"},"y"],"b":2}', "a").slices!
    for (const text of [
      '{"a":[1,{"id":"x"},"y",],"b":2}',
      '{"a":[1,{"id":"x"}"y"],"b":2}',
      '{"a":[1 2,{"id":"x"},"y"],"b":2}',
      '{"a":[12,{"id":"x"},"y"],"b":2}',
      '{"a":[1,{"id":"x"},"yy"],"b":2}',
      '{"a":[1,{"id":"x"]},"y"],"b":2}',
      '{"a":[1,{"id":"x"},"y"],"b":2',
      '{"a":[1,{"id":"x"},"y"],"b":2}}',
      '{"a":[1,{"id":"x"},"y"],"a":2}',
      '{"a":[1,{"id":"x"},"y"],"a":[3]}',
      '{"a":[1,{"id":"x"},"y"',
      '{"a":[,1]}',
      '{"a":[1,,1]}',
      '{"a":[]}',
      '{"a":[ ]}',
      '{"\\u0061":[1]}',
      '{"b":"\\"a\\":[","a":[1]}',
      '{"a":[1],"b":2}x',
      '{"a":[tru]}',
      '{"a":["\t"]}',
      '{"a":["x]}',
      '\ufeff{"a":[1]}',
      "[1]",
      ""
    ]) {
      check(text, "a")
      check(text, "a", first)
    }
    const broken = Buffer.from('{"a":[1,{"id":"x"},"y"],"b":2}')
    broken[broken.indexOf("y")] = 0xff
    assert.strictEqual(check(broken, "a", first).expected, "not JSON")
    assert.isUndefined(check(broken, "a", first).slices)
  })

  it("are not parsed again where they stand as they stood before", () => {
    const rows = Array.from({ length: 5_000 }, (_, i) => ({ id: `r${i}`, n: i }))
    const first = check(JSON.stringify(rows), undefined)
    assert.strictEqual(first.parsed, 5_000)
    const some = rows.map((row, i) => (i % 50 === 7 ? { id: row.id, n: -i } : row))
    const second = check(JSON.stringify(some), undefined, first.slices)
    assert.strictEqual(second.parsed, 100)
    const shifted = [{ id: "new", n: 1 }, ...some.slice(3)]
    assert.isAtMost(check(JSON.stringify(shifted), undefined, second.slices).parsed, 2)
  })
})
