/** The Node server: what it listens on, the limits of a request, TLS, and how it goes. */
import { readFileSync } from "node:fs"
import * as http from "node:http"
import * as http2 from "node:http2"
import type { Socket } from "node:net"

import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Clock, Effect, Layer, Schedule } from "effect"
import { HttpServer } from "effect/http"
import { ServeError } from "effect/http/HttpServerError"

import type { Tls } from "../Settings.ts"
import { steady } from "../Steady.ts"
import { allowDetaching, isOwned, keepAlive } from "./Handover/Detach.ts"
import { rememberHead } from "./Handover/Upgrade.ts"
import { Limits } from "./Limits.ts"
import { Problem, refuseConnection } from "./Problem.ts"
import { isTooSlow, lookEvery } from "./Slowness.ts"

/** Limits of a request; each stops an attack that holds connections or memory for nothing. */
const limits = {
  /** Slow heads: a client has this long to send one, ms. */
  headersTimeout: 5_000,
  /** Slow bodies: a client has this long to send the whole request, ms. */
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: keepAlive
}

/**
 * Whatever else a request offers (`h2c`, by curl and Java) it is answered as if it had not, and so is one that comes
 * while a stream still has the connection: Node would take the connection out of the stream's hands. So is one for
 * anything else than the socket: Node tells nobody of the end of a connection that it has let go of, and a stream on
 * it would be a reader for ever.
 */
const upgradesAt =
  (path: string) =>
  ({ headers, method, socket, url = "" }: http.IncomingMessage): boolean =>
    headers.upgrade?.toLowerCase() === "websocket" &&
    method === "GET" &&
    (url === path || url.startsWith(`${path}?`)) &&
    !isOwned(socket)

/** Of one connection of HTTP/2. */
const maxConcurrentStreams = 100
/** Node's own 511 makes ten thousand clients that come back at once wait 8.9 s instead of 1.6. */
const backlog = 8192
/** Connections that have not ended by then are cut, ms. */
const grace = 500

const createServer = (
  tls: Tls | undefined,
  socketPath: string,
  maxHeaderSize: number
): Effect.Effect<http.Server | http2.Http2SecureServer, ServeError> => {
  const http1 = { ...limits, maxHeaderSize, shouldUpgradeCallback: upgradesAt(socketPath) }
  return Effect.try({
    try: () =>
      tls === undefined
        ? http.createServer(http1)
        : // WebSocket stays on HTTP/1.1.
          http2.createSecureServer({
            key: readFileSync(tls.keyFile),
            cert: readFileSync(tls.certFile),
            allowHTTP1: true,
            handshakeTimeout: limits.headersTimeout,
            settings: { maxConcurrentStreams },
            ...http1
          }),
    catch: (cause) => new ServeError({ cause })
  })
}

export const layerServer = (options: {
  readonly host: string
  readonly port: number
  readonly tls: Tls | undefined
  /** Where a WebSocket may be opened. */
  readonly socketPath: string
  /** Whether streams may leave node:http. */
  readonly detach: boolean
  /** Whether other threads listen on the same port, and share its connections. */
  readonly shared: boolean
}) =>
  Layer.mergeAll(
    NodeHttpServer.layerHttpServices,
    Layer.effect(
      HttpServer.HttpServer,
      Effect.gen(function* () {
        const { arrive, depart, sizes } = yield* Limits
        /** And whose they are. */
        const sockets = new Map<Socket, string>()
        // The listeners used here exist on every kind of server.
        const server = (yield* createServer(options.tls, options.socketPath, sizes.headers)) as http.Server
        const forget = function (this: Socket) {
          depart(sockets.get(this)!)
          sockets.delete(this)
        }
        server.on("connection", (socket: Socket) => {
          // It comes again when a stream has ended on it.
          if (sockets.has(socket)) return
          const whose = arrive(socket.remoteAddress)
          if (whose === undefined) return void socket.destroy()
          sockets.set(socket, whose)
          socket.on("close", forget)
        })
        server.on("session", (session: http2.Http2Session) =>
          session.setTimeout(keepAlive, () => session.close())
        )
        // What is to be taken of an answer over TLS stands on this one, not on the connection below it.
        const secure = new Set<Socket>()
        server.on("secureConnection", (socket: Socket) => {
          secure.add(socket)
          socket.on("close", () => secure.delete(socket))
        })
        const { currentTimeMillisUnsafe } = steady(yield* Clock.Clock)
        yield* Effect.sync(() => {
          const now = currentTimeMillisUnsafe()
          for (const socket of [...sockets.keys(), ...secure]) if (isTooSlow(socket, now)) socket.destroy()
        }).pipe(Effect.repeat(Schedule.spaced(lookEvery)), Effect.forkScoped)
        if (options.detach && options.tls === undefined) allowDetaching(server)
        server.on("upgrade", (incoming, _socket, head) => rememberHead(incoming, head))
        server.on("clientError", refusing(sizes.headers))
        const made = yield* NodeHttpServer.make(() => server, {
          host: options.host,
          port: options.port,
          reusePort: options.shared,
          backlog,
          gracefulShutdownTimeout: grace
        })
        // Released before the server itself, which waits for every connection.
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            for (const socket of sockets.keys()) socket.destroy()
          })
        )
        return made
      })
    )
  )

const refusalsOf = (maxHeaderSize: number): { readonly [code: string]: Problem } => ({
  HPE_HEADER_OVERFLOW: new Problem({
    code: "headers_too_large",
    detail: `the headers are longer than ${maxHeaderSize} bytes`
  }),
  ERR_HTTP_REQUEST_TIMEOUT: new Problem({
    code: "request_timeout",
    detail: `the head of a request has to come within ${limits.headersTimeout} ms, all of it within ${limits.requestTimeout} ms`
  })
})
const noHttp = new Problem({ code: "bad_request", detail: "this is no HTTP/1.1 request" })

const refusing = (maxHeaderSize: number) => {
  const refusals = refusalsOf(maxHeaderSize)
  return (error: NodeJS.ErrnoException, socket: Socket & { readonly secureConnecting?: boolean }): void => {
    // An answer would wait for the end of a TLS handshake that failed, and so for ever.
    const isUnheard = !socket.writable || socket.secureConnecting === true
    if (error.code === "ECONNRESET" || isUnheard) return void socket.destroy()
    // In the middle of a stream an answer would be read as a part of it.
    if (isOwned(socket)) return void socket.destroy()
    refuseConnection(socket, refusals[error.code ?? ""] ?? noHttp)
  }
}
