/** A backend's say in writes, over real sockets on both sides. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { gzipSync } from "node:zlib"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Redacted, Schema } from "effect"

import { type Config, defineConfig, hook, refuse, written } from "../../src/Config.ts"
import { SocketClient } from "../Clients.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { apiKey, mint, secret } from "./Auth/Club.ts"

const Message = Schema.Struct({ id: Schema.String, text: Schema.String.check(Schema.isMaxLength(50)) })
const backend = new Backend()
let daemon: Daemon

interface Question {
  readonly [name: string]: unknown
  readonly row?: { readonly id?: string; readonly text: string }
}
const questions: Array<{ readonly question: Question; readonly headers: IncomingMessage["headers"] }> = []

/** Answers what is asked; `undefined`: never. */
const answering = (say: (question: Question) => unknown, status = 200, headers: object = {}) => {
  backend.handler = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const question = JSON.parse(Buffer.concat(chunks).toString()) as Question
      questions.push({ question, headers: request.headers })
      const said = say(question)
      if (said === undefined) return
      response.writeHead(status, headers as never)
      response.end(typeof said === "string" || said instanceof Uint8Array ? said : JSON.stringify(said))
    })
  }
}

beforeAll(async () => {
  await backend.start()
  const asked = (path: string, options: object = {}) =>
    hook({
      url: `${backend.url}/${path}`,
      timeout: "300 millis",
      headers: { authorization: Redacted.make("Bearer of ours") },
      ...options
    })
  const chat = (path: string, options?: object) =>
    written({ key: "id", row: Message, onWrite: asked(path, options) })
  daemon = await startDaemon(
    defineConfig({
      collections: {
        chat: chat("chat"),
        narrow: chat("narrow", { concurrency: 2, timeout: "5 seconds" }),
        broken: chat("broken"),
        gone: written({
          key: "id",
          row: Message,
          onWrite: hook({ url: "http://127.0.0.1:1/", timeout: "1 second" })
        }),
        "support:{uid}": chat("support"),
        own: written({
          key: "id",
          row: Message,
          onWrite: ({ by, row, sub }) =>
            row === undefined ? refuse("no") : { ...row, text: `${row.text} by ${sub} (${by})` }
        })
      }
    }) as Config,
    { ANONYMOUS_WRITE: "*", JWT_SECRET: secret, API_KEY: apiKey }
  )
})
afterEach(() => {
  backend.handler = undefined
  questions.length = 0
})
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

const tokenOf = (sub: string) => mint({ sub, read: ["*"], write: ["*"] })

const send = async (method: string, path: string, body?: unknown, bearer?: string) => {
  const answer = await fetch(`${daemon.url}/v1/rows/${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const json = (await answer.json()) as { readonly [name: string]: unknown }
  return { status: answer.status, json, retryAfter: answer.headers.get("retry-after") }
}
const post = (text: string, collection = "chat", bearer?: string) =>
  send("POST", collection, { text }, bearer)

describe("a hook is told", () => {
  it("what is written, where, by whom, and what was there before", async () => {
    answering(() => ({}))
    const { json } = await post("hello", "support:7", await tokenOf("7"))
    const key = String(json["key"])
    await send("PATCH", `support:7/${key}`, { set: { text: "hi" } }, apiKey)
    await send("DELETE", `support:7/${key}`)
    await send("PUT", "chat/a%2Fb", { text: "put" })
    const about = { collection: "support:7", key }
    assert.deepStrictEqual(
      questions.map(({ question }) => question),
      [
        { op: "append", collection: "support:7", row: { text: "hello" }, sub: "7", by: "token" },
        {
          op: "patch",
          ...about,
          before: { id: key, text: "hello" },
          row: { id: key, text: "hi" },
          by: "api key"
        },
        { op: "delete", ...about, before: { id: key, text: "hi" }, by: "nothing" },
        { op: "put", collection: "chat", key: "a/b", row: { id: "a/b", text: "put" }, by: "nothing" }
      ]
    )
    assert.strictEqual(questions[0]!.headers["authorization"], "Bearer of ours")
    assert.strictEqual(questions[0]!.headers["content-type"], "application/json")
  })

  it("on a WebSocket the same; and a function of the config, too", async () => {
    answering(() => ({}))
    const client = await SocketClient.open(`${daemon.url}/v1/socket?collections=chat`, [
      "ratecast.v1",
      `ratecast.token.${await tokenOf("9")}`
    ])
    client.say({ type: "write", ref: "1", op: "append", collection: "chat", row: { text: "x" } })
    assert.strictEqual((await client.answer("1")).type, "ack")
    client.close()
    assert.deepStrictEqual(
      questions.map(({ question: { by, sub } }) => [by, sub]),
      [["token", "9"]]
    )
    const { json } = await post("hello", "own", await tokenOf("9"))
    assert.include(JSON.stringify(json), "hello by 9 (token)")
    assert.include(JSON.stringify((await post("hello", "own", apiKey)).json), "hello by undefined (api key)")
  })
})

describe("a hook says", () => {
  it("which row to keep, with the key that it is given", async () => {
    answering(({ row }) => ({ row: { ...row, text: row!.text.toUpperCase() } }))
    const appended = await post("hello")
    assert.deepStrictEqual(appended.json["row"], { id: appended.json["key"], text: "HELLO" } as never)
    const put = await send("PUT", "chat/k", { text: "hello" })
    assert.deepStrictEqual(put.json["row"], { id: "k", text: "HELLO" } as never)
  })

  it("that the write may be, by 204 and by gzip", async () => {
    answering(() => "", 204)
    assert.strictEqual((await post("a")).status, 201)
    answering(() => gzipSync('{"row":{"text":"packed"}}'), 200, { "content-encoding": "gzip" })
    assert.include(JSON.stringify((await post("b")).json), '"text":"packed"')
  })

  it("why it may not: 403, in its words", async () => {
    answering(() => ({ refuse: "mind your language" }))
    const { json, status } = await post("rude")
    assert.deepStrictEqual([status, json["code"], json["detail"]], [403, "forbidden", "mind your language"])
    const client = await SocketClient.open(`${daemon.url}/v1/socket?collections=chat`)
    client.say({ type: "write", ref: "1", op: "append", collection: "chat", row: { text: "rude" } })
    assert.include(JSON.stringify(await client.answer("1")), "mind your language")
    client.close()
  })
})

describe("where a hook has no answer that counts nothing is written, and the writer is told when to try again", () => {
  const cases: ReadonlyArray<
    readonly [what: string, logged: RegExp, say: () => unknown, status?: number, headers?: object]
  > = [
    ["silence", /the hook did not answer in time: 300ms$/, () => undefined],
    ["an error", /the hook answered with status 500$/, () => ({}), 500],
    [
      "a redirect",
      /the hook answered with status 302, a redirect that is not followed$/,
      () => "",
      302,
      { location: "/elsewhere" }
    ],
    ["not found", /the hook answered with status 404$/, () => ({}), 404],
    ["no JSON", /the answer of the hook is not JSON: Unexpected token '<'/, () => "<html>"],
    ["no object", /is not as it has to be: it is no object; expected \{"row":/, () => []],
    ["something else", /: it has a member "ok"; expected/, () => ({ ok: true })],
    ["two things", /: it has both a row and a refusal;/, () => ({ row: { text: "x" }, refuse: "no" })],
    ["a refusal without words", /: it refuses with what is no text;/, () => ({ refuse: true })],
    [
      "a row that does not fit",
      /the hook put a row in place that does not fit: "text" does not fit: Expected a value with a length/,
      () => ({ row: { text: "x".repeat(60) } })
    ],
    [
      "a row with a key of its own",
      /does not fit: "id" is given by the server$/,
      () => ({ row: { id: "k", text: "x" } })
    ],
    [
      "2 MB",
      /the answer of the hook is larger than it may be: maxBytes is 1048576$/,
      () => ({ row: { text: "x".repeat(2_000_000) } })
    ]
  ]
  for (const [what, logged, say, status, headers] of cases)
    it(`${what}; the log says so in a sentence`, async () => {
      const before = daemon.hub.look("chat").rows
      answering(say, status, headers)
      const { json, retryAfter, ...answer } = await post("x")
      assert.deepStrictEqual([answer.status, json["code"]], [503, "unavailable"])
      assert.isAtLeast(Number(retryAfter), 1)
      assert.strictEqual(daemon.hub.look("chat").rows, before)
      const line = daemon.logs.at(-1)!
      assert.match(line, /^(Warn|Error) no write to chat: /)
      assert.match(line, logged)
      // So that no breaker opens.
      answering(() => ({}))
      await post("y")
    })

  it("nobody there", async () => {
    const { json, status } = await post("x", "gone")
    assert.deepStrictEqual([status, json["code"]], [503, "unavailable"])
    assert.match(
      daemon.logs.at(-1)!,
      /no write to gone: the hook could not be reached: (connect ECONNREFUSED|bad port)/
    )
  })

  it("and what it asked for with Retry-After", async () => {
    answering(() => "", 503, { "retry-after": "7" })
    assert.strictEqual((await post("x")).retryAfter, "7")
  })
})

describe("a hook", () => {
  it("is asked so many at once and no more; the others wait for their turn", async () => {
    let [now, most] = [0, 0]
    const held: Array<() => void> = []
    backend.handler = (_, response) => {
      most = Math.max(most, ++now)
      held.push(() => {
        now--
        response.end("{}")
      })
    }
    const all = Promise.all(Array.from({ length: 8 }, (_, i) => post(`${i}`, "narrow")))
    await until("two are asked", () => held.length === 2)
    let answered = 0
    while (answered < 8) {
      await until("another", () => held.length > 0)
      held.shift()!()
      answered++
    }
    assert.deepStrictEqual(
      (await all).map(({ status }) => status),
      Array.from({ length: 8 }, () => 201)
    )
    assert.strictEqual(most, 2)
  })

  it("that fails is left alone for a while: writers are told at once, and other collections are none the worse", async () => {
    answering(() => ({}), 500)
    for (let i = 0; i < 5; i++) await post("x", "broken")
    const asked = backend.asked
    const { retryAfter, status } = await post("x", "broken")
    assert.deepStrictEqual([status, retryAfter, backend.asked], [503, "1", asked])
    answering(() => ({}))
    assert.strictEqual((await post("x")).status, 201)
    await until("it is asked again", async () => (await post("x", "broken")).status === 201)
  })

  it("is counted by what it said, and never shows its secrets", async () => {
    const text = await (await fetch(`${daemon.url}/metrics`)).text()
    for (const outcome of ["accepted", "changed", "refused", "upstream_timeout", "upstream_status"])
      assert.match(text, new RegExp(`backend_questions_total\\{[^}]*outcome="${outcome}"[^}]*\\} [1-9]`))
    assert.match(text, /backend_questions_total\{[^}]*collection="broken"[^}]*outcome="open"/)
    assert.notInclude(daemon.lines.join("\n"), "Bearer of ours")
  })
})
