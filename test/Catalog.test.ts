import { resolve } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { type Catalog, declares, makeCatalog, sourcesOf } from "../src/Catalog.ts"
import { loadCatalog } from "../src/Catalog/Load.ts"
import { Decimal, defineConfig, polled, source } from "../src/Config.ts"
import { nearest } from "../src/Nearest.ts"
import { from, Pool, pools, problemsIn, rates } from "./Catalog/Declared.ts"

const catalogOf = (config: unknown): Catalog["Service"] => {
  assert.deepStrictEqual(problemsIn(config), [])
  return makeCatalog(config as never) as Catalog["Service"]
}

describe("a config without mistakes", () => {
  it("names its sources and puts inputs before what is derived from them", () => {
    const shared = from()
    const [a, b] = [
      pools({ source: shared }),
      pools({
        source: shared,
        row: Schema.Struct({ id: Schema.String, price: Schema.Array(Schema.NullOr(Decimal)) })
      })
    ]
    const first = rates({}, { x: a, y: b })
    const last = rates({}, { first, a })
    const orders = pools({ source: from({ url: "http://up/{id}" }), required: false })
    const catalog = catalogOf({ collections: { last, "order:{id}": orders, first, b, a } })
    const order = [...catalog.declared.keys()]
    assert.isTrue(
      order.indexOf("a") < order.indexOf("first") && order.indexOf("first") < order.indexOf("last")
    )
    assert.deepStrictEqual([...catalog.sources.keys()].toSorted(), ["b", "order"])
    assert.deepStrictEqual(catalog.sources.get("b")!.collections, ["b", "a"])
    assert.deepStrictEqual(
      [...catalog.declared.get("last")!.inputs],
      [
        ["first", "first"],
        ["a", "a"]
      ]
    )
    assert.deepStrictEqual(sourcesOf(catalog, "last"), ["b"])
    assert.deepStrictEqual(sourcesOf(catalog, "order:17"), ["order:17"])
    assert.deepStrictEqual(sourcesOf(catalog, "nothing"), [])
  })

  it("declares members of its families, and nothing else with a colon", () => {
    const catalog = catalogOf({
      collections: { pools: pools(), "order:{id}": pools({ source: from({ url: "http://up/{id}" }) }) }
    })
    for (const name of ["pools", "order:17", "order::", "order:a:b", "order:__proto__"])
      assert.isDefined(declares(catalog, name), name)
    for (const name of [
      "order",
      "order:",
      "order:.",
      "order:..",
      "order:\ud800",
      "pools:1",
      "",
      "constructor",
      "__proto__",
      ":1"
    ])
      assert.isUndefined(declares(catalog, name), name)
  })

  it("may use every option there is", () => {
    catalogOf(
      defineConfig({
        collections: {
          pools: polled({
            key: "id",
            row: Pool,
            fixed: ["name"],
            tolerance: { rate: { absolute: 1, relative: 0.1, every: 100 } },
            rows: "data",
            keep: () => true,
            maxBad: 1,
            minKeep: 0,
            duplicates: "error",
            allowEmpty: true,
            required: false,
            source: source({
              url: "https://up/graphql?x=1",
              method: "POST",
              body: {},
              headers: Effect.succeed({}),
              every: "50 millis",
              idleEvery: "1 day",
              refreshEvery: 0,
              timeout: "1 second",
              retries: 0,
              maxBytes: 1,
              redirects: "same-origin",
              rows: "data",
              pages: {
                by: "page",
                parameter: "variables.page",
                first: 0,
                size: 1,
                sizeParameter: "limit",
                max: 1
              },
              throttle: { every: "1 second", leading: false },
              maxMembers: 1,
              forgetAfter: "1 second"
            })
          })
        }
      })
    )
  })
})

const fails = (file: string) => Effect.map(Effect.flip(loadCatalog(file)), ({ message }) => message)

describe("a config file", () => {
  it.effect("that is not there is looked for nearby", () =>
    Effect.gen(function* () {
      const file = resolve(import.meta.dirname, "../examples/dex/ratecast.confg.ts")
      assert.match(yield* fails(file), /no such file; did you mean "ratecast\.config\.ts"/)
      assert.match(yield* fails("/nowhere/at/all.ts"), /no such file$/)
    })
  )

  it.effect("without a default export says how one looks", () =>
    Effect.gen(function* () {
      assert.match(
        yield* fails(resolve(import.meta.dirname, "../src/Nearest.ts")),
        /no default export; export default defineConfig/
      )
    })
  )
})

describe("the nearest name", () => {
  it("is one with a letter too many, too few, another or two swapped, and none that is far away", () => {
    const names = ["every", "timeout", "idleEvery", "rows"]
    for (const [written, name] of [
      ["evry", "every"],
      ["everyy", "every"],
      ["evrey", "every"],
      ["TIMEOUT", "timeout"],
      ["idle_every", "idleEvery"],
      ["row", "rows"]
    ] as const) {
      assert.strictEqual(nearest(written, names), name)
    }
    assert.isUndefined(nearest("something else", names))
    assert.isUndefined(nearest("x", []))
  })

  it.prop(
    "is a name itself, where it is known",
    [Schema.Array(Schema.String), Schema.String],
    ([names, name]) => {
      const found = nearest(name, [...names, name])
      assert.strictEqual(found?.toLowerCase(), name.toLowerCase())
    }
  )
})

describe("the checks can fail", () => {
  it("a catalog of a config with a mistake is a list of problems", () => {
    assert.throws(() => catalogOf({ collections: { pools: pools({ key: "none" }) } }))
  })
})
