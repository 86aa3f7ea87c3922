/**
 * Takes a connection out of Effect's hands, so that its request's fiber and scope end while the connection lives on: a
 * reader needs a socket, a cursor and a place in a cohort, and ten thousand suspended fibers hold 8 KB each beside that.
 *
 * The one trick: Effect's Node adapter (4.1.0) writes nothing to a response that says it has ended, so a response that is
 * handed over says so from then on. Node itself looks at a field of its own.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type { Duplex, Writable } from "node:stream"

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"

/** What a handler answers whose connection has been handed over. */
export const handedOver = HttpServerResponse.empty()

const release = (response: ServerResponse | Http2ServerResponse): void => {
  Object.defineProperty(response, "writableEnded", { value: true, configurable: true })
}

export type Protocol = "HTTP/1.0" | "HTTP/1.1" | "HTTP/2"

export interface StreamHandover {
  readonly protocol: Protocol
  /** Where the body goes; of HTTP/1.1 past Node's own chunking, which costs 3.7 µs a message. */
  readonly out: Writable
  /** Ends the body; the connection may be used again. */
  readonly end: () => void
  readonly destroy: () => void
  /** The client left, or the response ended. */
  readonly onClose: (listener: () => void) => void
}

const streaming = new WeakSet<Duplex>()

/** Whether a stream has this connection. */
export const isStreaming = (socket: Duplex): boolean => streaming.has(socket)

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
      end: () => stream.end(),
      // Closing it waits until the client has taken everything.
      destroy: () => stream.destroy(),
      onClose: (listener) => stream.once("close", listener)
    }
  }
  const http1 = response as ServerResponse
  const { socket } = http1
  if (socket === null) return undefined
  streaming.add(socket)
  http1.once("close", () => streaming.delete(socket))
  socket.cork()
  http1.writeHead(200, headers)
  http1.flushHeaders()
  release(http1)
  // What is written in this tick goes out with the head.
  process.nextTick(() => socket.uncork())
  return {
    protocol: incoming.httpVersionMinor === 0 ? "HTTP/1.0" : "HTTP/1.1",
    out: socket,
    end: () => http1.end(),
    destroy: () => socket.destroy(),
    onClose: (listener) => http1.once("close", listener)
  }
}

/** The bytes a client sent after its upgrade request, which Node gives to the listeners of the server alone. */
const heads = new WeakMap<IncomingMessage, Buffer>()

export const rememberHead = (incoming: IncomingMessage, head: Buffer): void => {
  heads.set(incoming, head)
}

export interface SocketHandover {
  readonly incoming: IncomingMessage
  readonly socket: Duplex
  readonly head: Buffer
}

/** `undefined` where the request asks for no upgrade. */
export const handOverSocket = (request: HttpServerRequest.HttpServerRequest): SocketHandover | undefined => {
  const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
  const head = heads.get(incoming)
  if (head === undefined) return undefined
  const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
  const { socket } = incoming
  response.detachSocket(socket)
  release(response)
  return { incoming, socket, head }
}
