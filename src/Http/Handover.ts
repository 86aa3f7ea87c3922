/**
 * Takes a connection out of the hands of Effect and of node:http, so that its request's fiber, scope, message objects and
 * parser end while the connection lives on: a reader needs a socket, a cursor and a place in a cohort. Ten thousand
 * suspended fibers hold 8 KB each beside that, node:http 6 KB for its parser and 3 KB for a request and its response.
 *
 * Two tricks. Effect's Node adapter (4.1.0) writes nothing to a response that says it has ended, so a response that is
 * handed over says so from then on; Node itself looks at a field of its own. And a plain HTTP/1 connection leaves
 * node:http as it does at an upgrade: parser freed, listeners removed. Where Node is not as it was when this was written,
 * a warning says so once, and connections stay with node:http; `DETACH=false` asks for that.
 */
import { type IncomingMessage, Server, type ServerResponse } from "node:http"
import type { Http2ServerResponse } from "node:http2"
import type { Socket } from "node:net"
import type { Duplex, Writable } from "node:stream"

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
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
  /** The stream is going to last: what only a request needs is let go of. */
  readonly last: () => void
  /** Ends the body; the connection may be used again, unless the server is going. */
  readonly end: (isGoing: boolean) => void
  readonly destroy: () => void
  /** The client left, or the response ended. */
  readonly onClose: (listener: () => void) => void
}

/** What has an HTTP/1 connection that node:http does not serve requests on. */
const streams = new WeakMap<Duplex, Http1Stream>()

/** Whether a stream has this connection. */
export const isStreaming = (socket: Duplex): boolean => streams.has(socket)

/** Writes the head of a streaming response; `undefined` where another answer still has the connection. */
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

class Http1Stream implements StreamHandover {
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
    streams.set(socket, this)
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
    streams.delete(this.out)
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

/** Longer than the minute most load balancers keep an idle connection, or they would use one we just closed; ms. */
export const keepAlive = 65_000

/** What Node has on a connection, and no types of. */
interface NodeSocket extends Socket {
  readonly server?: unknown
  readonly _httpMessage?: unknown
  readonly parser?: { readonly incoming?: unknown; readonly socket?: unknown } | null
}
interface NodeHttpCommon {
  readonly freeParser: (parser: object, request: IncomingMessage, socket: Socket) => void
}

const common = process.getBuiltinModule("node:_http_common" as "node:http") as
  | Partial<NodeHttpCommon>
  | undefined

/** The listeners by which node:http has a connection. */
const listeners = [
  ["close", "bound socketOnClose"],
  ["data", "bound socketOnData"],
  ["drain", "bound socketOnDrain"],
  ["end", "bound socketOnEnd"],
  ["error", "socketOnError"],
  ["timeout", "socketOnTimeout"],
  ["pause", "onSocketPause"],
  ["resume", "onSocketResume"]
] as const

const listenerOf = (socket: Socket, event: string, name: string): (() => void) | undefined => {
  const all = socket.rawListeners(event).filter((listener) => listener.name === name)
  return all.length === 1 ? (all[0] as () => void) : undefined
}

/** Servers whose connections may leave node:http: those of plain TCP. */
const detachable = new WeakSet<Server>()

export const allowDetaching = (server: Server): void => {
  detachable.add(server)
}

let warned = false

/** Takes a connection from node:http. `false`: it is better left there. Not from inside the parser. */
const detach = (socket: NodeSocket, incoming: IncomingMessage, response: ServerResponse): boolean => {
  const { parser, server } = socket
  if (!(server instanceof Server) || !detachable.has(server) || socket.destroyed) return false
  // The body of the request is still to come.
  if (!incoming.complete) return false
  const found = listeners.map(([event, name]) => listenerOf(socket, event, name))
  const isKnown =
    typeof common?.freeParser === "function" &&
    typeof parser === "object" &&
    parser?.socket === socket &&
    parser.incoming !== undefined &&
    socket._httpMessage === response &&
    found.every((listener) => listener !== undefined)
  if (!isKnown) {
    if (!warned)
      process.emitWarning(
        `connections of Node ${process.version} cannot leave node:http, so a reader takes more memory than it needs`,
        { code: "RATECAST_DETACH" }
      )
    warned = true
    return false
  }
  // Another request is there already.
  if (parser.incoming !== incoming) return false
  common.freeParser!(parser, incoming, socket)
  response.detachSocket(socket)
  listeners.forEach(([event], i) => socket.off(event, found[i]!))
  for (const [event, listener] of ours) socket.on(event, listener)
  return true
}

/** One function for all connections; which it is says `this`. */
const ours: ReadonlyArray<readonly [event: string, listener: (this: Socket, bytes: Buffer) => void]> = [
  [
    "data",
    function (bytes: Buffer) {
      const stream = streams.get(this)
      if (stream === undefined) giveBack(this, bytes)
      else stream.keep(bytes)
    }
  ],
  [
    "end",
    function () {
      this.end()
    }
  ],
  // A connection that is broken is also closed.
  ["error", function () {}],
  [
    "close",
    function () {
      streams.get(this)?.close()
    }
  ],
  [
    "timeout",
    function () {
      this.destroy()
    }
  ]
]

/** To node:http, which meets it as a new connection that has just said this. */
const giveBack = (socket: NodeSocket, bytes: Buffer): void => {
  const server = socket.server as Server
  for (const [event, listener] of ours) socket.off(event, listener)
  socket.setTimeout(0)
  server.emit("connection", socket)
  socket.unshift(bytes)
}

/** The bytes a client sent after its upgrade request, which Node gives to the listeners of the server alone. */
const heads = new WeakMap<IncomingMessage, Buffer>()

/**
 * Node looks after a connection no more once its request asks for an upgrade: one that is refused, and whose client does
 * not end it either, would be there for ever.
 */
export const rememberHead = (incoming: IncomingMessage, head: Buffer): void => {
  heads.set(incoming, head)
  incoming.socket.on("finish", cut)
}
function cut(this: Socket): void {
  this.destroy()
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
  socket.off("finish", cut)
  response.detachSocket(socket)
  release(response)
  // What is written in this tick goes out with the answer to the handshake.
  socket.cork()
  // Effect listens once the handler's first turn is over.
  process.nextTick(settle, socket)
  return { incoming, socket, head }
}

/**
 * Effect's listeners (4.1.0): one interrupts the handler of a client that leaves before its answer, one does nothing about
 * an error. Either holds the request, its response and its fiber for as long as the connection lives. Nothing is left to
 * interrupt, and who has taken the connection over looks after its errors.
 */
const settle = (socket: Duplex): void => {
  socket.uncork()
  for (const [event, does] of effectListeners)
    for (const listener of socket.rawListeners(event))
      if (listener.name === "" && does.test(String(listener))) socket.off(event, listener as () => void)
}

const effectListeners = [
  ["close", /\.interruptUnsafe\(/],
  ["error", /^\(\) => \{\s*\}$/]
] as const
