/** Rows made to break whoever reads them: what is no row is refused in words, and what is one arrives as it was sent. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { EventSource } from "@effect/platform-node/Undici"
import { Schema } from "effect"

import { defineConfig, written } from "../../../src/Config.ts"
import { Browser, chromium } from "../../Browser.ts"
import { answersIn, EventClient, Wire } from "../../Clients.ts"
import { type Daemon, startDaemon, until } from "../../Daemon.ts"
import { Dice } from "../../Fuzz/Dice.ts"
import { canonicalText } from "../../Held.ts"
import { Tab } from "../../Tab.ts"

const megabyte = 1024 * 1024
let daemon: Daemon
beforeAll(async () => {
  const Row = Schema.Struct({ id: Schema.String, note: Schema.Json })
  const large = { key: "id", row: Row, maxBytes: 4 * megabyte } as const
  const config = defineConfig({
    collections: { small: written({ key: "id", row: Row }), large: written(large) }
  })
  daemon = await startDaemon(config, { ANONYMOUS_WRITE: "*", ORIGINS: "*" })
})
afterAll(() => daemon.close())

const put = async (collection: string, key: string, body: string) => {
  const url = `${daemon.url}/v1/rows/${collection}?key=${encodeURIComponent(key)}`
  const answer = await fetch(url, { method: "PUT", headers: { "content-type": "application/json" }, body })
  const text = await answer.text()
  const { code = "" } = JSON.parse(text) as { readonly code?: string }
  return { is: `${answer.status} ${code}`.trim(), text }
}
const rowAt = async (collection: string, key: string) => {
  const answer = await fetch(`${daemon.url}/v1/rows/${collection}?key=${encodeURIComponent(key)}`)
  return ((await answer.json()) as { readonly row: { readonly note: unknown } }).row
}

const body = (bytes: number) => `{"note":"${"x".repeat(bytes - 11)}"}`
const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels)

describe("a row is refused in words", () => {
  const cases: ReadonlyArray<readonly [what: string, expected: string, key: string, body: string]> = [
    ["with a number that no double holds", "400 invalid_row", "a", '{"note":1e400}'],
    ["with NaN", "400 bad_request", "a", '{"note":NaN}'],
    ["with Infinity", "400 bad_request", "a", '{"note":-Infinity}'],
    // The row is the first level.
    ["that is nested 65 deep", "400 invalid_row", "a", `{"note":${deep(64)}}`],
    ["that is nested fifty thousand deep", "400 invalid_row", "a", `{"note":${deep(50_000)}}`],
    ["that is nested half a million deep", "413 too_large", "a", `{"note":${deep(500_000)}}`],
    ["with a field __proto__", "400 invalid_row", "a", '{"note":1,"__proto__":{"polluted":1}}'],
    [
      "with a field constructor",
      "400 invalid_row",
      "a",
      '{"note":1,"constructor":{"prototype":{"polluted":1}}}'
    ],
    ["of 1 MB", "413 too_large", "a", `{"note":"${"x".repeat(1_000_000)}"}`],
    ["under a key of 257 bytes", "400 invalid_row", "\u00e9".repeat(128) + "x", '{"note":1}'],
    ["under no key", "400 invalid_query", "", '{"note":1}'],
    ["that is a list", "400 invalid_row", "a", "[]"],
    ["that is null", "400 invalid_row", "a", "null"],
    ["that is nothing", "400 bad_request", "a", ""]
  ]
  for (const [what, expected, key, body] of cases)
    it(what, async () => {
      const { is, text } = await put("small", key, body)
      // Without a key it says so in either of two ways.
      if (key === "") assert.match(is, /^400 invalid_/)
      else assert.strictEqual(is, expected)
      assert.isBelow(text.length, 1_500)
      assert.notMatch(text, /RangeError|stack|\.ts/)
      assert.isUndefined(({} as { readonly polluted?: unknown }).polluted)
    })

  it("where its body is longer than 1 MiB by one byte, whether or not it says so; one of 1 MiB is read", async () => {
    for (const [bytes, expected] of [
      [megabyte, 201],
      [megabyte + 1, 413]
    ] as const) {
      const said = await put("large", `said ${bytes}`, body(bytes))
      assert.strictEqual(Number.parseInt(said.is, 10), expected)
      const wire = await Wire.open(daemon.port)
      wire.request(`PUT /v1/rows/large/chunked-${bytes} HTTP/1.1`, {
        "content-type": "application/json",
        "transfer-encoding": "chunked"
      })
      const half = body(bytes).slice(0, 500_000)
      const rest = body(bytes).slice(500_000)
      for (const chunk of [half, rest, ""]) wire.socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)
      await until("an answer", () => answersIn(wire.bytes).length > 0)
      assert.strictEqual(answersIn(wire.bytes)[0]!.status, expected)
      wire.socket.destroy()
    }
  })
})

describe("a row arrives as it was sent", () => {
  const cases: ReadonlyArray<readonly [what: string, key: string, note: string]> = [
    ["nested 64 deep", "deep", deep(63)],
    ["with __proto__ inside", "proto", '{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}'],
    ["under the key __proto__", "__proto__", "1"],
    ["under the key constructor", "constructor", "1"],
    ["under a key of line ends and NUL", "a\r\n\nb\0c\u2028d", '"\\r\\n\\u0000"'],
    ["under a key of 256 bytes", "\u00e9".repeat(128), "1"],
    ["with half of a surrogate pair", "half", '"\\ud800 \\udc00x"'],
    ["with members that come twice: the last one counts", "twice", '{"a":1,"a":2,"b":3,"a":4}'],
    ["with digits that a double holds", "digits", "[1.10,-0,1e21,0.1,123456789012345]"]
  ]
  it("under any key, with anything in it", async () => {
    const reader = await EventClient.open(`${daemon.url}/v1/stream?collections=small`)
    await reader.first()
    for (const [what, key, note] of cases) {
      assert.strictEqual((await put("small", key, `{"note":${note}}`)).is, "201", what)
      assert.strictEqual(
        canonicalText((await rowAt("small", key)).note),
        canonicalText(JSON.parse(note)),
        what
      )
      await until(what, () => reader.rows.get("small")?.has(key) === true)
      assert.strictEqual(
        canonicalText(reader.rows.get("small")!.get(key)!.get("note")),
        canonicalText(JSON.parse(note)),
        what
      )
    }
    assert.isUndefined(({} as { readonly polluted?: unknown }).polluted)
    reader.close()
  })
})

interface Heard {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

interface Source {
  readonly addEventListener: (type: string, listener: (event: never) => void) => void
  readonly close: () => void
}

/** What an EventSource says until it has heard so many changes; also sent to a page, as text. */
const heardBy = (EventSource: new (url: string) => Source, url: string, changes: number) =>
  new Promise<ReadonlyArray<Heard>>((done) => {
    const heard: Array<Heard> = []
    const source = new EventSource(url)
    let left = changes
    for (const type of ["message", "snapshot", "change", "ping", "goodbye", "reset"])
      source.addEventListener(type, ({ data, lastEventId }: Heard) => {
        heard.push({ type, data, lastEventId })
        if (type !== "change" || --left > 0) return
        source.close()
        done(heard)
      })
  })

describe("nothing in a row ends an event, begins one, or is one", () => {
  const strings = 100_000
  const each = 1_000

  it(
    `${strings} nasty strings in keys and values, read by ${chromium === undefined ? "two parsers: there is no Chromium" : "three parsers"}`,
    { timeout: 60_000 },
    async () => {
      const dice = new Dice(7)
      const rows = Array.from({ length: strings / each }, (_, i) => ({
        key: `${i} ${dice.name().toWellFormed()}`.slice(0, 60),
        note: Array.from({ length: each }, () => dice.text().slice(0, 200))
      }))
      const url = `${daemon.url}/v1/stream?collections=large`
      const ours = await EventClient.open(url)
      await ours.first()
      const browser = chromium === undefined ? undefined : new Browser(chromium)
      const tab = browser && (await Tab.open(browser, `${daemon.url}/v1/collections`))
      const readers = daemon.hub.readers()
      const listening = [
        heardBy(EventSource as never, url, rows.length),
        ...(tab === undefined
          ? []
          : [
              tab.evaluate<ReadonlyArray<Heard>>(
                `(${String(heardBy)})(EventSource, ${JSON.stringify(url)}, ${rows.length})`
              )
            ])
      ]
      await until("all to listen", () => daemon.hub.readers() === readers + listening.length, 20_000)
      for (const [i, { key, note }] of rows.entries()) {
        assert.match((await put("large", key, JSON.stringify({ note }))).is, /^20/)
        // One change each, for everybody.
        await until("a change", () => ours.changes === i + 1)
      }
      const expected = ours.events
        .filter(({ type }) => type === "change")
        .map(({ data, lastEventId }) => ({ data, lastEventId }))
      for (const heard of await Promise.all(listening)) {
        const changes = heard.filter(({ type }) => type === "change")
        assert.deepStrictEqual(
          changes.map(({ data, lastEventId }) => ({ data, lastEventId })),
          expected
        )
        assert.deepStrictEqual(
          heard.filter(({ type }) => !["snapshot", "change", "ping"].includes(type)),
          []
        )
      }
      for (const { key, note } of rows)
        assert.strictEqual(canonicalText(ours.rows.get("large")!.get(key)!.get("note")), canonicalText(note))
      ours.close()
      await browser?.close()
    }
  )
})
