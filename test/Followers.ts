/**
 * Clients that come back by themselves, as a page does: an `EventSource` (WHATWG HTML 9.2: after a cut with the id of the
 * last event, and after any status but 200 never again), a WebSocket and a long poll with the cursor in the URL.
 */
import * as http from "node:http"
import type * as http2 from "node:http2"
import type { Readable } from "node:stream"
import { createGunzip } from "node:zlib"

import { Client, EventParser, type Headers } from "./Clients.ts"
import { canonicalText, type Message } from "./Held.ts"

/** Waits are a tenth of what they are in earnest. */
const haste = 10
/** What a client waits that nobody told how long, ms. */
const unsaid = 3_000

export abstract class Follower extends Client {
  readonly url: string
  /** What it held at each cursor. */
  readonly history: Array<readonly [cursor: string, rows: string]> = []
  connections = 0
  /** Why it will not come back. */
  gaveUp: string | undefined
  /** How long it was told to wait, ms. */
  retry = unsaid
  protected stopped = false
  private cut = () => {}
  private running: Promise<void> | undefined

  constructor(url: string) {
    super()
    this.url = url
  }

  /** Returns when the connection is over. */
  protected abstract connect(): Promise<void>

  override take(text: string): Message {
    const message = super.take(text)
    if (message.type === "goodbye") this.retry = Number(message["retryAfterMs"])
    else if (this.cursor !== undefined)
      this.history.push([
        this.cursor,
        canonicalText([...this.canonical()].map(([name, rows]) => [name, [...rows].toSorted()]))
      ])
    return message
  }

  follow(): this {
    this.running = this.run()
    return this
  }

  async stop(): Promise<void> {
    this.stopped = true
    this.cut()
    await this.running
  }

  private async run(): Promise<void> {
    while (!this.stopped && this.gaveUp === undefined) {
      this.connections++
      await this.connect()
      if (!this.stopped) await new Promise((done) => setTimeout(done, this.retry / haste))
    }
  }

  /** The end of a connection, by whoever calls it first. */
  protected ending(cut: () => void): { readonly over: Promise<void>; readonly end: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.cut = () => {
      cut()
      resolve()
    }
    return { over: promise, end: resolve }
  }

  protected get search(): string {
    return this.cursor === undefined ? "" : `&since=${this.cursor}`
  }
}

/** An event stream, however it comes. */
abstract class Events extends Follower {
  protected get headers(): Headers {
    return this.cursor === undefined ? {} : { "last-event-id": this.cursor }
  }

  protected read(
    body: Readable,
    answer: { readonly status: unknown; readonly headers: object },
    end: () => void
  ): void {
    const headers = answer.headers as Headers
    if (answer.status !== 200 || headers["content-type"]?.startsWith("text/event-stream") !== true) {
      this.gaveUp = String(answer.status)
      body.resume()
      return end()
    }
    const parser = new EventParser(({ data }) => this.take(data))
    const text = headers["content-encoding"] === "gzip" ? body.pipe(createGunzip()) : body
    body.on("error", end)
    body.on("close", end)
    text.on("error", end)
    text.on("data", (bytes: Buffer) => {
      parser.feed(bytes)
      this.retry = parser.retry ?? this.retry
    })
  }
}

export class EventFollower extends Events {
  private readonly encoding: string

  constructor(url: string, encoding: "gzip" | "identity" = "identity") {
    super(url)
    this.encoding = encoding
  }

  protected override async connect(): Promise<void> {
    const request = http.get(this.url, {
      headers: { ...this.headers, "accept-encoding": this.encoding },
      agent: false
    })
    const { end, over } = this.ending(() => request.destroy())
    request.on("error", end)
    request.on("response", (response) =>
      this.read(response, { status: response.statusCode, headers: response.headers }, end)
    )
    await over
  }
}

/** One stream of many on a connection of HTTP/2. */
export class Http2Follower extends Events {
  private readonly connection: http2.ClientHttp2Session

  constructor(url: string, connection: http2.ClientHttp2Session) {
    super(url)
    this.connection = connection
  }

  protected override async connect(): Promise<void> {
    const { pathname, search } = new URL(this.url)
    const stream = this.connection.request({ ":path": pathname + search, ...this.headers })
    const { end, over } = this.ending(() => stream.close())
    stream.on("error", end)
    stream.on("response", ({ ":status": status, ...headers }) => this.read(stream, { status, headers }, end))
    await over
  }
}

/** The page's origin is that of the URL. */
export class SocketFollower extends Follower {
  protected override async connect(): Promise<void> {
    const { origin } = new URL(this.url)
    // Browsers say where their page is from; the WebSocket of Node does when told.
    const ws = new WebSocket(`${this.url.replace(/^http/, "ws")}${this.search}`, {
      headers: { origin }
    } as never)
    const { end, over } = this.ending(() => ws.close())
    ws.addEventListener("message", ({ data }) => this.take(data as string))
    ws.addEventListener("error", end)
    ws.addEventListener("close", end)
    await over
  }
}

export class PollFollower extends Follower {
  protected override async connect(): Promise<void> {
    const controller = new AbortController()
    const { end, over } = this.ending(() => controller.abort())
    this.poll(controller.signal).then(end, end)
    await over
  }

  private async poll(signal: AbortSignal): Promise<void> {
    const answer = await fetch(this.url + this.search, { signal })
    const text = await answer.text()
    // What a proxy says while the daemon is away; anything else would not change by itself.
    if ([502, 503, 504].includes(answer.status)) return
    if (answer.status === 200) this.take(text)
    else if (answer.status === 204) this.cursor = answer.headers.get("ratecast-cursor")!
    else this.gaveUp = String(answer.status)
    if (this.gaveUp === undefined) await this.poll(signal)
  }
}
