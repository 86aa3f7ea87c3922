import * as zlib from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import type { Pages, SourceOptions } from "../../src/Config.ts"
import { type Asked, connect, queryOf, type Reply, settle, startOfTime } from "../Kit.ts"
import { held, inEarnest, onePolled, onHub, state, until } from "../Rig.ts"

const Row = Schema.Struct({ id: Schema.String, n: Schema.Finite })
type Item = typeof Row.Type
const items = (count: number, n = 1): ReadonlyArray<Item> =>
  Array.from({ length: count }, (_, i) => ({ id: `k${i}`, n }))
const reader = Effect.gen(function* () {
  return yield* connect(yield* queryOf(["pools"]))
})

const parameterOf = ({ body, url }: Asked, name: string): string | null =>
  body === "" ? new URL(url).searchParams.get(name) : String(JSON.parse(body).variables?.[name] ?? "0")

/** A backend that gives its rows in pages of three. */
const served = (by: Pages["by"], all: ReadonlyArray<Item>, asked: Asked): Reply => {
  const at = parameterOf(asked, "at")
  const from = by === "page" ? 3 * (Number(at ?? 1) - 1) : Number(at ?? 0)
  const next = from + 3 < all.length ? `${from + 3}` : null
  return { body: { data: { list: all.slice(from, from + 3) }, meta: { next } } }
}
const ways: { readonly [way: string]: Partial<SourceOptions> & { readonly pages: Pages } } = {
  "by a cursor in the body": { pages: { by: "cursor", next: "meta.next", parameter: "at" } },
  "by offset": { pages: { by: "offset", parameter: "at", size: 3, sizeParameter: "limit" } },
  "by page number": { pages: { by: "page", parameter: "at", size: 3 } },
  "by offset in a POST body": {
    method: "POST",
    body: { query: "{}", variables: { chain: "x", at: 0 } },
    pages: { by: "offset", parameter: "variables.at", size: 3, sizeParameter: "variables.limit" }
  },
  "by a cursor in a POST body": {
    method: "POST",
    body: { query: "{}" },
    pages: { by: "cursor", next: "meta.next", parameter: "variables.at" }
  }
}
const paged = (options: Partial<SourceOptions> = ways["by offset"]!) =>
  onePolled(
    { row: Row, rows: "data.list" },
    { url: "http://up/pools?v=2", every: "10 seconds", rows: "data.list", ...options }
  )

/** Answers by the number of the poll, from 0: a poll begins at the first page. */
const byPoll = (answer: (poll: number, asked: Asked) => Reply | Effect.Effect<Reply, unknown>) => {
  let poll = -1
  return (asked: Asked) => {
    const at = parameterOf(asked, "at")
    if (at === null || at === "0") poll++
    return answer(poll, asked)
  }
}
const polls = (rig: { readonly script: { readonly asked: ReadonlyArray<Asked> } }) =>
  rig.script.asked.filter((asked) => [null, "0"].includes(parameterOf(asked, "at"))).length
/** Until so many polls were made. */
const untilPoll = Effect.fnUntraced(function* (rig: Parameters<typeof polls>[0], count: number) {
  while (polls(rig) < count) yield* until(rig.script.asked.at(-1)!.at - startOfTime + 10_000)
  yield* settle
})

describe("pages", () => {
  for (const [way, options] of Object.entries(ways)) {
    for (const count of [0, 1, 3, 7]) {
      it.effect(`${way}: ${count} rows are one poll and one commit`, () =>
        onHub(
          paged(options),
          (asked) => served(options.pages.by, items(count), asked),
          Effect.fnUntraced(function* (rig) {
            yield* reader
            yield* until(900)
            assert.strictEqual(Object.keys(yield* held("pools")).length, count)
            assert.strictEqual(yield* state("pools"), count === 0 ? "loading upstream_empty" : "live")
            assert.strictEqual(rig.commits.length, 1)
            assert.strictEqual(rig.script.most, 1)
            for (const { body, url } of rig.script.asked) {
              assert.strictEqual(new URL(url).searchParams.get("v"), "2")
              if (body !== "") assert.strictEqual(JSON.parse(body).query, "{}")
              if (way.includes("offset in a POST")) {
                assert.deepInclude(JSON.parse(body).variables, { chain: "x", limit: 3 })
              }
            }
            const wholePages = Math.floor(count / 3) + 1
            const asked = options.pages.by === "cursor" ? Math.max(1, Math.ceil(count / 3)) : wholePages
            assert.strictEqual(rig.times.length % asked, 0)
          })
        )
      )
    }
  }

  it.effect("a number may be the cursor, and what is no cursor ends the pages", () =>
    onHub(
      paged(ways["by a cursor in the body"]),
      (_, n) => ({
        body: { data: { list: [{ id: `${n}`, n }] }, meta: { next: n < 3 ? n : [null, "", {}, true][n % 4] } }
      }),
      Effect.fnUntraced(function* (rig) {
        assert.strictEqual(rig.times.length, 3)
        assert.strictEqual(Object.keys(yield* held("pools")).length, 3)
      })
    )
  )

  it.effect("a poll counts only if every page came, and begins again at the first", () =>
    onHub(
      paged({ ...ways["by offset"]!, retries: 1 }),
      byPoll((poll, asked) =>
        poll > 0 && asked.url.includes("at=3") ? { status: 500 } : served("offset", items(7, poll), asked)
      ),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* untilPoll(rig, 2)
        yield* until(30_000)
        assert.strictEqual(yield* state("pools"), "stale upstream_status")
        assert.isTrue(Object.values(yield* held("pools")).every(({ n }) => n === 0))
        assert.deepStrictEqual(
          rig.script.asked.slice(3, 7).map((asked) => parameterOf(asked, "at")),
          ["0", "3", "0", "3"]
        )
      })
    )
  )

  it.effect("pages without end are too many", () =>
    onHub(
      paged({ pages: { by: "cursor", next: "meta.next", parameter: "at", max: 5 } }),
      () => ({ body: { data: { list: items(1) }, meta: { next: "again" } } }),
      Effect.fnUntraced(function* (rig) {
        assert.strictEqual(yield* state("pools"), "loading upstream_too_large")
        assert.strictEqual(rig.times.length, 5)
      })
    )
  )

  it.effect("exactly as many pages as there may be are not too many", () =>
    onHub(
      paged({ pages: { by: "cursor", next: "meta.next", parameter: "at", max: 5 } }),
      (asked) => served("cursor", items(15), asked),
      Effect.fnUntraced(function* () {
        assert.strictEqual(yield* state("pools"), "live")
      })
    )
  )

  it.effect("a page whose rows are not found is no page", () =>
    onHub(
      paged(),
      (asked) => (asked.url.includes("at=3") ? { body: { data: {} } } : served("offset", items(7), asked)),
      Effect.fnUntraced(function* () {
        assert.strictEqual(yield* state("pools"), "loading upstream_shape")
      })
    )
  )

  it.effect("unchanged pages are not read again", () => {
    let read = 0
    const rows = (body: { readonly data: { readonly list: ReadonlyArray<Item> } }) => {
      read++
      return body.data.list.map((row) => ({ key: row.id, row }))
    }
    return onHub(
      onePolled({ row: Row, rows }, { every: "1 second", rows: "data.list", ...ways["by offset"] }),
      (asked) => served("offset", items(7), asked),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* until(10_000)
        assert.isAbove(polls(rig), 8)
        assert.strictEqual(read, 3)
        assert.strictEqual(rig.commits.length, 1)
      })
    )
  })
})

describe("the limit of a body is for all pages together", () => {
  it.effect("as they come", () =>
    onHub(
      paged({ ...ways["by offset"]!, maxBytes: 200 }),
      (asked) => served("offset", items(9), asked),
      Effect.fnUntraced(function* () {
        assert.strictEqual(yield* state("pools"), "loading upstream_too_large")
      })
    )
  )

  for (const [what, config, answer] of [
    [
      "pages",
      paged({ ...ways["by offset"]!, maxBytes: 2_000 }),
      (asked: Asked) => served("offset", items(9), asked)
    ],
    [
      "several URLs",
      onePolled({ row: Row, rows: "data.list" }, { url: ["http://up/1", "http://up/2"], maxBytes: 2_000 }),
      (asked: Asked) => served("offset", items(2), asked)
    ]
  ] as const) {
    it.effect(`unpacked, also where ${what} come packed`, () =>
      onHub(
        config,
        (asked) => ({
          headers: { "content-encoding": "gzip" },
          body: zlib.gzipSync(`${JSON.stringify(answer(asked).body)}${" ".repeat(1_500)}`)
        }),
        Effect.fnUntraced(function* (rig) {
          yield* inEarnest("unpacked", () => rig.commits.length > 0)
          assert.strictEqual(yield* state("pools"), "loading upstream_too_large")
        })
      )
    )
  }
})

/** Which of nine rows each poll lacks, and what is held after each. */
const story = (
  lacking: ReadonlyArray<ReadonlyArray<number> | "fails">,
  expected: ReadonlyArray<number>,
  changing = true
) =>
  onHub(
    paged({ ...ways["by offset"]!, retries: 0 }),
    byPoll((poll, asked) => {
      const lacks = lacking[Math.min(poll, lacking.length - 1)]!
      if (lacks === "fails")
        return asked.url.includes("at=3") ? { status: 500 } : served("offset", items(9), asked)
      return served(
        "offset",
        items(9, changing ? poll : 1).filter((_, i) => !lacks.includes(i)),
        asked
      )
    }),
    Effect.fnUntraced(function* (rig) {
      yield* reader
      const sizes: Array<number> = []
      for (let poll = 1; poll <= expected.length; poll++) {
        yield* untilPoll(rig, poll)
        sizes.push(Object.keys(yield* held("pools")).length)
      }
      assert.deepStrictEqual(sizes, expected)
    })
  )

describe("a row goes after it was missing from two complete polls", () => {
  it.effect("one poll without it takes nothing", () => story([[], [4], [], []], [9, 9, 9, 9]))
  it.effect("two do", () => story([[], [4], [4], [4]], [9, 9, 8, 8]))
  it.effect("two, the second of which is unchanged, do", () => story([[], [4]], [9, 9, 8, 8], false))
  it.effect("a row that comes back begins anew", () =>
    story([[], [4], [], [4], [], [4], [4]], [9, 9, 9, 9, 9, 9, 8])
  )
  it.effect("each row for itself", () => story([[], [4], [4, 5], [5], []], [9, 9, 8, 8, 9]))
  it.effect("a poll that was not complete does not count", () =>
    story([[], [4], "fails", [], [4]], [9, 9, 9, 9, 9])
  )
  it.effect("nor does it forgive", () => story([[], [4], "fails", [4]], [9, 9, 9, 8]))

  it.effect("a row that moves between pages is not lost, and one that comes twice is counted", () =>
    onHub(
      paged(),
      byPoll((poll, asked) => {
        const all = items(7)
        const moved = poll === 1 && !asked.url.includes("at=0") ? [all[6]!, ...all.slice(0, 6)] : all
        return served("offset", moved, asked)
      }),
      Effect.fnUntraced(function* (rig) {
        yield* reader
        yield* untilPoll(rig, 2)
        assert.strictEqual(Object.keys(yield* held("pools")).length, 7)
        assert.isAbove(rig.count("duplicate_keys_total"), 0)
      })
    )
  )

  const most = [0, 1, 2, 3, 4, 5]
  for (const [what, lacks, left] of [
    ["a shrink", most, 3],
    ["a shrink to nothing", [...most, 6, 7, 8], 0]
  ] as const) {
    for (const changing of [true, false]) {
      it.effect(`${what} that the next poll repeats${changing ? "" : " unchanged"} is believed then`, () =>
        onHub(
          paged(),
          byPoll((poll, asked) => {
            const all = items(9, changing ? poll : 1).filter((_, i) => poll === 0 || !lacks.includes(i))
            const { body } = served("offset", all, asked)
            return { body: { ...(body as object), poll: changing ? poll : 1 } }
          }),
          Effect.fnUntraced(function* (rig) {
            yield* reader
            yield* untilPoll(rig, 2)
            assert.match(yield* state("pools"), /^stale upstream_(shrunk|empty)$/)
            const seen: Array<string> = []
            for (let poll = 3; poll <= 6; poll++) {
              yield* untilPoll(rig, poll)
              seen.push(`${yield* state("pools")} ${Object.keys(yield* held("pools")).length}`)
            }
            assert.deepStrictEqual(
              seen,
              Array.from({ length: 4 }, () => `live ${left}`)
            )
          })
        )
      )
    }
  }
})

describe("the checks can fail", () => {
  it.effect("where there are no pages, a row goes at once", () =>
    onHub(
      onePolled({ row: Row }, { every: "1 second" }),
      (_, n) => ({ body: items(n === 1 ? 9 : 8) }),
      Effect.fnUntraced(function* () {
        yield* reader
        yield* until(1_000)
        assert.strictEqual(Object.keys(yield* held("pools")).length, 8)
      })
    )
  )
})
