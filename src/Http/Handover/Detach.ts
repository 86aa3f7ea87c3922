/**
 * A plain HTTP/1 connection leaves node:http as it does at an upgrade, parser freed and listeners removed, and may come
 * back. Where Node is not as it was when this was written, a warning says so once, and connections stay with node:http;
 * `DETACH=false` asks for that.
 */
import { type IncomingMessage, Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** Longer than the minute most load balancers keep an idle connection, or they would use one we just closed; ms. */
export const keepAlive = 65_000

/** Whose a connection is in between. */
export interface Owner {
  /** What its client said. */
  readonly keep: (bytes: Buffer) => void
  readonly close: () => void
}

const owners = new WeakMap<Duplex, Owner>()

export const own = (socket: Duplex, owner: Owner): void => {
  owners.set(socket, owner)
}
export const disown = (socket: Duplex): void => {
  owners.delete(socket)
}
export const isOwned = (socket: Duplex): boolean => owners.has(socket)

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
export const detach = (socket: NodeSocket, incoming: IncomingMessage, response: ServerResponse): boolean => {
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
      const owner = owners.get(this)
      if (owner === undefined) giveBack(this, bytes)
      else owner.keep(bytes)
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
      owners.get(this)?.close()
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
export const giveBack = (socket: NodeSocket, bytes: Buffer): void => {
  const server = socket.server as Server
  for (const [event, listener] of ours) socket.off(event, listener)
  socket.setTimeout(0)
  server.emit("connection", socket)
  socket.unshift(bytes)
}
