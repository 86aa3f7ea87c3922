/**
 * Takes a stream out of the hands of Effect and of node:http, so that its request's fiber, scope, message objects and
 * parser end while the connection lives on: a reader needs a socket, a cursor and a place in a cohort. Ten thousand
 * suspended fibers hold 8 KB each beside that, node:http 6 KB for its parser and 3 KB for a request and its response.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type { Socket } from "node:net"
import type { Writable } from "node:stream"

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

import { detach, disown, giveBack, keepAlive, own, type Owner } from "./Handover/Detach.ts"
import { release } from "./Handover/Release.ts"

export type Protocol = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2"

export interface StreamHandover {
  readonly protocol: Protocol
  /** Where the body goes; of HTTP/1.1 past Node's own chunking, which costs 3.7 µs a message. */
  readonly out: Writable
  /** The stream is going to last: what only a request needs is let go of. */
  readonly last: () => void
  /** Ends the body; the connection may be used again, unless the server is going. */
  readonly end: (isGoing: boolean) => void
  readonly destroy: () => void
  /** The client left, or the response ended. */
  readonly onClose: (listener: () => void) => void
}

/**
 * Returns when the answers before it on its connection have left. A browser may have had the whole of one, and ask for a
 * stream on the same connection, before Node has told us that it has left; one that stays is not waited for.
 */
export const turnOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<void> =>
  Effect.suspend(() => {
    const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
    if (response.socket !== null) return Effect.void
    const turn = Effect.callback<void>((resume) => {
      const come = () => resume(Effect.void)
      response.once("socket", come)
      return Effect.sync(() => response.off("socket", come))
    })
    return Effect.asVoid(Effect.timeoutOption(turn, turnWithin))
  })

const turnWithin = "5 seconds"

/** Writes the head of a streaming response; `undefined` where another answer still has the connection. */
export const handOverStream = (
  request: HttpServerRequest.HttpServerRequest,
  headers: { readonly [name: string]: string }
): StreamHandover | undefined => {
  const incoming = NodeHttpServerRequest.toIncomingMessage(request)
  const response = NodeHttpServerRequest.toServerResponse(request)
  if (incoming.httpVersionMajor === 2) {
    const http2 = response as Http2ServerResponse
    http2.writeHead(200, headers)
    release(http2)
    const { stream } = http2
    stream.on("error", () => {})
    return {
      protocol: "HTTP/2",
      out: stream,
      last: () => {},
      end: () => stream.end(),
      // Closing it waits until the client has taken everything.
      destroy: () => stream.destroy(),
      onClose: (listener) => stream.once("close", listener)
    }
  }
  const http1 = response as ServerResponse
  const { socket } = http1
  return socket === null ? undefined : new Http1Stream(socket, incoming as IncomingMessage, http1, headers)
}

/** The end of a chunked body (RFC 9112, 7.1). */
const lastChunk = "0\r\n\r\n"
/** What a client may send behind a request whose stream goes on, bytes; it is read when the stream has ended. */
const maxAhead = 16 * 1024

class Http1Stream implements StreamHandover, Owner {
  readonly protocol: Protocol
  readonly out: Socket
  /** While node:http has the connection. */
  private http: { readonly incoming: IncomingMessage; readonly response: ServerResponse } | undefined
  private readonly isLastOnConnection: boolean
  private lasts = false
  private ahead: Buffer | undefined
  private closers: ReadonlyArray<() => void> = none

  constructor(
    socket: Socket,
    incoming: IncomingMessage,
    response: ServerResponse,
    headers: { readonly [name: string]: string }
  ) {
    this.protocol = incoming.httpVersionMinor === 0 ? "HTTP/1.0" : "HTTP/1.1"
    this.out = socket
    this.http = { incoming, response }
    own(socket, this)
    response.once("close", () => this.close())
    socket.cork()
    response.writeHead(200, headers)
    response.flushHeaders()
    this.isLastOnConnection = !response.shouldKeepAlive || this.protocol === "HTTP/1.0"
    release(response)
    process.nextTick(goOut, this)
  }

  /** What is written in this tick goes out with the head. */
  goOut(): void {
    this.out.uncork()
    if (this.lasts && this.http !== undefined && detach(this.out, this.http.incoming, this.http.response))
      this.http = undefined
  }

  last(): void {
    this.lasts = true
  }

  end(isGoing: boolean): void {
    const { http, out } = this
    this.lasts = false
    if (http !== undefined) return void http.response.end()
    const isLast = isGoing || this.isLastOnConnection
    const body = this.protocol === "HTTP/1.1" ? lastChunk : ""
    const ended = () => {
      this.close()
      if (isLast) return
      const { ahead } = this
      if (ahead === undefined) out.setTimeout(keepAlive)
      else giveBack(out, ahead)
    }
    if (isLast) out.end(body, ended)
    else out.write(body, ended)
  }

  destroy(): void {
    this.out.destroy()
  }

  onClose(listener: () => void): void {
    this.closers = [...this.closers, listener]
  }

  close(): void {
    const { closers } = this
    this.closers = none
    disown(this.out)
    for (const closer of closers) closer()
  }

  /** A request that waits for the end of this stream, or what is none. */
  keep(bytes: Buffer): void {
    const ahead = this.ahead === undefined ? bytes : Buffer.concat([this.ahead, bytes])
    // RFC 9112, 2.2: empty lines before a request are nothing.
    const isRequest = /^(?:\r?\n)*(?:[A-Za-z]|\r?$)/.test(ahead.toString("latin1", 0, 16))
    if (!isRequest || ahead.length > maxAhead) return this.destroy()
    this.ahead = Buffer.from(ahead)
  }
}

const none: ReadonlyArray<() => void> = []
const goOut = (stream: Http1Stream): void => stream.goOut()
