/**
 * A client for each road, written from the standards (WHATWG HTML 9.2, RFC 9112, RFC 6455) and docs/protocol.md: none of
 * the server's code and none of the libraries it uses, so that a mistake made once is not believed twice.
 */
import { randomBytes } from "node:crypto"
import * as http from "node:http"
import * as net from "node:net"
import type { Readable } from "node:stream"
import { createGunzip } from "node:zlib"

import { until } from "./Daemon.ts"
import { Held, type Message } from "./Held.ts"

export type Headers = { readonly [name: string]: string }

/** What every client notes: each message with the time it came. */
export class Client extends Held {
  readonly messages: Array<Message> = []
  readonly arrivals: Array<number> = []
  onMessage: ((message: Message) => void) | undefined

  /** `from`: goes on with what another one holds. */
  constructor(from?: Held) {
    super()
    this.cursor = from?.cursor
    for (const [name, rows] of from?.rows ?? [])
      this.rows.set(name, new Map([...rows].map(([key, row]) => [key, new Map(row)])))
  }

  take(text: string): Message {
    const message = this.receive(text)
    this.messages.push(message)
    this.arrivals.push(performance.now())
    this.onMessage?.(message)
    return message
  }

  get types(): ReadonlyArray<string> {
    return this.messages.map(({ type }) => type)
  }

  get goodbye(): Message | undefined {
    return this.messages.find(({ type }) => type === "goodbye")
  }

  async first(): Promise<Message> {
    await until("a first message", () => this.messages.length > 0)
    return this.messages[0]!
  }

  async reaches(cursor: string | undefined, ms?: number): Promise<void> {
    await until(`at ${cursor}, not ${this.cursor}`, () => this.cursor === cursor, ms)
  }
}

export interface ServerEvent {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
  /** How many `data:` and how many `id:` lines it had. */
  readonly lines: number
  readonly ids: number
}

/** Interprets an event stream, line by line (WHATWG HTML 9.2.6). */
export class EventParser {
  retry: number | undefined
  private readonly decoder = new TextDecoder("utf-8", { fatal: true })
  private readonly onEvent: (event: ServerEvent) => void
  private rest = ""
  private afterCr = false
  private lastEventId = ""
  private type = ""
  private data: Array<string> = []
  private ids = 0

  constructor(onEvent: (event: ServerEvent) => void) {
    this.onEvent = onEvent
  }

  feed(bytes: Buffer): void {
    const text = this.decoder.decode(bytes, { stream: true })
    if (text === "") return
    // A CR at the end has ended its line; an LF after it belongs to it.
    const lines = (this.afterCr && text[0] === "\n" ? text.slice(1) : text).split(/\r\n|\n|\r/)
    this.afterCr = text.endsWith("\r")
    lines[0] = this.rest + lines[0]!
    this.rest = lines.pop()!
    for (const line of lines) this.line(line)
  }

  private line(line: string): void {
    if (line === "") return this.dispatch()
    const colon = line.indexOf(":")
    if (colon === 0) return
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "event") this.type = value
    else if (name === "data") this.data.push(value)
    else if (name === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value)
    else if (name === "id" && !value.includes("\0")) {
      this.ids++
      this.lastEventId = value
    }
  }

  private dispatch(): void {
    const { data, ids, lastEventId, type } = this
    this.data = []
    this.type = ""
    this.ids = 0
    if (data.length === 0) return
    this.onEvent({
      type: type === "" ? "message" : type,
      data: data.join("\n"),
      lastEventId,
      lines: data.length,
      ids
    })
  }
}

export interface EventOptions {
  readonly headers?: Headers
  readonly agent?: http.Agent
  readonly from?: Held
  /** Reads nothing of the body until `unpause`. */
  readonly paused?: boolean
}

/** `GET /v1/stream` over node:http; gzip goes through Node's strict decoder. */
export class EventClient extends Client {
  readonly events: Array<ServerEvent> = []
  /** The body as text, decompressed. */
  text = ""
  status = 0
  headers: http.IncomingHttpHeaders = {}
  /** When the request left and when the first byte of the body came. */
  readonly askedAt = performance.now()
  firstByteAt = 0
  /** `clean`: the body came to its valid end. */
  readonly ended: Promise<"clean" | "cut">
  readonly parser = new EventParser((event) => {
    this.events.push(event)
    this.take(event.data)
  })
  private readonly request: http.ClientRequest
  private body: Readable | undefined

  private constructor(url: string, { agent, from, headers = {}, paused = false }: EventOptions) {
    super(from)
    this.request = http.get(url, { headers, agent: agent ?? false })
    this.ended = new Promise((done) => {
      this.request.on("error", () => done("cut"))
      this.request.on("response", (response) => {
        this.status = response.statusCode!
        this.headers = response.headers
        response.on("error", () => done("cut"))
        const unzipped = response.headers["content-encoding"] === "gzip"
        const body = unzipped ? response.pipe(createGunzip()) : response
        this.body = body
        body.on("error", () => done("cut"))
        body.on("data", (bytes: Buffer) => {
          this.firstByteAt ||= performance.now()
          this.text += bytes.toString("utf8")
          this.parser.feed(bytes)
        })
        body.on("end", () => done(response.complete ? "clean" : "cut"))
        if (paused) body.pause()
      })
    })
  }

  /** Everything that came over the wire, headers and framing too. */
  get bytesRead(): number {
    return this.request.socket?.bytesRead ?? 0
  }

  static async open(url: string, options: EventOptions = {}): Promise<EventClient> {
    const client = new EventClient(url, options)
    await until("an answer to a stream", () => client.status !== 0)
    return client
  }

  /** Reads nothing until `unpause`. */
  pause(): void {
    this.body!.pause()
  }

  unpause(): void {
    this.body!.resume()
  }

  close(): void {
    this.request.destroy()
  }
}

/** `GET /v1/changes` with fetch: holds what the answers say, and asks again from there. */
export class PollClient extends Client {
  private readonly url: string
  private following = true

  constructor(url: string, from?: Held) {
    super(from)
    this.url = url
  }

  async ask(more = "", headers: Headers = {}): Promise<Response> {
    const url = new URL(this.url)
    if (this.cursor !== undefined) url.searchParams.set("since", this.cursor)
    for (const [name, value] of new URLSearchParams(more)) url.searchParams.append(name, value)
    const answer = await fetch(url, { headers })
    // Nothing changed up to there: an empty change.
    if (answer.status === 204) this.cursor = answer.headers.get("ratecast-cursor")!
    else if (answer.status === 200) this.take(await answer.text())
    return answer
  }

  /** Asks until `stop`; fails where an answer is neither 200 nor 204. */
  async follow(more = "wait=500ms"): Promise<void> {
    const { status } = await this.ask(more)
    if (status !== 200 && status !== 204) throw new Error(`a long poll was answered ${status}`)
    if (this.following) await this.follow(more)
  }

  stop(): void {
    this.following = false
  }
}

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** `GET /v1/socket` with the WebSocket that browsers have. */
export class SocketClient extends Client {
  readonly closed: Promise<Closed>
  readonly ws: WebSocket

  private constructor(url: string, protocols: ReadonlyArray<string>, from: Held | undefined) {
    super(from)
    this.ws = new WebSocket(url.replace(/^http/, "ws"), [...protocols])
    this.ws.addEventListener("message", ({ data }) => this.take(data as string))
    this.closed = new Promise((done) => {
      this.ws.addEventListener("close", ({ code, reason }) => done({ code, reason }))
    })
  }

  static async open(url: string, protocols: ReadonlyArray<string> = [], from?: Held): Promise<SocketClient> {
    const client = new SocketClient(url, protocols, from)
    await new Promise((done, fail) => {
      client.ws.addEventListener("open", done)
      client.ws.addEventListener("error", () => fail(new Error("the socket did not open")))
    })
    return client
  }

  say(message: object): void {
    this.sayText(JSON.stringify(message))
  }

  sayText(text: string): void {
    this.ws.send(text)
  }

  /** Waits for the answer to what was said with this `ref`. */
  async answer(ref: string): Promise<Message> {
    await until(`an answer to ${ref}`, () => this.messages.some((message) => message["ref"] === ref))
    return this.messages.find((message) => message["ref"] === ref)!
  }

  close(): void {
    this.ws.close()
  }
}

/** A TCP connection: what is written and what comes, byte for byte. */
export class Wire {
  readonly socket: net.Socket
  readonly closed: Promise<void>
  isClosed = false
  private readonly chunks: Array<Buffer> = []

  private constructor(port: number) {
    this.socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: false })
    this.socket.on("error", () => {})
    this.socket.on("data", this.keep)
    this.closed = new Promise((done) => {
      this.socket.on("close", () => {
        this.isClosed = true
        done()
      })
    })
  }

  static async open(port: number): Promise<Wire> {
    const wire = new Wire(port)
    await new Promise((done) => wire.socket.once("connect", done))
    return wire
  }

  /** A request whose lines end as HTTP wants it, Host included. */
  request(line: string, headers: Headers = {}): void {
    const lines = Object.entries({ host: `127.0.0.1:${this.socket.remotePort}`, ...headers })
    this.socket.write(
      `${line}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
      "latin1"
    )
  }

  /** Hands over what came, and all that comes from now on. */
  give(take: (bytes: Buffer) => void, from: number): void {
    this.socket.off("data", this.keep)
    this.socket.on("data", take)
    take(this.bytes.subarray(from))
    this.chunks.length = 0
  }

  private readonly keep = (bytes: Buffer): void => {
    this.chunks.push(bytes)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString("utf8")
  }

  get answers(): ReadonlyArray<Answer> {
    return answersIn(this.bytes)
  }
}

export interface Answer {
  readonly status: number
  readonly version: string
  readonly headers: Headers
  readonly body: Buffer
  /** Whether its end came, by its length or its last chunk. */
  readonly whole: boolean
}

/** The answers on a connection, one after the other (RFC 9112). Throws where the bytes are none. */
export const answersIn = (bytes: Buffer): ReadonlyArray<Answer> => {
  const answers: Array<Answer> = []
  for (let next = answerAt(bytes, 0); next !== undefined; next = answerAt(bytes, next.next))
    answers.push(next.answer)
  return answers
}

/** One answer, as far as it has come; `undefined` where not all of its head has. Throws where the bytes are none. */
export const answerAt = (
  bytes: Buffer,
  start: number
): { readonly answer: Answer; readonly next: number } | undefined => {
  const end = bytes.indexOf("\r\n\r\n", start)
  if (end === -1) return undefined
  const [first, ...lines] = bytes.toString("latin1", start, end).split("\r\n")
  const status = /^(HTTP\/1\.[01]) (\d{3}) /.exec(first!)
  if (status === null) throw new Error(`no answer begins with ${JSON.stringify(first!.slice(0, 80))}`)
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim()
    ])
  )
  const { body, next, whole } = bodyAt(bytes, end + 4, Number(status[2]), headers)
  return { answer: { status: Number(status[2]), version: status[1]!, headers, body, whole }, next }
}

const bodyAt = (bytes: Buffer, start: number, status: number, headers: Headers) => {
  if (status === 204 || status === 304) return { body: Buffer.alloc(0), next: start, whole: true }
  if (headers["transfer-encoding"] !== "chunked") {
    const length = Number(headers["content-length"] ?? Infinity)
    const body = bytes.subarray(start, start + length)
    return { body, next: start + body.length, whole: body.length === length }
  }
  const body: Array<Buffer> = []
  let at = start
  for (;;) {
    const line = bytes.indexOf("\r\n", at)
    if (line === -1) return { body: Buffer.concat(body), next: bytes.length, whole: false }
    const head = bytes.toString("latin1", at, line)
    if (!/^[0-9a-fA-F]+$/.test(head)) throw new Error(`no chunk begins with ${JSON.stringify(head)}`)
    const size = parseInt(head, 16)
    at = line + 2 + size
    if (at + 2 > bytes.length) return { body: Buffer.concat(body), next: bytes.length, whole: false }
    if (bytes.toString("latin1", at, at + 2) !== "\r\n") throw new Error("a chunk does not end with its size")
    body.push(bytes.subarray(line + 2, at))
    at += 2
    if (size === 0) return { body: Buffer.concat(body), next: at, whole: true }
  }
}

export const upgradeHeaders = (headers: Headers = {}): Headers => ({
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": randomBytes(16).toString("base64"),
  ...headers
})

/** The answer to an upgrade that is refused. */
export const refusedUpgrade = (url: string, headers: Headers = {}): Promise<http.IncomingMessage> =>
  new Promise((done, fail) => {
    http
      .get(url, {
        headers: {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
          ...headers
        },
        agent: false
      })
      .on("response", done)
      .on("upgrade", () => fail(new Error("it was let in")))
      .on("error", fail)
  })
