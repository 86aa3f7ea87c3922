/** What the log says of an upstream's mistakes, and what readers are told of them: a fixed sentence. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import type { SourceOptions } from "../../src/Config.ts"
import { askedOf, unreachable } from "../../src/Upstream/Failure.ts"
import { type Answer, connect, queryOf, type Reply } from "../Kit.ts"
import { onePolled, onHub, until } from "../Rig.ts"

const Price = Schema.Struct({ id: Schema.String, usd: Schema.String, n: Schema.optional(Schema.Number) })
const good = [{ id: "a", usd: "1" }]
const from = { every: "1 second", retries: 0 } satisfies Partial<SourceOptions>

/** What is logged as a warning of polls that are answered so, and the one sentence that readers are told. */
const saidOf = (answer: Answer, options: Partial<SourceOptions> = {}, maxBad = 0.1) =>
  Effect.gen(function* () {
    let lines: ReadonlyArray<string> = []
    let told: string | undefined
    yield* onHub(
      onePolled({ row: Price, maxBad }, { ...from, ...options }),
      () => answer,
      Effect.fnUntraced(function* (rig) {
        const client = yield* connect(yield* queryOf(["pools"]))
        yield* until(5_000)
        lines = rig.logged().map((line) => (JSON.parse(line) as { readonly message: string }).message)
        const errors = client.messages.map(({ collections }) => collections?.["pools"]?.error)
        told = (errors.findLast((error) => error !== undefined) as { readonly detail?: string } | undefined)
          ?.detail
      })
    )
    return { lines, told }
  })

const secret = "https://up/pools?list=a&api_key=s3cr3t"
const refused = Effect.fail(
  new Error("fetch failed", {
    cause: new AggregateError(
      [new Error("connect ECONNREFUSED ::1:1"), new Error("connect ECONNREFUSED 127.0.0.1:1")],
      ""
    )
  })
)

const failures: ReadonlyArray<
  readonly [what: string, answer: Answer, options: Partial<SourceOptions>, told: string, more: string]
> = [
  [
    "rows where there are none",
    { body: { data: { items: good, total: 1 } } },
    { rows: "data.itms" },
    "The answer has no rows where they should be.",
    'rows is "data.itms", and "data" has "items", "total"; did you mean "items"?'
  ],
  [
    "rows at the top of an object",
    { body: { data: { items: good } } },
    {},
    "The answer has no rows where they should be.",
    'rows is not given, and the body is an object that has "data".'
  ],
  [
    "rows in what is no list",
    { body: { data: null } },
    { rows: "data" },
    "The answer has no rows where they should be.",
    'rows is "data", and "data" is null.'
  ],
  [
    "rows further down than there is anything",
    { body: { data: 7 } },
    { rows: "data.items.all" },
    "The answer has no rows where they should be.",
    'rows is "data.items.all", and "data" is a number.'
  ],
  [
    "rows in what is empty, page by page",
    { body: {} },
    { rows: "items", pages: { by: "offset", parameter: "from", size: 10 } },
    "The answer has no rows where they should be.",
    'GET http://up/pools. rows is "items", and the body has nothing in it.'
  ],
  [
    "what is no JSON",
    { body: "<!doctype html>" },
    { url: ["https://up/a", secret] },
    "The answer of the upstream is not JSON.",
    `GET https://up/a and 1 more: Unexpected token '<', "<!doctype html>" is not valid JSON.`
  ],
  [
    "a URL that there is not",
    { status: 404 },
    { url: secret },
    "The upstream answered with status 404.",
    "GET https://up/pools?… A backend that has nothing there answers 200 without rows: []."
  ],
  [
    "what fails",
    { status: 500 },
    { url: secret, method: "POST", body: {} },
    "The upstream answered with status 500.",
    "POST https://up/pools?…"
  ],
  [
    "what does not listen",
    refused,
    { url: secret },
    "The upstream could not be reached.",
    "GET https://up/pools?…: connect ECONNREFUSED ::1:1, connect ECONNREFUSED 127.0.0.1:1."
  ],
  [
    "what says no word",
    Effect.never,
    { url: secret, timeout: "500 millis" },
    "The upstream did not answer in time.",
    "GET https://up/pools?…: 500ms."
  ],
  [
    "headers of a service that says in its mistake where it was asked",
    { body: good },
    {
      headers: Effect.fail(
        new Error(`StatusCode (401 GET https://me:pw@auth/token?secret=s3cr3t#x)`)
      ) as never
    },
    "The headers for the upstream could not be made.",
    "StatusCode (401 GET https://auth/token?…)."
  ]
]

describe("the log says what was asked and what came of it, and readers are told neither:", () => {
  for (const [what, answer, options, told, more] of failures)
    it.effect(what, () =>
      Effect.gen(function* () {
        const said = yield* saidOf(answer, options)
        assert.deepStrictEqual(said, { lines: [`pools is loading: ${told} ${more}`], told })
      })
    )
})

const says = (url: string, cause: unknown) => askedOf("GET", url)(unreachable(cause)).more ?? ""

describe("no secret of a URL is in the log,", () => {
  const at = "https://up/pools"

  it("wherever it stands in what is asked", () => {
    for (const url of [
      "https://up/x?filter=(a)&apikey=s3cr3t",
      "https://up/x?name='a'&apikey=s3cr3t",
      "HTTPS://up/x?apikey=s3cr3t",
      "https://user:s3cr3t@up/x",
      "https://up/x#s3cr3t"
    ])
      assert.match(says(url, "refused"), /^GET https:\/\/up\/x(\?…)?: refused\.$/)
  })

  it("nor of those in a cause", () => {
    for (const text of [
      "to https://user:p@ss:s3cr3t@up/ went wrong",
      "to 'https://up/?a=(b)&key=s3cr3t'",
      "to wss://up/?token=s3cr3t",
      "to REDIS://:s3cr3t@up",
      `${"x".repeat(480)} https://user:${"y".repeat(60)}s3cr3t@up/`
    ]) {
      const said = says(at, new Error(text))
      assert.notInclude(said, "s3cr3t")
      assert.notInclude(said, "yyy")
    }
  })

  it("and this takes no time, whatever a cause is", () => {
    const began = performance.now()
    says(at, new Error("a".repeat(5_000_000)))
    assert.isBelow(performance.now() - began, 500)
  })
})

describe("a row that does not fit is named with what came instead:", () => {
  const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`
  // Nothing that JSON.stringify could make.
  const text = (row: object) => JSON.stringify(row).replace('"deep"', deep)
  const bad: ReadonlyArray<readonly [row: object, reason: string, came: string | undefined]> = [
    [{ id: "b", usd: 1.5 }, '"usd" does not fit: Expected string; it is a number', "1.5"],
    [
      { id: "x".repeat(81), usd: "1", n: "y".repeat(100) },
      '"n" does not fit: Expected number | undefined; it is text',
      JSON.stringify(`${"y".repeat(79)}…`)
    ],
    [{ id: "b", usd: "deep" }, '"usd" does not fit: Expected string; it is a list', undefined],
    [
      { id: "b", usd: null },
      '"usd" does not fit: Expected string; it is null, which Schema.NullOr allows',
      undefined
    ],
    [{ id: "b" }, '"usd" does not fit: Missing key, which Schema.optional allows', undefined],
    [{ usd: "1", sku: "b" }, 'has no key: "id" is neither text nor a number', undefined]
  ]
  for (const [row, reason, came] of bad)
    it.effect(reason, () =>
      onHub(
        onePolled({ row: Price, maxBad: 1 }, from),
        () =>
          ({
            body: `[{"id":"a","usd":"1"},${text(row)}]`
          }) satisfies Reply,
        Effect.fnUntraced(function* (rig) {
          yield* until(5_000)
          const lines = rig.logged("set aside").map(
            (line) =>
              JSON.parse(line) as {
                readonly message: string
                readonly annotations: { readonly came?: string }
              }
          )
          assert.deepStrictEqual(
            lines.map(({ annotations, message }) => [message, annotations.came]),
            [[`row set aside: ${reason}`, came]]
          )
        })
      )
    )
})
