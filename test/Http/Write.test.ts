/** Writing over HTTP, by real sockets, over a real journal that outlives a restart. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { type Config, defineConfig, polled, source, written } from "../../src/Config.ts"
import { layerSqlite } from "../../src/Hub.ts"
import { EventClient, SocketClient } from "../Clients.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { layerFastClock } from "../FastClock.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String.check(Schema.isMaxLength(500)) })
const folder = mkdtempSync(join(tmpdir(), "ratecast-write-"))
const backend = new Backend()
let daemon: Daemon
let files = 0

const configOf = () =>
  defineConfig({
    collections: {
      chat: written({ key: "id", row: Message, retain: { rows: 5 } }),
      kept: written({ key: "id", row: Message, durability: "power" }),
      "support:{uid}": written({ key: "id", row: Message }),
      pools: polled({
        source: source({ url: backend.url, every: "10 hours" }),
        key: "id",
        row: Schema.Struct({ id: Schema.String })
      })
    }
  }) as Config

const start = (file: string) =>
  startDaemon(configOf(), { ANONYMOUS_WRITE: "*" }, undefined, layerSqlite(file))

beforeAll(async () => {
  await backend.start()
  daemon = await start(join(folder, `${files++}.sqlite`))
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
  rmSync(folder, { recursive: true })
})

interface Options {
  readonly body?: unknown
  readonly raw?: string
  readonly headers?: { readonly [name: string]: string }
}

const ask = async (method: string, path: string, { body, headers = {}, raw }: Options = {}, at = daemon) => {
  const answer = await fetch(`${at.url}${path}`, {
    method,
    headers: { ...(method === "DELETE" ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined && raw === undefined ? {} : { body: raw ?? JSON.stringify(body) })
  })
  const text = await answer.text()
  return {
    status: answer.status,
    etag: answer.headers.get("etag"),
    allow: answer.headers.get("allow"),
    json: text === "" ? undefined : (JSON.parse(text) as { readonly [name: string]: unknown })
  }
}
const send = (key: string, text: string, at = daemon) =>
  ask("POST", "/v1/rows/kept", { body: { text }, headers: { "idempotency-key": key } }, at)

const page = async (search: string, at = daemon) => {
  const { json, status } = await ask("GET", `/v1/history/chat?${search}`, {}, at)
  assert.strictEqual(status, 200, JSON.stringify(json))
  const { before, rows } = json as unknown as {
    readonly before: string | null
    readonly rows: ReadonlyArray<{ readonly key: string; readonly row: { readonly text: string } }>
  }
  return { before, texts: rows.map(({ row }) => row.text), keys: rows.map(({ key }) => key) }
}

const codeOf = async (...asked: Parameters<typeof ask>) => {
  const { json, status } = await ask(...asked)
  return `${status} ${String(json!["code"])}`
}

describe("a row is written", () => {
  it("with PUT, PATCH and DELETE, and everybody who reads sees it", async () => {
    const reader = await EventClient.open(`${daemon.url}/v1/stream?collections=kept`)
    const made = await ask("PUT", "/v1/rows/kept/a%2Fb", { body: { text: "one" } })
    assert.strictEqual(made.status, 201)
    assert.deepStrictEqual(made.json, {
      epoch: daemon.hub.epoch,
      revision: daemon.hub.revision(),
      key: "a/b",
      row: { text: "one", id: "a/b" }
    })
    const read = await ask("GET", "/v1/rows/kept?key=a%2Fb")
    assert.strictEqual(read.etag, made.etag)
    const patched = await ask("PATCH", "/v1/rows/kept?key=a%2Fb", {
      body: { set: { text: "two" } },
      headers: { "if-match": made.etag! }
    })
    assert.strictEqual(patched.status, 200)
    const stale = { body: { text: "x" }, headers: { "if-match": made.etag! } }
    assert.strictEqual(await codeOf("PUT", "/v1/rows/kept/a%2Fb", stale), "412 precondition_failed")
    await until("two", () => reader.rows.get("kept")?.get("a/b")?.get("text") === "two")
    const gone = await ask("DELETE", "/v1/rows/kept/a%2Fb")
    assert.strictEqual(gone.status, 200)
    assert.notProperty(gone.json, "row")
    await until("nothing", () => reader.rows.get("kept")?.size === 0)
    assert.strictEqual(await codeOf("DELETE", "/v1/rows/kept/a%2Fb"), "404 unknown_row")
    reader.close()
  })

  it("with POST under a key of the server's, after all before it", async () => {
    const keys: Array<string> = []
    for (let i = 0; i < 4; i++) {
      const { json, status } = await ask("POST", "/v1/rows/support:7", { body: { text: `${i}` } })
      assert.strictEqual(status, 201)
      keys.push(json!["key"] as string)
    }
    assert.deepStrictEqual(keys.toSorted(), keys)
    assert.strictEqual(new Set(keys).size, 4)
    const { json } = await ask("GET", "/v1/snapshot?collections=support:7")
    const { rows } = (json!["collections"] as { [name: string]: { rows: object } })["support:7"]!
    assert.deepStrictEqual(Object.keys(rows), keys)
  })

  it("whose revision a reader can wait for", async () => {
    const { json } = await ask("POST", "/v1/rows/support:8", { body: { text: "x" } })
    const seen = await ask("GET", "/v1/snapshot?collections=support:8", {
      headers: { "ratecast-min-revision": `${String(json!["epoch"])}-${String(json!["revision"])}` }
    })
    assert.include(JSON.stringify(seen.json), '"text":"x"')
  })

  it("once only with If-None-Match: *", async () => {
    const anew = { body: { text: "x" }, headers: { "if-none-match": "*" } }
    assert.strictEqual((await ask("PUT", "/v1/rows/kept/once", anew)).status, 201)
    assert.strictEqual(await codeOf("PUT", "/v1/rows/kept/once", anew), "412 precondition_failed")
  })
})

describe("what cannot be written is refused in words", () => {
  const row = { body: { text: "x" } }
  const cases: ReadonlyArray<readonly [what: string, expected: string, asked: Parameters<typeof ask>]> = [
    ["a polled collection", "405 not_writable", ["PUT", "/v1/rows/pools/a", row]],
    ["an unknown one", "404 unknown_collection", ["PUT", "/v1/rows/chatt/a", row]],
    ["a pattern", "404 unknown_collection", ["POST", "/v1/rows/support:*", row]],
    ["no JSON", "400 bad_request", ["PUT", "/v1/rows/kept/a", { raw: "{text" }]],
    ["no row", "400 invalid_row", ["PUT", "/v1/rows/kept/a", { body: ["x"] }]],
    ["a field too many", "400 invalid_row", ["PUT", "/v1/rows/kept/a", { body: { text: "x", y: 1 } }]],
    ["another key inside", "400 invalid_row", ["PUT", "/v1/rows/kept/a", { body: { id: "b", text: "x" } }]],
    [
      "a key of our own choice",
      "400 invalid_row",
      ["POST", "/v1/rows/kept", { body: { id: "b", text: "x" } }]
    ],
    [
      "a form of another page",
      "415 unsupported_media_type",
      ["POST", "/v1/rows/kept", { raw: '{"text":"x"}', headers: { "content-type": "text/plain" } }]
    ],
    [
      "a page of another origin",
      "403 forbidden",
      ["POST", "/v1/rows/kept", { ...row, headers: { origin: "https://evil.example" } }]
    ],
    ["a body of 2 MB", "413 too_large", ["PUT", "/v1/rows/kept/a", { raw: `"${"x".repeat(2_000_000)}"` }]],
    ["a patch of nothing known", "400 invalid_row", ["PATCH", "/v1/rows/kept/a", { body: { text: "x" } }]],
    [
      "a patch of no row",
      "404 unknown_row",
      ["PATCH", "/v1/rows/kept/none", { body: { set: { text: "x" } } }]
    ],
    ["a parameter", "400 invalid_query", ["PUT", "/v1/rows/kept/a?kee=1", row]],
    ["no key", "400 invalid_query", ["PUT", "/v1/rows/kept", row]]
  ]
  for (const [what, expected, asked] of cases)
    it(what, async () => {
      assert.strictEqual(await codeOf(...asked), expected)
    })

  it("another method, with those that there are", async () => {
    const { allow, status } = await ask("POST", "/v1/rows/kept/a", row)
    assert.deepStrictEqual([status, allow], [405, "GET, HEAD, PUT, PATCH, DELETE"])
  })
})

describe("what is no row that anybody has read", () => {
  it("is said to be no ETag, where If-Match is no strong one", async () => {
    const made = await ask("PUT", "/v1/rows/chat/tagged", { body: { text: "a" } })
    const put = (match: string) =>
      ask("PUT", "/v1/rows/chat/tagged", { body: { text: "a" }, headers: { "if-match": match } })
    for (const match of [made.etag!.slice(1, -1), `W/${made.etag}`, "", `${made.etag}, W/"x"`]) {
      const { json, status } = await put(match)
      assert.deepStrictEqual([status, json!["code"]], [400, "bad_request"], match)
      assert.match(
        String(json!["detail"]),
        /^If-Match is ".*"; expected the ETag of the row as it was answered: in/
      )
    }
    for (const match of ['"x"', '"x", "y"', ', "x"'])
      assert.strictEqual((await put(match)).status, 412, match)
    for (const match of ["*", made.etag!, `"x",${made.etag}`])
      assert.strictEqual((await put(match)).status, 200, match)
    const client = await openSocket()
    for (const ifMatch of ["x", 'W/"x"', "", 7]) {
      const write = { type: "write", op: "delete", collection: "support:socket", key: "a", ifMatch }
      client.say({ ...write, ref: String(ifMatch) })
      assert.include(JSON.stringify(await client.answer(String(ifMatch))), "without W/; or * for any row")
    }
    client.close()
  })

  it("names what an id of a family may not be", async () => {
    const cases = [
      ["support:", /a member needs an id$/],
      [`support:${"x".repeat(300)}`, /the name of a member has at most 256 bytes$/],
      ["support:..", /an id is any text but \., \.\., a mere {…} and what is not Unicode$/]
    ] as const
    for (const [name, detail] of cases) {
      const path = `/v1/rows/${encodeURIComponent(name).replaceAll(".", "%2E")}`
      const { json, status } = await ask("POST", path, { body: { text: "x" } })
      assert.deepStrictEqual([status, json!["code"]], [404, "unknown_collection"])
      assert.match(String(json!["detail"]), detail)
    }
  })
})

describe("a request that comes again", () => {
  it("is answered as the first time, and writes nothing", async () => {
    const first = await send("k1", "hello")
    const rows = daemon.hub.look("kept").rows
    const second = await send("k1", "hello")
    assert.deepStrictEqual(second, first)
    assert.strictEqual(daemon.hub.look("kept").rows, rows)
    const { json, status } = await send("k1", "other")
    assert.deepStrictEqual(
      [status, json!["code"], json!["title"], json!["detail"]],
      [
        409,
        "conflict",
        "This conflicts with what was written before",
        "this Idempotency-Key was used for something else"
      ]
    )
  })

  it("while the first is under way too", async () => {
    const rows = daemon.hub.look("kept").rows
    const all = await Promise.all(Array.from({ length: 20 }, () => send("k2", "hello")))
    for (const each of all) assert.deepStrictEqual(each, all[0])
    assert.strictEqual(daemon.hub.look("kept").rows, rows + 1)
  })

  it("after a restart, too, and keys go on behind those before it", async () => {
    const file = join(folder, `${files++}.sqlite`)
    const before = await start(file)
    const first = await send("k", "hello", before)
    await before.close()
    const after = await start(file)
    assert.strictEqual(after.hub.look("kept").health.state, "live")
    assert.deepStrictEqual(await send("k", "hello", after), first)
    const next = await send("k3", "next", after)
    assert.isTrue(String(next.json!["key"]) > String(first.json!["key"]))
    assert.strictEqual(after.hub.look("kept").rows, 2)
    await after.close()
  })

  it("after a restart, too, where the first changed nothing: what others wrote since stays", async () => {
    const file = join(folder, `${files++}.sqlite`)
    const before = await start(file)
    const put = (text: string, key: string, at: Daemon) =>
      ask("PUT", "/v1/rows/kept/a", { body: { text }, headers: { "idempotency-key": key } }, at)
    await put("one", "first", before)
    const same = await put("one", "same", before)
    await put("two", "other", before)
    await before.close()
    const after = await start(file)
    assert.deepStrictEqual(await put("one", "same", after), same)
    assert.deepStrictEqual((await ask("GET", "/v1/rows/kept/a", {}, after)).json!["row"], {
      id: "a",
      text: "two"
    })
    await after.close()
  })
})

const openSocket = () => SocketClient.open(`${daemon.url}/v1/socket?collections=support:socket`)
const appending = (ref: string, text: string) => ({
  type: "write",
  ref,
  op: "append",
  collection: "support:socket",
  row: { text }
})

describe("a WebSocket writes", () => {
  it("row after row, in its order, and is told where each can be seen", async () => {
    const client = await openSocket()
    const refs = Array.from({ length: 40 }, (_, i) => `w${i}`)
    for (const ref of refs) client.say(appending(ref, ref))
    const acks = await Promise.all(refs.map((ref) => client.answer(ref)))
    const keys = acks.map((ack) => String(ack["key"]))
    assert.deepStrictEqual(keys.toSorted(), keys)
    for (const ack of acks) {
      assert.deepStrictEqual(Object.keys(ack).toSorted(), ["epoch", "key", "ref", "revision", "type"])
      assert.strictEqual(ack.type, "ack")
    }
    await until("all of them", () => client.rows.get("support:socket")?.size === 40)
    const rows = [...client.rows.get("support:socket")!.values()].map((row) => row.get("text"))
    assert.deepStrictEqual(rows.toSorted(), refs.toSorted())
    client.close()
  })

  it("a change and a deletion, and hears what does not fit without losing its connection", async () => {
    const client = await openSocket()
    const write = { type: "write", collection: "support:socket", key: "k" }
    client.say({ ...write, ref: "1", op: "put", row: { text: "a" } })
    client.say({ ...write, ref: "2", op: "patch", set: { text: "b" } })
    client.say({ ...write, ref: "3", op: "patch", set: { text: 7 } })
    client.say({ ...write, ref: "4", op: "put", row: { text: "c" }, ifMatch: '"old"' })
    client.say({ ...write, ref: "5", op: "delete" })
    client.say({ ...write, ref: "6", op: "delete" })
    client.say({ ...write, ref: "7", op: "replace" })
    client.say({ ...write, ref: "8", op: "put", rows: {} })
    client.say({ ...write, ref: "9", op: "put", collection: "pools", row: { id: "k" } })
    const codes = await Promise.all(
      Array.from({ length: 9 }, async (_, i) => {
        const { problem, type } = await client.answer(String(i + 1))
        return type === "ack" ? "ack" : (problem as { readonly code: string }).code
      })
    )
    assert.deepStrictEqual(codes, [
      "ack",
      "ack",
      "invalid_row",
      "precondition_failed",
      "ack",
      "unknown_row",
      "bad_message",
      "bad_message",
      "not_writable"
    ])
    client.close()
  })

  it("sixty-four rows at a time and no more", async () => {
    const client = await openSocket()
    for (let i = 0; i < 200; i++) client.say(appending(`m${i}`, "x"))
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => client.answer(`m${i}`)))
    const refused = answers.filter(({ type }) => type === "error")
    for (const { problem } of refused)
      assert.strictEqual((problem as { readonly code: string }).code, "too_many")
    assert.isAbove(answers.length - refused.length, 63)
    client.close()
  })
})

describe("history", () => {
  it("goes past the live window, page by page, and over a restart", async () => {
    const file = join(folder, `${files++}.sqlite`)
    let own = await start(file)
    for (let i = 0; i < 12; i++) await ask("POST", "/v1/rows/chat", { body: { text: `m${i}` } }, own)
    assert.strictEqual(own.hub.look("chat").rows, 5)
    for (const restart of [false, true]) {
      if (restart) {
        await own.close()
        own = await start(file)
      }
      const texts: Array<string> = []
      let before: string | null = null
      do {
        const next: Awaited<ReturnType<typeof page>> = await page(
          `limit=3${before === null ? "" : `&before=${before}`}`,
          own
        )
        texts.push(...next.texts)
        before = next.before
      } while (before !== null)
      assert.deepStrictEqual(
        texts,
        Array.from({ length: 12 }, (_, i) => `m${11 - i}`)
      )
    }
    const { keys } = await page("limit=500", own)
    const evicted = { body: { text: "late" } }
    assert.strictEqual(await codeOf("PUT", `/v1/rows/chat/${keys.at(-1)!}`, evicted, own), "409 conflict")
    await own.close()
  })

  it("is over where it is kept no longer, for whoever pages on from there, too", async () => {
    const chat = written({ key: "id", row: Message, retain: { rows: 5 }, keep: { rows: 3 } })
    const journal = layerSqlite(join(folder, `${files++}.sqlite`))
    const env = { ANONYMOUS_WRITE: "*" }
    // A minute passes in a second.
    const own = await startDaemon(
      defineConfig({ collections: { chat } }) as Config,
      env,
      undefined,
      journal,
      layerFastClock(60)
    )
    const keys: Array<string> = []
    await ask("PUT", "/v1/rows/chat/own", { body: { text: "own" } }, own)
    for (let i = 0; i < 12; i++)
      keys.push(String((await ask("POST", "/v1/rows/chat", { body: { text: `m${i}` } }, own)).json!["key"]))
    await until("five have gone", async () => (await page("limit=500", own)).texts.length === 8)
    assert.deepStrictEqual(await page("limit=6", own), {
      before: keys[6]!,
      texts: ["m11", "m10", "m9", "m8", "m7", "m6"],
      keys: keys.slice(6).toReversed()
    })
    assert.deepStrictEqual((await page(`before=${keys[6]!}`, own)).texts, ["m5", "m4"])
    for (const key of [keys[4]!, keys[3]!, keys[0]!])
      assert.deepStrictEqual(await page(`before=${key}`, own), { before: null, texts: [], keys: [] })
    assert.strictEqual(await codeOf("GET", "/v1/history/chat?before=own", {}, own), "404 unknown_row")
    await own.close()
  })

  it("has the current version of a live row, none of a deleted one, and goes on after one that was deleted", async () => {
    const keys: Array<string> = []
    for (const text of ["a", "b", "c"])
      keys.push((await ask("POST", "/v1/rows/chat", { body: { text } })).json!["key"] as string)
    await ask("PATCH", `/v1/rows/chat/${keys[0]!}`, { body: { set: { text: "A" } } })
    await ask("DELETE", `/v1/rows/chat/${keys[1]!}`)
    assert.deepStrictEqual((await page("limit=2")).texts, ["c", "A"])
    assert.deepStrictEqual((await page(`limit=1&before=${keys[1]!}`)).texts, ["A"])
  })

  it("refuses what it does not understand", async () => {
    assert.strictEqual(await codeOf("GET", "/v1/history/chat?limit=0"), "400 invalid_query")
    assert.strictEqual(await codeOf("GET", "/v1/history/chat?limit=501"), "400 invalid_query")
    assert.strictEqual(await codeOf("GET", "/v1/history/chat?befor=a"), "400 invalid_query")
    assert.strictEqual(await codeOf("GET", "/v1/history/chat?before=nobody"), "404 unknown_row")
    assert.strictEqual(await codeOf("GET", "/v1/history/pools"), "404 not_found")
    const { json } = await ask("GET", "/v1/history/pools")
    assert.match(String(json!["detail"]), /"pools" has no history: .* an upstream/)
    assert.strictEqual(await codeOf("GET", "/v1/history/support:*"), "404 unknown_collection")
  })
})
