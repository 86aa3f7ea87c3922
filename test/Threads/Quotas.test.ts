/** Limits with RATECAST_THREADS=2: decided once for both, over real threads and sockets. */
import { connect, type Socket } from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { EventClient, type Headers, refusedUpgrade } from "../Clients.ts"
import { Backend, until } from "../Daemon.ts"
import { bearer, mint, secret } from "../Http/Auth/Club.ts"
import { Folder } from "../Process.ts"
import { Several, threadOf } from "./Several.ts"

const folder = new Folder()
const backend = new Backend()
let daemon: Several
beforeAll(async () => {
  await backend.start()
  backend.handler = (_request, response) => {
    response.setHeader("content-type", "application/json")
    response.end('[{"id":"a","n":1}]')
  }
  daemon = await Several.start(folder, backend.url, {
    JWT_SECRET: secret,
    TRUSTED_PROXIES: "127.0.0.1",
    MAX_CONNECTIONS: "8",
    MAX_CONNECTIONS_PER_ADDRESS: "4",
    MAX_CONNECTIONS_PER_SUBJECT: "3",
    WRITES_PER_SECOND: "1",
    WRITE_BURST: "10"
  })
}, 30_000)
afterAll(async () => {
  await daemon.stop()
  await backend.close()
  folder.remove()
})

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))
const from = (address: string): Headers => ({ "x-forwarded-for": address })

/** Returns when it has been let in, or sent away. */
const open = async (headers: Headers): Promise<EventClient> => {
  const client = await EventClient.open(`${daemon.url}/v1/stream?collections=things&ping=client`, { headers })
  await until("an answer", () => threadOf(client) !== undefined || client.goodbye !== undefined)
  return client
}

/** On this thread; what comes to another one gives its place back. */
const openOn = async (thread: number, headers: Headers): Promise<EventClient> => {
  for (let tries = 0; tries < 200; tries++) {
    const client = await open(headers)
    if (threadOf(client) === thread) return client
    client.close()
    if (client.goodbye !== undefined) await pause(10)
  }
  throw new Error(`no connection came to thread ${thread}`)
}

/** Returns those who came, as many as may on whichever thread; by chance alone the others would all come to one of them once in 65,000 runs. */
const fill = async (
  most: number,
  headers: Headers | ((i: number) => Headers)
): Promise<Array<EventClient>> => {
  const of = typeof headers === "function" ? headers : () => headers
  const readers: Array<EventClient> = []
  // Places of those who left a moment ago come back.
  const isFull = async () => {
    if (readers.length === most) return true
    const next = await open(of(readers.length))
    if (next.goodbye === undefined) readers.push(next)
    return false
  }
  await until(`${most} places`, isFull, 15_000)
  const more = await Promise.all(Array.from({ length: 17 }, (_, i) => open(of(most + i))))
  assert.deepStrictEqual([...new Set(more.map(({ goodbye }) => goodbye?.["code"]))], ["too_many"])
  return readers
}

const leave = (readers: ReadonlyArray<EventClient>): void => {
  for (const reader of readers) reader.close()
}

/** Does not wait for the answer. */
const ask = (address: string): Socket => {
  const head = `GET /v1/stream?collections=things HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${address}\r\n\r\n`
  const socket = connect(daemon.port, "127.0.0.1", () => socket.write(head))
  // A thread that ends resets it.
  socket.on("error", () => undefined)
  return socket
}

/** `undefined` over a connection to a thread that is no more. */
const serving = () =>
  daemon.metrics().then(
    (count) => count("threads_serving"),
    () => undefined
  )
const restored = () => until("both threads", async () => (await serving()) === 2, 30_000)

describe("connections on two threads", () => {
  it("are as many of one address as may be, over both; one that leaves makes room for one", async () => {
    const readers = [
      await openOn(1, from("1.0.0.1")),
      await openOn(1, from("1.0.0.1")),
      await openOn(2, from("1.0.0.1")),
      await openOn(2, from("1.0.0.1"))
    ]
    const next: Array<EventClient> = []
    for (const reader of readers) {
      assert.isEmpty(await fill(0, from("1.0.0.1")))
      reader.close()
      next.push(...(await fill(1, from("1.0.0.1"))))
    }
    const other = await open(from("1.0.0.2"))
    assert.isUndefined(other.goodbye)
    leave([...next, other])
  })

  it("are as many in all as may be, and as many of one subject, from wherever they come", async () => {
    leave(await fill(8, (i) => from(`2.0.0.${i}`)))
    const token = bearer(await mint({ sub: "7", read: ["things"] }))
    for (let round = 0; round < 3; round++) leave(await fill(3, (i) => ({ ...token, ...from(`2.0.1.${i}`) })))
  })

  it("have given back what was theirs however they were refused", async () => {
    const refused = [
      "/v1/stream?collections=nowhere",
      "/v1/changes?collections=things&nonsense=1",
      "/v1/socket",
      `/v1/stream?collections=things&ticket=1.x`
    ]
    for (let i = 0; i < 5; i++)
      for (const path of refused) {
        const { body } = await fetch(daemon.url + path, {
          headers: { ...from("3.0.0.1"), connection: "close" }
        })
        await body?.cancel()
      }
    leave(await fill(4, from("3.0.0.1")))
  })
})

describe("the places of a thread that ends", () => {
  for (const [i, way] of (["exit", "throw", "hang"] as const).entries())
    it(`come back, and no others: ${way}`, async () => {
      await restored()
      const address = from(`4.0.0.${i}`)
      const lost = [await openOn(1, address), await openOn(1, address), await openOn(1, address)]
      const kept = await openOn(2, address)
      assert.isEmpty(await fill(0, address))
      daemon.tell(1, way)
      for (const reader of lost) assert.strictEqual(await reader.ended, "cut")
      const back = await fill(3, address)
      await restored()
      assert.isEmpty(await fill(0, address))
      leave([kept, ...back])
      // The new one begins with none.
      const anew = await openOn(1, address)
      leave([anew, ...(await fill(3, address))])
    }, 60_000)
})

describe("a main thread that does not answer in time", () => {
  it("lets in nobody uncounted: a stream is told when to come back, a socket and a long poll 503", async () => {
    await daemon.told(0, "block")
    const [stream, socket, poll] = await Promise.all([
      open(from("5.0.0.1")),
      refusedUpgrade(`${daemon.url}/v1/socket?collections=things`, from("5.0.0.1")),
      fetch(`${daemon.url}/v1/changes?collections=things`, { headers: from("5.0.0.1") })
    ])
    assert.strictEqual(stream.goodbye?.["code"], "too_many")
    assert.isAtLeast(stream.parser.retry!, 1_000)
    for (const { status, after } of [
      { status: socket.statusCode, after: socket.headers["retry-after"] },
      { status: poll.status, after: poll.headers.get("retry-after") }
    ])
      assert.deepStrictEqual([status, after], [503, "5"])
    socket.resume()
    assert.strictEqual(((await poll.json()) as { readonly code: string }).code, "unavailable")
    // What was asked for in vain has been given back.
    leave(await fill(4, from("5.0.0.1")))
  }, 30_000)

  it("has given back the places of clients that left before it answered", async () => {
    await daemon.told(0, "block")
    const leaving = Array.from({ length: 4 }, () => ask("6.0.0.1"))
    await pause(500)
    for (const socket of leaving) socket.destroy()
    leave(await fill(4, from("6.0.0.1")))
  }, 30_000)

  it("has given back the places of a thread that ended before it answered", async () => {
    await daemon.told(0, "block")
    const cut = Array.from({ length: 4 }, () => ask("6.0.0.2"))
    await pause(500)
    await daemon.told(1, "exit")
    await daemon.told(2, "exit")
    await restored()
    leave(await fill(4, from("6.0.0.2")))
    for (const socket of cut) socket.destroy()
  }, 60_000)
})

describe("writes on two threads", () => {
  it("come at their rate whichever thread they come to, and the rest is told when", async () => {
    const began = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        fetch(`${daemon.url}/v1/rows/notes`, {
          method: "POST",
          headers: { ...from("7.0.0.1"), "content-type": "application/json", connection: "close" },
          body: '{"text":"x"}'
        })
      )
    )
    const good = answers.filter(({ status }) => status === 201).length
    assert.isAtLeast(good, 10)
    assert.isAtMost(good, 11 + (performance.now() - began) / 1_000)
    const refused = answers.filter(({ status }) => status === 429)
    assert.strictEqual(refused.length, 40 - good)
    for (const { headers } of refused) assert.isAtLeast(Number(headers.get("retry-after")), 1)
  })
})
