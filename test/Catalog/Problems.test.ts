import { assert, describe, it } from "@effect/vitest"
import { Schedule, Schema } from "effect"

import { derived, hook, polled, source, written } from "../../src/Config.ts"
import { from, Pool, pools, problemsIn, rates, rows } from "./Declared.ts"

const only = (options: object) => ({ collections: { pools: pools(options) } })
const ofSource = (options: object) => only({ source: from(options) })
const known = pools()
const chat = (options: object) => ({
  collections: { chat: written({ key: "id", row: Pool, ...options } as never) }
})
const asked = (options: object) => chat({ onWrite: hook({ url: "http://up/hook", ...options }) })

/** A mistake, where it stands, and what is said of it. */
const mistakes: ReadonlyArray<readonly [what: string, config: unknown, at: string, message: RegExp]> = [
  ["no config at all", undefined, "collections", /defineConfig/],
  ["no collections", {}, "collections", /no collections/],
  ["none in them", { collections: {} }, "collections", /no collections/],
  [
    "a mistyped bound of history",
    chat({ keep: { row: 5 } }),
    "collections.chat.keep.row",
    /did you mean "rows"/
  ],
  [
    "half a row of history",
    chat({ keep: { rows: 0.5 } }),
    "collections.chat.keep.rows",
    /number of rows, or Infinity/
  ],
  [
    "an age of history that is none",
    chat({ keep: { age: "soon" } }),
    "collections.chat.keep.age",
    /duration/
  ],
  [
    "a hook that is none",
    chat({ onWrite: "http://up" }),
    "collections.chat.onWrite",
    /a function, or what hook\(/
  ],
  ["a hook without a URL", asked({ url: "up/hook" }), "collections.chat.onWrite.url", /http or https URL/],
  [
    "a hook with a password in its URL",
    asked({ url: "http://me:secret@up/" }),
    "collections.chat.onWrite.url",
    /Redacted/
  ],
  [
    "a hook with a member in its URL",
    asked({ url: "http://up/{id}" }),
    "collections.chat.onWrite.url",
    /\{…\}/
  ],
  [
    "a mistyped option of a hook",
    asked({ timout: "1 second" }),
    "collections.chat.onWrite.timout",
    /did you mean "timeout"/
  ],
  ["a hook that waits for no time", asked({ timeout: 0 }), "collections.chat.onWrite.timeout", /at least 1/],
  ["a hook that asks nothing", asked({ concurrency: 0 }), "collections.chat.onWrite.concurrency", /./],
  [
    "a header of a hook that is no text",
    asked({ headers: { a: 1 } }),
    "collections.chat.onWrite.headers.a",
    /text/
  ],
  [
    "what is loaded from nowhere",
    chat({ load: {} }),
    "collections.chat.load",
    /a function, or what source\(/
  ],
  [
    "a mistake in where it is loaded from",
    chat({ load: from({ evry: 1 }) }),
    "collections.chat.load.evry",
    /did you mean "every"/
  ],
  ["an order that is none", chat({ loadFirst: "new" }), "collections.chat.loadFirst", /"oldest"/],
  [
    "members that are loaded from one place",
    { collections: { "support:{id}": written({ key: "id", row: Pool, load: from() } as never) } },
    "collections.support:{id}.load.url",
    /every member would be the same/
  ],
  [
    "a mistyped option beside them",
    { collections: { pools: pools() }, colections: {} },
    "colections",
    /did you mean "collections"/
  ],
  [
    "a name with a space",
    { collections: { "my pools": pools() } },
    "collections.my pools",
    /letters, digits/
  ],
  [
    "a name such as __proto__",
    { collections: Object.fromEntries([["__proto__", pools()]]) },
    "collections.__proto__",
    /letters/
  ],
  [
    "a collection that is no family, paged out",
    { collections: { pools: written({ key: "id", row: Pool, pageOutAfter: "1 hour" }) } },
    "collections.pools.pageOutAfter",
    /"pools:\{id\}"/
  ],
  [
    "members paged out at once",
    { collections: { "pools:{id}": written({ key: "id", row: Pool, pageOutAfter: 10 }) } },
    "collections.pools:{id}.pageOutAfter",
    /at least 1 second/
  ],
  [
    "a family without a name for its member",
    { collections: { "pools:": pools() } },
    "collections.pools:",
    /family ends in/
  ],
  [
    "a collection that is not one",
    { collections: { pools: { source: from() } } },
    "collections.pools",
    /polled\(.*derived\(/
  ],
  [
    "a collection without options",
    { collections: { pools: polled(undefined as never) } },
    "collections.pools",
    /./
  ],
  [
    "an option that is missing",
    { collections: { pools: polled({ key: "id", row: Pool } as never) } },
    "collections.pools.source",
    /./
  ],
  [
    "an option that is not known",
    only({ keepp: () => true }),
    "collections.pools.keepp",
    /unknown option; did you mean "keep"/
  ],
  ["an option far from all", only({ zzzzzzzzz: 1 }), "collections.pools.zzzzzzzzz", /^unknown option$/],
  [
    "a key that no row has",
    only({ key: "nmae" }),
    "collections.pools.key",
    /no field "nmae" in the row; did you mean "name"/
  ],
  [
    "a fixed field that no row has",
    only({ fixed: ["id", "ratee"] }),
    "collections.pools.fixed[1]",
    /did you mean "rate"/
  ],
  [
    "a tolerance for a field that no row has",
    only({ tolerance: { reta: {} } }),
    "collections.pools.tolerance.reta",
    /did you mean "rate"/
  ],
  [
    "a tolerance with a mistyped member",
    only({ tolerance: { rate: { absolut: 1 } } }),
    "collections.pools.tolerance.rate.absolut",
    /did you mean "absolute"/
  ],
  [
    "a tolerance that is text",
    only({ tolerance: { rate: { absolute: "1" } } }),
    "collections.pools.tolerance.rate.absolute",
    /number/
  ],
  [
    "a tolerance below zero",
    only({ tolerance: { rate: { absolute: -1 } } }),
    "collections.pools.tolerance.rate.absolute",
    /./
  ],
  [
    "a tolerance in no time",
    only({ tolerance: { rate: { every: "often" } } }),
    "collections.pools.tolerance.rate.every",
    /duration/
  ],
  ["a row that is no struct", only({ row: Schema.String }), "collections.pools.row", /Schema\.Struct/],
  ["a row that is no schema", only({ row: { id: "string" } }), "collections.pools.row", /Schema\.Struct/],
  [
    "a row that decodes to instances",
    only({ row: class Instance extends Schema.Class<Instance>("Instance")({ id: Schema.String }) {} }),
    "collections.pools.row",
    /Schema\.Struct/
  ],
  [
    "a row with a field __proto__",
    only({
      row: Schema.Struct(
        Object.fromEntries([
          ["id", Schema.String],
          ["__proto__", Schema.String]
        ])
      )
    }),
    "collections.pools.row",
    /__proto__/
  ],
  ["a source that is none", only({ source: { url: "http://up" } }), "collections.pools.source", /source\(/],
  ["rows that are no path", only({ rows: 7 }), "collections.pools.rows", /./],
  ["keep that is no function", only({ keep: true }), "collections.pools.keep", /function/],
  ["a share above one", only({ maxBad: 10 }), "collections.pools.maxBad", /./],
  ["a share below zero", only({ minKeep: -0.1 }), "collections.pools.minKeep", /./],
  ["duplicates of another name", only({ duplicates: "middle" }), "collections.pools.duplicates", /"error"/],
  ["allowEmpty as text", only({ allowEmpty: "yes" }), "collections.pools.allowEmpty", /boolean/],
  [
    "an option of a source that is not known",
    ofSource({ evry: "1 second" }),
    "collections.pools.source.evry",
    /did you mean "every"/
  ],
  ["no url", only({ source: source({} as never) }), "collections.pools.source.url", /./],
  ["a url that is none", ofSource({ url: "up/pools" }), "collections.pools.source.url", /not an http/],
  [
    "a url of another kind",
    ofSource({ url: "file:///etc/passwd" }),
    "collections.pools.source.url",
    /not an http/
  ],
  [
    "one url of several",
    ofSource({ url: ["http://up/1", "nonsense"] }),
    "collections.pools.source.url",
    /nonsense/
  ],
  ["no urls", ofSource({ url: [] }), "collections.pools.source.url[0]", /./],
  [
    "credentials in a url",
    ofSource({ url: "http://me:secret@up/" }),
    "collections.pools.source.url",
    /headers, as Redacted/
  ],
  [
    "a template in a source of no family",
    ofSource({ url: "http://up/{id}" }),
    "collections.pools.source.url",
    /does not give/
  ],
  [
    "every that is no duration",
    ofSource({ every: "10 secs please" }),
    "collections.pools.source.every",
    /duration such as/
  ],
  [
    "every that is too short",
    ofSource({ every: "10 millis" }),
    "collections.pools.source.every",
    /at least 50 millis/
  ],
  [
    "every and schedule",
    ofSource({ every: "1 second", schedule: Schema.String }),
    "collections.pools.source.schedule",
    /Schedule/
  ],
  [
    "a schedule that is none",
    ofSource({ schedule: "1 second" }),
    "collections.pools.source.schedule",
    /Schedule/
  ],
  [
    "a timeout that is no duration",
    ofSource({ timeout: "soon" }),
    "collections.pools.source.timeout",
    /duration/
  ],
  ["half a retry", ofSource({ retries: 0.5 }), "collections.pools.source.retries", /./],
  ["retries below zero", ofSource({ retries: -1 }), "collections.pools.source.retries", /./],
  ["no bytes", ofSource({ maxBytes: 0 }), "collections.pools.source.maxBytes", /./],
  ["a method in small letters", ofSource({ method: "post" }), "collections.pools.source.method", /POST/],
  ["a body without POST", ofSource({ body: {} }), "collections.pools.source.body", /POST/],
  [
    "redirects of another kind",
    ofSource({ redirects: "all" }),
    "collections.pools.source.redirects",
    /same-origin/
  ],
  ["headers that are none", ofSource({ headers: "secret@" }), "collections.pools.source.headers", /object/],
  [
    "a header that is a number",
    ofSource({ headers: { "x-key": 7 } }),
    "collections.pools.source.headers.x-key",
    /text/
  ],
  [
    "a header that an environment does not have",
    ofSource({ headers: { a: "", "x-key": undefined } }),
    "collections.pools.source.headers.x-key",
    /text/
  ],
  [
    "a header in a list",
    ofSource({ headers: { "x-key": ["secret@"] } }),
    "collections.pools.source.headers.x-key",
    /text/
  ],
  [
    "pages without size",
    ofSource({ pages: { by: "offset", parameter: "at" } }),
    "collections.pools.source.pages.size",
    /./
  ],
  [
    "pages with a mistyped member",
    ofSource({ pages: { by: "offset", paramter: "at", size: 3 } }),
    "collections.pools.source.pages.paramter",
    /did you mean "parameter"/
  ],
  [
    "pages of several urls",
    ofSource({ url: ["http://up/1", "http://up/2"], pages: { by: "offset", parameter: "at", size: 3 } }),
    "collections.pools.source.pages",
    /one url/
  ],
  [
    "a throttle without time",
    ofSource({ throttle: { leading: false } }),
    "collections.pools.source.throttle.every",
    /./
  ],
  [
    "a throttle with a mistyped member",
    ofSource({ throttle: { every: "1 second", leding: true } }),
    "collections.pools.source.throttle.leding",
    /did you mean "leading"/
  ],
  [
    "a family whose url has no place for the member",
    { collections: { "order:{id}": pools() } },
    "collections.order:{id}.source.url",
    /every member would be the same/
  ],
  [
    "a member that would be the host",
    { collections: { "order:{id}": pools({ source: from({ url: "http://{id}/x" }) }) } },
    "collections.order:{id}.source.url",
    /host|not an http/
  ],
  [
    "a member that would be a part of the host",
    { collections: { "order:{id}": pools({ source: from({ url: "https://{id}.up/x" }) }) } },
    "collections.order:{id}.source.url",
    /host|not an http/
  ],
  [
    "a member that would be the port",
    { collections: { "order:{id}": pools({ source: from({ url: "http://up:{id}/x" }) }) } },
    "collections.order:{id}.source.url",
    /host|not an http/
  ],
  [
    "a member before what would be the host",
    { collections: { "order:{id}": pools({ source: from({ url: "http://up{id}/x" }) }) } },
    "collections.order:{id}.source.url",
    /host|not an http/
  ],
  [
    "a family whose url has another name for it",
    { collections: { "order:{id}": pools({ source: from({ url: "http://up/{uid}" }) }) } },
    "collections.order:{id}.source.url",
    /does not give/
  ],
  [
    "a derived family",
    { collections: { pools: known, "rate:{id}": rates({}, { pools: known }) } },
    "collections.rate:{id}",
    /cannot be derived/
  ],
  [
    "an input that is a family",
    (() => {
      const orders = pools({ source: from({ url: "http://up/{id}" }) })
      return { collections: { "order:{id}": orders, rates: rates({}, { orders }) } }
    })(),
    "collections.rates.from.orders",
    /cannot be an input/
  ],
  [
    "an input that is not in the config",
    { collections: { pools: known, rates: rates({}, { pools: pools() }) } },
    "collections.rates.from.pools",
    /not one of the collections/
  ],
  [
    "an input that is none",
    { collections: { pools: known, rates: rates({}, { pools: {} }) } },
    "collections.rates.from.pools",
    /polled\(/
  ],
  ["no inputs", { collections: { pools: known, rates: rates({}, {}) } }, "collections.rates.from", /./],
  [
    "no way to derive",
    {
      collections: { pools: known, rates: derived({ from: { pools: known }, key: "id", row: Pool } as never) }
    },
    "collections.rates",
    /rows, or touches and rowAt/
  ],
  [
    "two ways to derive",
    { collections: { pools: known, rates: rates({ touches: rows, rowAt: rows }, { pools: known }) } },
    "collections.rates",
    /rows, or touches and rowAt/
  ],
  [
    "half a way to derive",
    {
      collections: {
        pools: known,
        rates: derived({ from: { pools: known }, key: "id", row: Pool, touches: rows } as never)
      }
    },
    "collections.rates",
    /rows, or touches and rowAt/
  ],
  [
    "a mistyped way to derive",
    { collections: { pools: known, rates: rates({ rowsAt: rows }, { pools: known }) } },
    "collections.rates.rowsAt",
    /did you mean "row(s|At)"/
  ],
  [
    "a collection and a family of one name",
    { collections: { order: pools(), "order:{id}": pools({ source: from({ url: "http://up/{id}" }) }) } },
    "collections.order:{id}",
    /./
  ],
  [
    "two families of one name",
    {
      collections: {
        "order:{id}": pools({ source: from({ url: "http://up/{id}" }) }),
        "order:{uid}": pools({ source: from({ url: "http://up/{uid}" }) })
      }
    },
    "collections.order:{uid}",
    /"order:\{id\}"/
  ],
  [
    "one source of two families",
    (() => {
      const shared = from({ url: "http://up/{id}" })
      return {
        collections: { "order:{id}": pools({ source: shared }), "fill:{id}": pools({ source: shared }) }
      }
    })(),
    "collections.fill:{id}.source",
    /"order:\{id\}"/
  ]
]

const aged = (options: object) => chat({ retain: options })
const durations: ReadonlyArray<readonly [config: (duration: unknown) => unknown, at: string, zero: boolean]> =
  [
    [(every) => ofSource({ every }), "pools.source.every", false],
    [(idleEvery) => ofSource({ idleEvery }), "pools.source.idleEvery", false],
    [(refreshEvery) => ofSource({ refreshEvery }), "pools.source.refreshEvery", true],
    [(timeout) => ofSource({ timeout }), "pools.source.timeout", false],
    [(forgetAfter) => ofSource({ forgetAfter }), "pools.source.forgetAfter", true],
    [(every) => ofSource({ throttle: { every } }), "pools.source.throttle.every", false],
    [(every) => only({ tolerance: { rate: { every } } }), "pools.tolerance.rate.every", false],
    [(writeEvery) => chat({ writeEvery }), "chat.writeEvery", false],
    [(age) => aged({ age }), "chat.retain.age", false],
    [(age) => chat({ keep: { age } }), "chat.keep.age", true],
    [(timeout) => asked({ timeout }), "chat.onWrite.timeout", false]
  ]

const placesIn = (config: unknown) => problemsIn(config).map(({ at }) => at)

describe("no duration is below zero, nor zero where that means all the time", () => {
  for (const [config, at, zero] of durations)
    it(at, () => {
      for (const negative of ["-1 second", -1, { minutes: -1 }])
        assert.deepStrictEqual(placesIn(config(negative)), [`collections.${at}`])
      for (const none of ["0 seconds", 0])
        assert.deepStrictEqual(placesIn(config(none)), zero ? [] : [`collections.${at}`])
      assert.deepStrictEqual(placesIn(config("1 minute")), [])
    })
})

describe("every mistake has its path, and the nearest name", () => {
  for (const [what, config, at, message] of mistakes) {
    it(what, () => {
      const problems = problemsIn(config)
      const found = problems.find((problem) => problem.at === at)
      assert.isDefined(found, `at ${at}: ${JSON.stringify(problems)}`)
      assert.match(found!.message, message)
      assert.notInclude(JSON.stringify(problems), "secret@")
    })
  }

  it("all of them at once", () => {
    const problems = problemsIn({
      collections: {
        a: pools({ key: "x", fixed: ["y"] }),
        b: pools({ source: from({ url: "x", retries: 1 }) }),
        "c d": pools()
      }
    })
    assert.deepStrictEqual(
      problems.map(({ at }) => at),
      ["collections.a.key", "collections.a.fixed[0]", "collections.b.source.url", "collections.c d"]
    )
  })

  it("whatever stands beside them in the same options", () => {
    const problems = problemsIn({
      colections: {},
      collections: {
        pools: pools({
          source: from({ url: "up", evry: "1 second", headers: { a: 7 }, body: {}, retries: -1 }),
          kee: 1,
          key: "nmae",
          fixed: [7, "ratee"],
          tolerance: { rate: { evry: 1 }, reta: {} }
        }),
        chat: written({
          key: "id",
          row: Pool,
          pageOutAfter: "1 hour",
          edit: false,
          onWrite: hook({ url: "up", timout: 1, headers: { a: 7 } } as never)
        } as never)
      }
    })
    assert.sameMembers(
      problems.map(({ at }) => at),
      [
        "colections",
        ...["kee", "key", "fixed[0]", "fixed[1]", "tolerance.rate.evry", "tolerance.reta"].map(
          (at) => `collections.pools.${at}`
        ),
        ...["url", "evry", "headers.a", "body", "retries"].map((at) => `collections.pools.source.${at}`),
        ...["edit", "pageOutAfter", "onWrite.url", "onWrite.timout", "onWrite.headers.a"].map(
          (at) => `collections.chat.${at}`
        )
      ]
    )
  })

  it("every and a schedule at once", () => {
    const [problem] = problemsIn(ofSource({ every: "1 second", schedule: Schedule.spaced("1 second") }))
    assert.deepStrictEqual(problem, {
      at: "collections.pools.source.schedule",
      message: "expected either every or schedule"
    })
  })
})

describe("the checks can fail", () => {
  it("a config without a mistake has none", () => {
    for (const [, , at] of mistakes)
      assert.isUndefined(problemsIn(only({})).find((problem) => problem.at === at))
  })
})
