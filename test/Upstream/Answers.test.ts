import { inspect } from "node:util"
import * as zlib from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Redacted, Schema, Stream } from "effect"
import { HttpClient, type HttpClientResponse } from "effect/http"

import { Decimal, type SourceOptions } from "../../src/Config.ts"
import { Hub } from "../../src/Hub.ts"
import { connect, queryOf, type Reply, settle, startOfTime } from "../Kit.ts"
import { held, inEarnest, onePolled, onHub, state, until } from "../Rig.ts"

const Pool = Schema.Struct({ id: Schema.String, rate: Decimal })
const good: Reply = { body: [{ id: "a", rate: "1" }] }
const fast = { every: "10 seconds", timeout: "2 seconds", maxBytes: 1_000 } satisfies Partial<SourceOptions>
const json = JSON.stringify(good.body)
const reader = Effect.gen(function* () {
  return yield* connect(yield* queryOf(["pools"]))
})
const refused = Effect.fail(new Error("ECONNREFUSED"))
const lastOf = (times: ReadonlyArray<number>) => times.at(-1)!

describe("what looks wrong changes nothing until it is repeated", () => {
  const many = Array.from({ length: 10 }, (_, i) => ({ id: `${i}`, rate: "1" }))
  const shrunk = many.slice(0, 2)
  for (const [what, code, first, second, left] of [
    ["an empty answer", "upstream_empty", { body: [] }, { body: "[ ]" }, 0],
    ["an empty answer, repeated by its bytes,", "upstream_empty", { body: [] }, { body: [] }, 0],
    [
      "an empty answer, repeated by a 304,",
      "upstream_empty",
      { headers: { etag: "e" }, body: [] },
      { status: 304 },
      0
    ],
    [
      "a shrunken answer",
      "upstream_shrunk",
      { body: shrunk },
      { body: [...shrunk, { id: "n", rate: "1" }] },
      3
    ],
    ["a shrunken answer, repeated by its bytes,", "upstream_shrunk", { body: shrunk }, { body: shrunk }, 2],
    [
      "a shrunken answer, repeated by a 304,",
      "upstream_shrunk",
      { headers: { etag: "e" }, body: shrunk },
      { status: 304 },
      2
    ]
  ] as const) {
    it.effect(`${what} is believed then, and not before`, () =>
      onHub(
        onePolled({ row: Pool }, { every: "10 seconds" }),
        (_, n) => (n === 1 ? { body: many } : n === 2 ? first : second),
        Effect.fnUntraced(function* (rig) {
          const client = yield* reader
          while (rig.times.length < 2) yield* until(lastOf(rig.times) + 10_000)
          assert.strictEqual(yield* state("pools"), `stale ${code}`)
          assert.strictEqual(client.errors.get("pools"), code)
          assert.strictEqual(Object.keys(yield* held("pools")).length, 10)
          assert.strictEqual(rig.commits.length, 2)
          assert.strictEqual((yield* Hub).look("pools").asOf, startOfTime)
          yield* until(lastOf(rig.times) + 10_000)
          assert.strictEqual(rig.times.length, 3)
          assert.strictEqual(yield* state("pools"), "live")
          assert.strictEqual(client.rows.get("pools")!.size, left)
          assert.strictEqual(rig.commits.length, 3)
          yield* until(lastOf(rig.times) + 20_000)
          assert.strictEqual(rig.commits.length, 3)
        })
      )
    )
  }
})

/** A client whose answers come in pieces. */
const pieces = (stream: Stream.Stream<Uint8Array, unknown>) =>
  HttpClient.make((request) =>
    Effect.succeed({
      request,
      status: 200,
      headers: {},
      stream
    } as unknown as HttpClientResponse.HttpClientResponse)
  )

const bytes = (text: string) => new TextEncoder().encode(text)

describe("the body", () => {
  for (const [encoding, packed] of [
    ["gzip", zlib.gzipSync(json)],
    ["deflate", zlib.deflateSync(json)],
    ["br", zlib.brotliCompressSync(json)],
    ["zstd", zlib.zstdCompressSync(json)]
  ] as const) {
    it.effect(`may be packed with ${encoding}, but not to hide how large it is`, () => {
      const bomb = {
        gzip: zlib.gzipSync,
        deflate: zlib.deflateSync,
        br: zlib.brotliCompressSync,
        zstd: zlib.zstdCompressSync
      }[encoding]
      return onHub(
        onePolled({ row: Pool }, { ...fast, retries: 0 }),
        (_, n) => ({
          headers: { "content-encoding": encoding },
          body: n === 1 ? packed : bomb(`${json}${" ".repeat(10_000)}`)
        }),
        Effect.fnUntraced(function* (rig) {
          yield* inEarnest("unpacked", () => rig.commits.length === 1)
          assert.strictEqual(yield* state("pools"), "live")
          yield* until(60_000)
          yield* inEarnest("refused", () => rig.commits.length === 2)
          assert.strictEqual(yield* state("pools"), "stale upstream_too_large")
        })
      )
    })
  }

  it.effect("a byte order mark is no part of it, and __proto__ is a name like any other", () =>
    onHub(
      onePolled({ row: Pool }),
      () => ({
        body: `\uFEFF[{"id":"__proto__","rate":"1","__proto__":{"rate":"9"}},{"id":"constructor","rate":"2"},{"id":"","rate":"3"}]`
      }),
      Effect.fnUntraced(function* () {
        const client = yield* reader
        assert.deepStrictEqual([...client.rows.get("pools")!.keys()].toSorted(), [
          "",
          "__proto__",
          "constructor"
        ])
        assert.strictEqual(client.rows.get("pools")!.get("__proto__")!.get("rate"), "1")
        assert.strictEqual(({} as { rate?: string }).rate, undefined)
      })
    )
  )

  let taken = 0
  for (const [what, stream, code] of [
    ["in many pieces is put together", Stream.fromIterable([...json].map(bytes)), undefined],
    [
      "that breaks off is no answer",
      Stream.concat(Stream.make(bytes(json)), Stream.fail("reset")),
      "upstream_unreachable"
    ],
    [
      "that dribbles has until its last byte",
      Stream.fromIterable([...json].map(bytes)).pipe(Stream.tap(() => Effect.sleep("200 millis"))),
      "upstream_timeout"
    ],
    [
      "that is too large is not read to its end",
      Stream.range(1, 1_000).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.sync(() => taken++)),
        Stream.map(() => bytes("0123456789".repeat(10)))
      ),
      "upstream_too_large"
    ]
  ] as const) {
    it.effect(`an answer ${what}`, () =>
      onHub(
        onePolled({ row: Pool }, { ...fast, retries: 0 }),
        () => good,
        Effect.fnUntraced(function* () {
          yield* until(2_000)
          assert.strictEqual(yield* state("pools"), code === undefined ? "live" : `loading ${code}`)
          if (code === "upstream_too_large") assert.isTrue(taken > 5 && taken < 20, `${taken}`)
        }),
        { client: pieces(stream) }
      )
    )
  }
})

describe("headers from an Effect", () => {
  for (const [how, headers] of [
    ["fails", Effect.fail("no token")],
    ["dies", Effect.die(new Error("no token"))],
    ["dies of a promise", Effect.promise(() => Promise.reject(new Error("no token")))]
  ] as const) {
    it.effect(`that ${how} is a failed poll, and the next one tries again`, () => {
      let broken = true
      return onHub(
        onePolled(
          { row: Pool },
          { ...fast, retries: 0, headers: Effect.suspend(() => (broken ? headers : Effect.succeed({}))) }
        ),
        () => good,
        Effect.fnUntraced(function* (rig) {
          yield* reader
          yield* Effect.promise(() => new Promise((done) => setTimeout(done, 5)))
          yield* settle
          assert.strictEqual(yield* state("pools"), "loading upstream_unreachable")
          broken = false
          yield* until(25_000)
          assert.strictEqual(yield* state("pools"), "live")
          assert.isAtLeast(rig.times.length, 1)
        })
      )
    })
  }

  const inspected: Array<string> = []
  const inspecting = Logger.make(({ message }) => {
    inspected.push(inspect(message, { depth: 50 }))
  })
  it.effect("secrets stand in no line of the log, whatever the header is called", () =>
    onHub(
      onePolled(
        { row: Pool },
        { ...fast, headers: { "x-partner": Redacted.make("s3cret"), authorization: Redacted.make("s3cret") } }
      ),
      (_, n) => (n < 4 ? refused : { body: "<" }),
      Effect.fnUntraced(function* (rig) {
        yield* until(30_000)
        assert.isAbove(rig.logged("poll failed").length, 0)
        assert.deepStrictEqual(rig.logged("s3cret"), [])
        assert.isAbove(inspected.length, 0)
        assert.notInclude(inspected.join(), "s3cret")
      }),
      { loggers: [inspecting] }
    )
  )
})

describe("the checks can fail", () => {
  it.effect("a collection that takes a shrunken answer at its word is noticed", () =>
    onHub(
      onePolled({ row: Pool, minKeep: 0 }, { every: "10 seconds" }),
      (_, n) => ({
        body:
          n === 1
            ? [
                { id: "a", rate: "1" },
                { id: "b", rate: "1" }
              ]
            : [{ id: "c", rate: "1" }]
      }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        while (rig.times.length < 2) yield* until(lastOf(rig.times) + 10_000)
        assert.strictEqual(yield* state("pools"), "live")
        assert.deepStrictEqual(Object.keys(yield* held("pools")), ["c"])
      })
    )
  )
})
