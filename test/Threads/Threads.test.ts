/** RATECAST_THREADS=2: real threads, real sockets. */
import * as http from "node:http"
import { join } from "node:path"
import { json } from "node:stream/consumers"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { EventClient } from "../Clients.ts"
import { Backend, freePort, until } from "../Daemon.ts"
import { apiKey, bearer, mint, secret } from "../Http/Auth/Club.ts"
import { Folder, ratecast } from "../Process.ts"
import { idOf, Several, threadOf } from "./Several.ts"

const folder = new Folder()
const backend = new Backend()
/** By path, how often it was asked. */
const asked = new Map<string, number>()
const times = (path: string) => asked.get(path) ?? 0
/** What `rare` says. */
let rare = 0
let polls = 0
/** What is said of a write to `asked`. */
let olderRows: ReadonlyArray<object> = []
let answerHook: (question: unknown) => unknown = () => ({})
beforeAll(async () => {
  await backend.start()
  backend.handler = (request, response) => {
    const { url = "" } = request
    asked.set(url, times(url) + 1)
    response.setHeader("content-type", "application/json")
    if (url.startsWith("/older?")) return void response.end(JSON.stringify(olderRows))
    if (url === "/hook")
      return void json(request)
        .then((sent) => answerHook(sent))
        .then((said) => response.end(JSON.stringify(said)))
    const n = url === "/rare" ? rare : url === "/things" ? ++polls : 1
    response.end(
      JSON.stringify([
        { id: "a", n },
        { id: "b", n: n % 3 }
      ])
    )
  }
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))
const rowsOf = (client: EventClient) =>
  JSON.stringify(
    [...client.rows].map(([name, rows]) => [name, Array.from(rows, ([, row]) => Array.from(row))])
  )

/** What a client held at each cursor. */
const track = (client: EventClient): ReadonlyMap<string, string> => {
  const held = new Map<string, string>()
  client.onMessage = () => held.set(client.cursor!, rowsOf(client))
  return held
}

/** A connection each, so that the kernel deals them out to both. */
const postTo = async ({ url }: Several, text: string): Promise<string> => {
  const answer = await fetch(`${url}/v1/rows/asked`, {
    method: "POST",
    headers: { connection: "close", "content-type": "application/json", ...bearer(apiKey) },
    body: JSON.stringify({ text })
  })
  return `${answer.status} ${await answer.text()}`
}

const olderOf = async ({ url }: Several): Promise<string> => {
  const answer = await fetch(`${url}/v1/history/asked?before=k&limit=2`, { headers: { connection: "close" } })
  return `${answer.status} ${await answer.text()}`
}

describe("readers on two threads", () => {
  let daemon: Several
  beforeAll(async () => {
    daemon = await Several.start(folder, backend.url, {
      RATECAST_DATA: join(folder.path, "data"),
      API_KEY: apiKey,
      WRITE_BURST: "100"
    })
  }, 30_000)
  afterAll(() => daemon.stop())

  it("hold the same rows at the same cursor", async () => {
    const readers = [
      await daemon.openOn(1, "collections=things"),
      await daemon.openOn(2, "collections=things")
    ]
    const [one, two] = readers.map(track)
    const common = () => [...one!.keys()].filter((cursor) => two!.has(cursor))
    await until("ten cursors that both stood at", () => common().length >= 10)
    for (const cursor of common()) assert.strictEqual(one!.get(cursor), two!.get(cursor))
    for (const reader of readers) reader.close()
  })

  it("see what was written through any of them, once, and read history through any", async () => {
    const readers = [await daemon.openOn(1, "collections=notes"), await daemon.openOn(2, "collections=notes")]
    // A connection each, so that the kernel deals them out to both.
    const ask = async (path: string, options: RequestInit = {}) => {
      const answer = await fetch(`${daemon.url}${path}`, {
        ...options,
        headers: { connection: "close", "content-type": "application/json", ...options.headers }
      })
      return { status: answer.status, json: (await answer.json()) as { readonly [name: string]: unknown } }
    }
    const keys: Array<string> = []
    for (let i = 0; i < 12; i++) {
      const post = {
        method: "POST",
        body: JSON.stringify({ text: `n${i}` }),
        headers: { "idempotency-key": `k${i}` }
      }
      const [first, again] = [await ask("/v1/rows/notes", post), await ask("/v1/rows/notes", post)]
      assert.deepStrictEqual(again, first)
      keys.push(String(first.json["key"]))
      const seen = await ask("/v1/snapshot?collections=notes", {
        headers: { "ratecast-min-revision": String(first.json["revision"]) }
      })
      assert.include(JSON.stringify(seen.json), `"n${i}"`)
    }
    assert.deepStrictEqual(keys.toSorted(), keys)
    for (const reader of readers)
      await until("the last five", () => {
        const texts = [...(reader.rows.get("notes")?.values() ?? [])].map((row) => row.get("text"))
        return texts.join() === "n7,n8,n9,n10,n11"
      })
    for (let i = 0; i < 6; i++) {
      const { rows } = (await ask("/v1/history/notes")).json as { readonly rows: ReadonlyArray<object> }
      assert.lengthOf(rows, 12)
      const { json, status } = await ask(`/v1/rows/notes/${keys[0]!}`, {
        method: "PUT",
        body: '{"text":"late"}'
      })
      assert.deepStrictEqual([status, json["code"]], [409, "conflict"])
    }
    for (const reader of readers) reader.close()
  })

  it("write, through any of them, what a backend lets be, with who they are", async () => {
    const questions: Array<unknown> = []
    answerHook = (question) => {
      questions.push(question)
      const { row } = question as { readonly row: { readonly text: string } }
      return row.text === "no" ? { refuse: "not that" } : { row: { text: `${row.text}!` } }
    }
    for (let i = 0; i < 6; i++) {
      assert.match(await postTo(daemon, "yes"), /^201 .*"text":"yes!"/)
      assert.match(await postTo(daemon, "no"), /^403 .*"not that"/)
    }
    assert.lengthOf(questions, 12)
    assert.deepStrictEqual(questions[0], {
      op: "append",
      collection: "asked",
      row: { text: "yes" },
      by: "api key"
    })
    answerHook = () => ({ neither: 1 })
    for (let i = 0; i < 4; i++) assert.match(await postTo(daemon, "yes"), /^503 /)
  })

  it("read history, through any of them, as far as a backend has it", async () => {
    olderRows = ["j", "i", "h"].map((id) => ({ id, text: id }))
    for (let i = 0; i < 6; i++)
      assert.strictEqual(
        await olderOf(daemon),
        '200 {"rows":[{"key":"j","row":{"id":"j","text":"j"}},{"key":"i","row":{"id":"i","text":"i"}}],"before":"i"}'
      )
    olderRows = [{ id: "j" }]
    for (let i = 0; i < 4; i++) assert.match(await olderOf(daemon), /^503 .*"unavailable"/)
  })

  it("go on by a change where they come back to the other thread", async () => {
    let thread = 1
    let reader = await daemon.openOn(thread, "collections=things")
    assert.strictEqual(reader.types[0], "snapshot")
    for (let turn = 0; turn < 4; turn++) {
      reader.close()
      // The other thread may not have heard yet of what the first one said; it waits for that.
      thread = 3 - thread
      const back = await daemon.openOn(thread, "collections=things", reader)
      await until("a change", () => back.types.includes("change"))
      assert.notInclude(back.types, "snapshot")
      reader = back
    }
    const truth = await daemon.openOn(1, "collections=things")
    const [held, true_] = [track(reader), track(truth)]
    await until("a cursor that both stood at", () => [...held.keys()].some((cursor) => true_.has(cursor)))
    const cursor = [...held.keys()].find((cursor) => true_.has(cursor))!
    assert.strictEqual(held.get(cursor), true_.get(cursor))
    reader.close()
    truth.close()
  })

  it("keep a source awake on whichever thread they are, and let it go when all have left", async () => {
    const [one, two] = [
      await daemon.openOn(1, "collections=order:7"),
      await daemon.openOn(2, "collections=order:7")
    ]
    const isPolled = async () => {
      const before = times("/orders/7")
      await pause(1_000)
      return times("/orders/7") - before > 3
    }
    assert.isTrue(await isPolled())
    one.close()
    await pause(700)
    assert.isTrue(await isPolled())
    two.close()
    await pause(1_000)
    assert.isFalse(await isPolled())
  })

  it("find the source asked anew when they ask for it, by the time they are answered", async () => {
    const agents = Array.from({ length: 8 }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }))
    for (const [i, agent] of agents.entries()) {
      rare = 1_000 + i
      const before = times("/rare")
      await pause(5)
      const answer = await request(daemon.port, "POST", "/v1/refresh/rare", agent)
      assert.strictEqual(answer.status, 200, answer.body)
      const { refreshed, revision } = JSON.parse(answer.body) as { refreshed: boolean; revision: number }
      assert.isTrue(refreshed)
      assert.isAbove(times("/rare"), before)
      const row = await request(daemon.port, "GET", "/v1/rows/rare/a", agent)
      assert.include(row.body, `"n":${rare}`)
      assert.isAtLeast(Number((JSON.parse(row.body) as { cursor: string }).cursor.split("-")[1]), revision)
      agent.destroy()
    }
  })

  it("are pinged for through any thread", async () => {
    const readers = [
      await daemon.openOn(1, "collections=things"),
      await daemon.openOn(2, "collections=things")
    ]
    for (const reader of readers) {
      // A connection each, so both threads are asked; by chance alone one would be missed once in 500 runs.
      for (let i = 0; i < 10; i++) {
        const { status } = await request(daemon.port, "POST", `/v1/connections/${idOf(reader)}/ping`)
        assert.strictEqual(status, 204)
      }
      reader.close()
    }
    for (const id of ["1.nobody", "2.nobody", "3.nobody", "nobody", "%ff"]) {
      const { status } = await request(daemon.port, "POST", `/v1/connections/${id}/ping`)
      assert.strictEqual(status, 404, id)
    }
    await until(
      "gone",
      async () =>
        (await request(daemon.port, "POST", `/v1/connections/${idOf(readers[0]!)}/ping`)).status === 404
    )
  })

  it("are counted once, whichever thread is asked, and commits as often as they were made", async () => {
    const streams = 'http_requests_total{route="/v1/stream",status="200"}'
    const before = (await daemon.metrics())(streams) ?? 0
    const readers = await Promise.all(Array.from({ length: 30 }, () => daemon.open("collections=things")))
    assert.strictEqual(new Set(readers.map(threadOf)).size, 2)
    for (let i = 0; i < 6; i++) {
      const count = await daemon.metrics()
      assert.strictEqual(count("hub_readers"), 30)
      assert.strictEqual(count(streams), before + 30)
      assert.strictEqual(count("hub_commits_total"), count("hub_revision"))
      assert.strictEqual(count("threads_serving"), 2)
      assert.strictEqual(
        count('upstream_poll_seconds_bucket{source="things",le="+Inf"}'),
        count('upstream_poll_seconds_count{source="things"}')
      )
    }
    for (const reader of readers) reader.close()
    await until("nobody", async () => (await daemon.metrics())("hub_readers") === 0)
  })

  it("are not more than a family allows, though they all come at once", async () => {
    const readers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const answer = await request(daemon.port, "GET", `/v1/snapshot?collections=few:${i}`)
        return answer.status
      })
    )
    assert.isAbove(readers.filter((status) => status === 200).length, 0)
    // Places of those who only came by are free again at once.
    await pause(1_500)
    const sockets = Array.from(
      { length: 40 },
      (_, i) => new WebSocket(`${daemon.url.replace("http", "ws")}/v1/socket?collections=few:s${i}`)
    )
    const first = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<string>((done) => {
            socket.addEventListener("message", ({ data }) =>
              done((JSON.parse(data as string) as { type: string }).type)
            )
          })
      )
    )
    assert.strictEqual(first.filter((type) => type === "snapshot").length, 3)
    assert.strictEqual(first.filter((type) => type === "goodbye").length, 37)
    for (const socket of sockets) socket.close()
  })

  it("are dealt out evenly: 600 connections, between 40 and 60 % on each", async () => {
    const readers: Array<EventClient> = []
    for (let i = 0; i < 12; i++)
      readers.push(...(await Promise.all(Array.from({ length: 50 }, () => daemon.open("collections=rare")))))
    const share = readers.filter((reader) => threadOf(reader) === 1).length / readers.length
    for (const reader of readers) reader.close()
    assert.isAbove(share, 0.4)
    assert.isBelow(share, 0.6)
  }, 60_000)
})

describe("a thread that dies", () => {
  let daemon: Several
  beforeAll(async () => {
    daemon = await Several.start(folder, backend.url)
  }, 30_000)
  afterAll(() => daemon.stop())

  const restored = () =>
    until("both again", async () => (await daemon.metrics())("threads_serving") === 2, 15_000)

  for (const [way, reason] of [
    ["exit", "exit"],
    ["throw", "error"]
  ] as const) {
    it(`costs its readers one reconnect and nobody else anything: ${way}`, async () => {
      await restored()
      const [lost, kept] = [
        await daemon.openOn(1, "collections=things"),
        await daemon.openOn(2, "collections=things")
      ]
      const member = await daemon.openOn(1, "collections=order:9")
      const streams = 'http_requests_total{route="/v1/stream",status="200"}'
      const before = (await daemon.metrics())(streams)!
      daemon.tell(1, way)
      assert.strictEqual(await lost.ended, "cut")
      const back = await daemon.open("collections=things", lost)
      await until("a change", () => back.types.includes("change"))
      assert.notInclude(back.types, "snapshot")
      await restored()
      const count = await daemon.metrics()
      assert.strictEqual(count(`threads_ended_total{reason="${reason}"}`), 1)
      // A counter that fell would be read as one that began anew.
      assert.isAtLeast(count(streams)!, before)
      assert.strictEqual(await Promise.race([kept.ended, pause(0).then(() => "there still")]), "there still")
      assert.isEmpty(kept.types.filter((type, i) => type === "snapshot" && i > 0))
      const line = daemon.run.out
        .split("\n")
        .find((line) => line.includes("has ended") && line.includes(`"${reason}"`))
      assert.include(line, '"level":"ERROR"')
      if (way === "throw") assert.include(line, "a thread of the test throws")
      // Nobody reads that member any more.
      assert.strictEqual(await member.ended, "cut")
      await pause(1_000)
      const polled = times("/orders/9")
      await pause(500)
      assert.isAtMost(times("/orders/9") - polled, 1)
      // And the new one serves.
      const anew = await daemon.openOn(1, "collections=things")
      const [held, true_] = [track(anew), track(kept)]
      await until("a cursor that both stood at", () => [...held.keys()].some((cursor) => true_.has(cursor)))
      const cursor = [...held.keys()].find((cursor) => true_.has(cursor))!
      assert.strictEqual(held.get(cursor), true_.get(cursor))
      for (const reader of [back, kept, anew]) reader.close()
    })
  }

  it("is ended when it takes nothing any more, before the others notice", async () => {
    await restored()
    const [lost, kept] = [
      await daemon.openOn(2, "collections=things"),
      await daemon.openOn(1, "collections=things")
    ]
    daemon.tell(2, "hang")
    assert.strictEqual(await lost.ended, "cut")
    const heard = kept.messages.length
    await until("news", () => kept.messages.length > heard + 2)
    await restored()
    assert.strictEqual((await daemon.metrics())('threads_ended_total{reason="behind"}'), 1)
    kept.close()
  }, 40_000)
})

describe("a daemon of two threads", () => {
  it("says goodbye to readers on both when it is told to stop, and goes with exit code 0", async () => {
    const daemon = await Several.start(folder, backend.url)
    try {
      const anywhere = await Promise.all(Array.from({ length: 40 }, () => daemon.open("collections=things")))
      const readers = [
        ...anywhere,
        await daemon.openOn(1, "collections=things"),
        await daemon.openOn(2, "collections=things")
      ]
      const began = performance.now()
      daemon.run.child.kill("SIGTERM")
      assert.strictEqual(await daemon.run.exit, 0, daemon.run.err)
      assert.isBelow(performance.now() - began, 2_000)
      for (const reader of readers) {
        assert.strictEqual(await reader.ended, "clean")
        assert.strictEqual((reader.goodbye as { readonly code?: string } | undefined)?.code, "shutdown")
      }
      assert.notInclude(daemon.run.out, '"ERROR"')
    } finally {
      await daemon.stop()
    }
  })

  it("pages a thread that nobody uses out, and has it again on both", { timeout: 30_000 }, async () => {
    const daemon = await Several.start(folder, backend.url, { RATECAST_DATA: `${folder.path}/paged` })
    try {
      const write = (key: string, text: string) =>
        fetch(`${daemon.url}/v1/rows/support:1/${key}`, {
          method: "PUT",
          headers: { "content-type": "application/json", connection: "close" },
          body: JSON.stringify({ text })
        })
      assert.strictEqual((await write("a", "one")).status, 201)
      const first = await daemon.open("collections=support:1")
      await until("the row", () => first.rows.get("support:1")?.size === 1)
      first.close()
      const isAway = () =>
        until("it is paged out", async () => (await daemon.metrics())("hub_members_paged_out") === 1, 10_000)
      await isAway()
      const readers = [
        await daemon.openOn(1, "collections=support:1"),
        await daemon.openOn(2, "collections=support:*")
      ]
      for (const reader of readers)
        await until("the row again", () => reader.rows.get("support:1")?.size === 1)
      assert.strictEqual((await write("b", "two")).status, 201)
      for (const reader of readers) {
        await until("the other", () => reader.rows.get("support:1")?.size === 2)
        reader.close()
      }
      await isAway()
      const back = await daemon.openOn(2, "collections=support:1", first)
      await until("what it missed", () => back.rows.get("support:1")?.size === 2)
      assert.deepStrictEqual(
        back.messages.map(({ type }) => type).filter((type) => type !== "ping"),
        ["change"]
      )
      back.close()
      await isAway()
      const rows = await Promise.all(
        ["a", "b"].map(async (key) =>
          (await fetch(`${daemon.url}/v1/rows/support:1/${key}`, { headers: { connection: "close" } })).json()
        )
      )
      assert.deepStrictEqual(
        rows.map((each) => (each as { readonly row: { readonly text: string } }).row.text),
        ["one", "two"]
      )
    } finally {
      await daemon.stop()
    }
  })

  it("that is killed goes on where it was: a cursor of any thread is good at any", async () => {
    const env = { RATECAST_DATA: `${folder.path}/data` }
    const before = await Several.start(folder, backend.url, env)
    const readers = [
      await before.openOn(1, "collections=things"),
      await before.openOn(2, "collections=things")
    ]
    for (const reader of readers) await until("changes", () => reader.messages.length > 3)
    await before.stop()
    const after = await Several.start(folder, backend.url, env)
    try {
      for (const [i, reader] of readers.entries()) {
        const back = await after.openOn(2 - i, "collections=things", reader)
        await until("a change", () => back.types.includes("change"))
        assert.notInclude(back.types, "snapshot")
        back.close()
      }
    } finally {
      await after.stop()
    }
  })

  it("keeps what operators read on its own listener, with the readers of all threads", async () => {
    const adminPort = String(await freePort())
    const daemon = await Several.start(folder, backend.url, { HOST: "0.0.0.0", ADMIN_PORT: adminPort })
    try {
      const readers = await Promise.all(Array.from({ length: 10 }, () => daemon.open("collections=things")))
      const admin = `http://127.0.0.1:${adminPort}`
      const isUp = () =>
        fetch(`${admin}/livez`).then(
          ({ ok }) => ok,
          () => false
        )
      await until("operators can read", isUp, 10_000)
      assert.match(await (await fetch(`${admin}/metrics`)).text(), /^hub_readers 10$/m)
      assert.strictEqual((await fetch(`${admin}/readyz`)).status, 200)
      assert.strictEqual((await fetch(`${daemon.url}/metrics`)).status, 404)
      for (const reader of readers) reader.close()
      const readyz = () => fetch(`${admin}/readyz`).then(({ status }) => status)
      daemon.tell(1, "exit")
      daemon.tell(2, "exit")
      await until("no thread takes readers", async () => (await readyz()) === 503)
      await until("one does", async () => (await readyz()) === 200, 15_000)
      daemon.run.child.kill("SIGTERM")
      assert.strictEqual(await daemon.run.exit, 0)
    } finally {
      await daemon.stop()
    }
  })

  it("does not share its port with another daemon's threads", async () => {
    const daemon = await Several.start(folder, backend.url)
    try {
      const other = ratecast(["serve", "--config", Several.config(folder, backend.url)], {
        PORT: String(daemon.port),
        RATECAST_THREADS: "2"
      })
      assert.strictEqual(await other.exit, 1)
      assert.include(other.err, `port ${daemon.port} on 127.0.0.1 is taken`)
    } finally {
      await daemon.stop()
    }
  })

  it("is none where there shall be one: nothing of this is there", async () => {
    const daemon = await Several.start(folder, backend.url, { RATECAST_THREADS: "1" })
    try {
      const reader = await EventClient.open(`${daemon.url}/v1/stream?collections=things&ping=client`)
      await until("an id", () => idOf(reader) !== undefined)
      assert.notInclude(idOf(reader), ".")
      assert.isUndefined((await daemon.metrics())("threads_serving"))
      reader.close()
    } finally {
      await daemon.stop()
    }
  })

  for (const threads of ["0", "65", "two", "1.5"]) {
    it(`is not made of ${threads} threads`, async () => {
      const run = ratecast(["serve", "--config", Several.config(folder, backend.url)], {
        PORT: String(await freePort()),
        RATECAST_THREADS: threads
      })
      assert.strictEqual(await run.exit, 1)
      assert.match(run.err.trim(), /^RATECAST_THREADS: expected [^\n]*$/)
    })
  }
})

const request = (
  port: number,
  method: string,
  path: string,
  agent?: http.Agent
): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((done, fail) => {
    const sent = http.request(
      { host: "127.0.0.1", port, method, path, agent: agent ?? false },
      (response) => {
        let body = ""
        response.on("data", (data: Buffer) => (body += data))
        response.on("end", () => done({ status: response.statusCode!, body }))
      }
    )
    sent.on("error", fail)
    sent.end()
  })

describe("tokens on two threads", () => {
  let daemon: Several
  beforeAll(async () => {
    daemon = await Several.start(folder, backend.url, {
      JWT_SECRET: secret,
      API_KEY: apiKey,
      ANONYMOUS_READ: "",
      ANONYMOUS_WRITE: "",
      ANONYMOUS_REFRESH: ""
    })
  }, 30_000)
  afterAll(() => daemon.stop())

  const ticketFor = async (token: string): Promise<string> => {
    const answer = await fetch(`${daemon.url}/v1/tickets`, {
      method: "POST",
      headers: { ...bearer(token), connection: "close" }
    })
    return ((await answer.json()) as { readonly ticket: string }).ticket
  }

  const revoke = async (revoked: object) => {
    const { status } = await fetch(`${daemon.url}/v1/revocations`, {
      method: "POST",
      headers: { ...bearer(apiKey), "content-type": "application/json" },
      body: JSON.stringify(revoked)
    })
    assert.strictEqual(status, 204)
  }

  it("are asked for again when a backend has had its say of a write, on either thread", async () => {
    for (let i = 0; i < 6; i++) {
      const ends = i % 2 === 1
      answerHook = async () => {
        if (ends) await revoke({ jti: `w${i}` })
        return {}
      }
      const token = await mint({ sub: "8", write: ["asked"], more: { jti: `w${i}` } })
      const answer = await fetch(`${daemon.url}/v1/rows/asked`, {
        method: "POST",
        headers: { connection: "close", "content-type": "application/json", ...bearer(token) },
        body: '{"text":"x"}'
      })
      assert.strictEqual(answer.status, ends ? 401 : 201, await answer.text())
    }
    answerHook = () => ({})
  })

  it("open by a ticket of either thread, once, and end on both when they are revoked", async () => {
    const token = await mint({ sub: "7", read: ["things"] })
    const opened: Array<EventClient> = []
    const threads = new Set<number | undefined>()
    for (let i = 0; i < 12 || threads.size < 2; i++) {
      const ticket = await ticketFor(token)
      const stream = `${daemon.url}/v1/stream?collections=things&ping=client&ticket=${ticket}`
      const client = await EventClient.open(stream)
      await until("an id", () => threadOf(client) !== undefined)
      threads.add(threadOf(client))
      opened.push(client)
      const again = await fetch(stream, { headers: { connection: "close" } })
      assert.strictEqual(again.status, 401)
      await again.body?.cancel()
    }
    await revoke({ sub: "7" })
    await until("goodbye to all", () =>
      opened.every(({ messages }) => messages.at(-1)!["code"] === "revoked")
    )
    // A thread that is started anew knows it as well.
    daemon.tell(1, "exit")
    const serving = () =>
      daemon.metrics().then(
        (count) => count("threads_serving"),
        // Of a connection to the thread that is no more.
        () => undefined
      )
    await until("one thread less", async () => (await serving()) === 1, 15_000)
    await until("a new thread", async () => (await serving()) === 2, 15_000)
    for (let i = 0; i < 20; i++) {
      const { status } = await fetch(`${daemon.url}/v1/snapshot?collections=things`, {
        headers: { ...bearer(token), connection: "close" }
      })
      assert.strictEqual(status, 401)
    }
  })
})
