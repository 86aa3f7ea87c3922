/** An upgrade: its socket leaves node:http by itself, and here Effect, with all that its request holds. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { HttpServerRequest } from "effect/http"

import { release } from "./Release.ts"

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
