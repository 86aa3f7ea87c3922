/** Targets that are a running daemon: requests, sockets, writes, and what an upstream says. */
import assert from "node:assert/strict"
import * as http from "node:http"
import * as net from "node:net"

import { type Answer, answerAt } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { closeFrame, deflated, frame, opcodes, RawSocket } from "../Frames.ts"
import { canonicalText } from "../Held.ts"
import type { Dice } from "./Dice.ts"
import type { Target } from "./Fuzz.ts"
import type { Ground } from "./Ground.ts"
import { collections, encoded, key, message, search } from "./Phrases.ts"
import { tellsTooMuch } from "./Told.ts"

const paths = [
  "/v1/snapshot",
  "/v1/changes",
  "/v1/stream",
  "/v1/socket",
  "/v1/collections",
  "/v1/tickets",
  "/v1/revocations",
  "/v1/refresh/pools",
  "/v1/history/chat",
  "/v1/connections/x/ping",
  "/livez",
  "/readyz",
  "/metrics",
  "/openapi.json",
  "/v1/problems",
  "/"
]
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "CONNECT"]

const path = (dice: Dice): string => {
  if (dice.chance(0.5)) return dice.one(paths)
  const row = `/v1/rows/${encoded(dice.chance(0.8) ? dice.one(collections) : dice.text())}`
  return dice.chance(0.2) ? row : `${row}/${encoded(key(dice))}`
}

const oneLine = (text: string): string => text.replace(/[^\t -~\u0080-\u00ff]/g, "")

const header = (dice: Dice): string => {
  const value = oneLine(dice.text()).slice(0, 4_000)
  switch (dice.below(14)) {
    case 0:
      return `Last-Event-ID: ${dice.one(["<cursor>", value])}`
    case 1:
      return `If-None-Match: ${dice.one(['"<cursor>"', "*", 'W/"x", "y"', value])}`
    case 2:
      return `If-Match: ${dice.one(["*", '"x"', value])}`
    case 3:
      return `Idempotency-Key: ${value}`
    case 4:
      return `Prefer: ${dice.one(["wait=0", "wait=99999999999999", "wait=-1, wait=2", value])}`
    case 5:
      return `Ratecast-Min-Revision: ${dice.one(["0", "k3x-0", "-1", value])}`
    case 6:
      return `Cookie: ${dice.one(["ratecast_token=x", "ratecast_token=<token>", `a=${value}`])}`
    case 7:
      return `Origin: ${dice.one(["null", "http://evil.example", "http://127.0.0.1:1", value])}`
    case 8:
      return `X-Forwarded-For: ${dice.one(["1.2.3.4", "::1, [::1]:x, 9", value])}`
    case 9:
      return dice.one([
        "Connection: Upgrade\r\nUpgrade: websocket",
        "Upgrade: h2c",
        "Expect: 100-continue",
        "TE: trailers"
      ])
    case 10:
      return dice.one([
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Length: 3",
        "Content-Length: -1"
      ])
    case 11:
      return `Sec-WebSocket-Extensions: ${dice.one(["permessage-deflate", 'permessage-deflate; client_max_window_bits="1', value])}`
    case 12:
      return `Sec-WebSocket-Protocol: ${dice.one(["ratecast.v1", "ratecast.v1, ratecast.token.<token>", value])}`
    default:
      return `${dice.chance(0.5) ? "Accept-Encoding" : "X"}: ${value}`
  }
}

const credential = (dice: Dice): string => {
  if (dice.chance(0.2)) return ""
  return `Authorization: ${dice.chance(0.9) ? "Bearer <token>" : oneLine(dice.mutated("Bearer <token>"))}\r\n`
}

const request = (dice: Dice): string => {
  const method = dice.chance(0.6) ? dice.one(["GET", "PUT", "POST", "PATCH"]) : dice.one(methods)
  const target = `${path(dice)}?wait=0s&${search(dice)}`.replaceAll(/[\0-\u0020\u007f-\uffff]/g, "")
  const body = method === "GET" || method === "HEAD" || dice.chance(0.3) ? "" : dice.json()
  const bytes = Buffer.from(body)
  const length = dice.chance(0.97) ? bytes.length : dice.below(5_000)
  const type = dice.chance(0.9) ? "Content-Type: application/json\r\n" : ""
  const headers = dice.some(5, () => `${header(dice)}\r\n`).join("")
  const text = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${credential(dice)}${type}Content-Length: ${length}\r\n${headers}\r\n${bytes.toString("latin1")}`
  return dice.chance(0.15) ? dice.mutated(text) : text
}

/** An answer that does not come by then is not waited for: half of a request has none for seconds. ms */
const patience = 150

/** Sends bytes as they are, and gives what is answered until it is whole, has begun to stream, or nothing comes. */
const exchange = (port: number, text: string): Promise<Buffer> =>
  new Promise((done) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(text, "latin1"))
    const chunks: Array<Buffer> = []
    const end = () => {
      socket.destroy()
      done(Buffer.concat(chunks))
    }
    socket.setTimeout(patience, end)
    socket.on("error", end)
    socket.on("close", end)
    socket.on("data", (bytes) => {
      chunks.push(bytes)
      const answer = firstIn(Buffer.concat(chunks))
      if (answer === undefined) return
      const { body, status, whole } = answer
      if (whole || text.startsWith("HEAD ") || status === 101 || body.includes("\n\n")) end()
    })
  })

/** The first that is not a mere "go on"; `undefined` where it has not come. */
const firstIn = (bytes: Buffer): Answer | undefined => {
  const text = bytes.toString("latin1", 0, 13)
  if (!text.startsWith("HTTP/")) return undefined
  if (!text.endsWith(" 100 ")) return answerAt(bytes, 0)?.answer
  const end = bytes.indexOf("\r\n\r\n")
  return end === -1 ? undefined : firstIn(bytes.subarray(end + 4))
}

const isHttp = (bytes: Buffer): boolean => bytes.toString("latin1", 0, 5) === "HTTP/"

/** Fails where an answer is our fault, is no problem where it should be one, or tells too much. */
const judge = ({ body, headers, status, whole }: Answer): void => {
  assert.ok(status < 500 || status === 503, `answered ${status}: ${body.toString().slice(0, 300)}`)
  const text = body.toString("utf8")
  assert.equal(tellsTooMuch(text + JSON.stringify(headers)), undefined)
  if (status < 400 || !whole || text === "") return
  assert.equal(headers["content-type"], "application/problem+json")
  const problem = JSON.parse(text) as {
    readonly status: number
    readonly detail: string
    readonly code: string
  }
  assert.equal(problem.status, status)
  assert.ok(problem.detail.length < 1_000)
}

export const httpTarget = (ground: Ground): Target => ({
  name: "http",
  make: (dice) => Array.from({ length: 4 }, () => request(dice)),
  check: async (texts) => {
    const answered = texts.map((text) =>
      exchange(
        ground.port,
        text.replaceAll("<token>", ground.token).replaceAll("<cursor>", ground.readers[0]!.cursor ?? "")
      )
    )
    for (const [i, bytes] of (await Promise.all(answered)).entries()) {
      if (bytes.length === 0) continue
      assert.ok(isHttp(bytes), "an answer is HTTP")
      const answer = firstIn(bytes)
      // What comes behind the head is the next answer.
      const isHead = texts[i]!.startsWith("HEAD ")
      if (answer !== undefined) judge(isHead ? { ...answer, body: Buffer.alloc(0) } : answer)
    }
  },
  look: () => ground.look()
})

/** How each text is sent: by its first letter. */
const kinds = "tttttttbdpfcr"

export const socketTarget = (ground: Ground): Target => ({
  name: "socket",
  make: (dice) => [
    dice.chance(0.5) ? search(dice) : "",
    ...Array.from({ length: 1 + dice.below(6) }, () => dice.one([...kinds]) + message(dice))
  ],
  check: async ([query = "", ...texts]) => {
    const target = `/v1/socket?${query.replaceAll(/[\0-\u0020\u007f-\uffff]/g, "")}`
    const socket = await RawSocket.open(ground.port, target.slice(0, 8_000), {
      headers: { authorization: `Bearer ${ground.token}`, "sec-websocket-extensions": "permessage-deflate" }
    })
    try {
      for (const text of texts) send(socket, text)
      socket.say({ type: "ping" })
      // A length that is broken has it wait for more.
      if (texts.some((text) => text.startsWith("r"))) await sleep(20)
      else await until("a pong, or the end", () => socket.types.includes("pong") || hasEnded(socket))
      for (const said of socket.messages) assert.equal(tellsTooMuch(JSON.stringify(said)), undefined)
      assert.deepEqual(socket.broken, [])
    } finally {
      socket.vanish()
    }
  },
  look: () => ground.look()
})

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms))

const hasEnded = ({ closing, wire }: RawSocket): boolean => closing !== undefined || wire.isClosed

const send = (socket: RawSocket, text: string): void => {
  const payload = Buffer.from(text.slice(1))
  switch (text[0]) {
    case "b":
      return socket.send(payload, { opcode: opcodes.binary })
    case "d":
      return socket.send(deflated(payload), { rsv1: true })
    case "p":
      return socket.send(payload.subarray(0, 125), { opcode: opcodes.ping })
    case "f":
      socket.send(payload.subarray(0, payload.length / 2), { final: false })
      return socket.send(payload.subarray(payload.length / 2), { opcode: opcodes.continuation })
    case "c":
      return void socket.wire.socket.write(closeFrame(payload.length % 5_000, "bye"))
    case "r":
      return void socket.wire.socket.write(
        frame(payload).map((byte, i) => (i === payload.length % 7 ? byte ^ 0x41 : byte))
      )
    default:
      return socket.send(payload)
  }
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 2 })

const ask = (url: string, method: string, token: string, body = "") =>
  new Promise<{ readonly status: number; readonly text: string }>((done, fail) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    const asking = http.request(url, { agent, method, headers }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (more: string) => (text += more))
      response.on("end", () => done({ status: response.statusCode!, text }))
      response.on("error", fail)
    })
    asking.on("error", fail)
    asking.end(body)
  })

/** A row that is written is read as it was written, or refused in words. */
export const writesTarget = (ground: Ground): Target => ({
  name: "writes",
  make: (dice) => {
    const row = dice.chance(0.7) ? `{"text":${dice.quoted()},"note":${dice.json()}}` : dice.json()
    return [
      dice.one(["PUT", "PUT", "PATCH", "POST", "DELETE"]),
      key(dice),
      // On its way half of a surrogate pair becomes U+FFFD.
      (dice.chance(0.2) ? dice.mutated(row) : row).toWellFormed()
    ]
  },
  check: async ([method = "PUT", key = "", body = ""]) => {
    const row = ground.at(`/v1/rows/chat?key=${encoded(key)}`)
    const target = method === "POST" ? ground.at("/v1/rows/chat") : row
    const sent = method === "PATCH" ? `{"set":${body}}` : body
    const wrote = await ask(target, method, ground.token, method === "DELETE" ? "" : sent)
    assert.ok(wrote.status < 500, `answered ${wrote.status}: ${wrote.text.slice(0, 300)}`)
    assert.equal(tellsTooMuch(wrote.text), undefined)
    if (method !== "PUT" || wrote.status >= 400) return
    const read = await ask(row, "GET", ground.token)
    assert.equal(read.status, 200)
    const expected = { ...(JSON.parse(sent.replace(/^\ufeff/, "")) as object), id: key.toWellFormed() }
    assert.equal(
      canonicalText((JSON.parse(read.text) as { readonly row: unknown }).row),
      canonicalText(expected)
    )
  },
  look: () => ground.look()
})

/** Values that JSON holds, no deeper than a row may be: others are set aside, which is another test's business. */
const fits = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text)
    return isFit(value, 60)
  } catch {
    return false
  }
}

const isFit = (value: unknown, depth: number): boolean =>
  depth > 0 &&
  (typeof value === "number"
    ? Number.isFinite(value)
    : Object.values(value ?? {}).every((inner) => isFit(inner, depth - 1)))

/** Whatever stands in keys and values upstream, readers get those rows, and no event that was not sent. */
export const upstreamTarget = (ground: Ground): Target => ({
  name: "upstream",
  make: (dice) =>
    Array.from({ length: 1 + dice.below(6) }, () => {
      const note = dice.json()
      return `{"id":${JSON.stringify(dice.name())},"type":${JSON.stringify(dice.name())},"note":${fits(note) ? note : "null"}}`.toWellFormed()
    }),
  check: async (rows) => {
    const body = `[${rows.join()}]`
    const revision = await ground.refresh(body)
    if (revision === undefined) return
    const expected = canonicalText(
      Object.fromEntries(
        (JSON.parse(body) as ReadonlyArray<{ readonly id: string }>).map((row) => [row.id, row])
      )
    )
    for (const reader of ground.readers)
      await until("these rows beside", () => canonicalText(reader.rowsOf("pools")) === expected)
  },
  look: () => ground.look()
})

export const liveTargets = (ground: Ground): ReadonlyArray<Target> => [
  httpTarget(ground),
  socketTarget(ground),
  writesTarget(ground),
  upstreamTarget(ground)
]
