/**
 * The client's end of a WebSocket: its frames, and the closing of the connection (RFC 6455, 7).
 *
 * `ws` does the handshake and reads frames. Its own `WebSocket` is not used: that and what hangs on it take 1.5 KiB of
 * heap for as long as a connection lives. A receiver is there from the first byte of a frame to the last, the listeners
 * are the same functions for every socket, and there is nothing that writes.
 */
import type { Duplex, Writable } from "node:stream"

import * as NodeWS from "@effect/platform-node/NodeWS"

import { type Deadline, socketClose } from "../Hub.ts"
import { extensionName, InflationFailed } from "./Deflate.ts"
import type { Ground } from "./Road.ts"

/** How long a client may take to answer a close, and to end the connection, ms. */
const closeWithin = 2_000
/** Slow messages: from its first byte to its last, ms. */
const wholeWithin = 8_000
/** Of one message. Each is kept by itself: 64 KiB byte by byte would take 20 MB. */
const maxFragments = 256

/** Which rule a client broke: what it sent is too large, or too slow, or no UTF-8 or not WebSocket. */
export type Breach = "too large" | "too slow" | "no frame"

export interface PeerEvents {
  readonly heard: (data: Buffer, isBinary: boolean) => void
  readonly pinged: (data: Buffer) => void
  readonly ponged: () => void
  /** The client broke a rule. Nothing of it is heard any more. */
  readonly broke: (rule: Breach) => void
  /** The client closes, or is gone; may be called more than once. */
  readonly gone: () => void
}

/** Made by the server of `ws`, where it would make a WebSocket of its own. */
export class Peer {
  private readonly options: object
  private socket!: PeerSocket
  private head!: Buffer
  private hub!: Ground["hub"]
  private events!: PeerEvents
  /** Makes what inflates messages; `undefined` where it is not agreed on that they may be compressed. */
  private inflater: (() => object) | undefined
  private receiver: Receiver | undefined
  private isDeaf = false
  private isClosed = false
  private cut: Deadline | undefined
  /** By when the message that has begun has to be whole. */
  private whole: Deadline | undefined

  constructor(_address: null, _protocols: undefined, options: object) {
    this.options = options
  }

  /** Called by `ws` when the handshake is written. */
  setSocket(socket: PeerSocket, head: Buffer): void {
    this.socket = socket
    this.head = head
  }

  /** From now on the client is heard. */
  listen(hub: Ground["hub"], events: PeerEvents, inflater: (() => object) | undefined): void {
    const { head, socket } = this
    this.hub = hub
    this.events = events
    this.inflater = inflater
    this.head = nothing
    socket[peer] = this
    socket.setTimeout?.(0)
    socket.setNoDelay?.()
    if (head.length > 0) socket.unshift(head)
    socket.on("close", onClose)
    socket.on("end", onEnd)
    socket.on("error", onError)
    socket.on("data", onData)
  }

  /** Closes, as the server: what follows on this connection is only the client's close. */
  close(code: number | undefined, reason: string | Buffer): void {
    const { socket } = this
    if (!this.isClosed) {
      this.isClosed = true
      socket.write(socketClose(code, reason))
      this.cut = this.hub.arm(closeWithin, cut, socket)
    }
    if (this.isDeaf) socket.end()
  }

  /** Not even read from any more: that is what somebody is after who sends as fast as they can. */
  ignore(): void {
    this.isDeaf = true
    this.rest()
    this.socket.pause()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** For the listeners below. */
  read(bytes: Buffer): void {
    if (this.isDeaf) return
    const receiver = (this.receiver ??= this.receive())
    const isTaken = receiver.write(bytes)
    // It may have broken a rule, or closed.
    if (this.receiver === undefined) return
    if (!isTaken) this.socket.pause()
    if (isTaken && isAtRest(receiver)) this.rest()
    else this.whole ??= this.hub.arm(wholeWithin, tooSlow, this)
  }

  /** Heard of by the listeners of a receiver. */
  message(data: Buffer, isBinary: boolean): void {
    if (this.isDeaf) return
    this.hurryNoMore()
    this.events.heard(data, isBinary)
  }

  slow(): void {
    this.breach("too slow")
  }

  ping(data: Buffer): void {
    if (!this.isDeaf) this.events.pinged(data)
  }

  pong(): void {
    if (!this.isDeaf) this.events.ponged()
  }

  conclude(code: number, reason: Buffer): void {
    this.isDeaf = true
    this.rest()
    this.socket.resume()
    this.events.gone()
    this.close(code === noCode ? undefined : code, reason)
  }

  fail(error: Error & { readonly code?: string }): void {
    const isTooLarge =
      error instanceof InflationFailed ? error.closeCode === tooLarge : tooLargeCodes.has(error.code ?? "")
    this.breach(isTooLarge ? "too large" : "no frame")
  }

  private breach(rule: Breach): void {
    this.isDeaf = true
    this.rest()
    // It may have been in the way of the end of the stream.
    this.socket.resume()
    this.events.broke(rule)
    if (this.isClosed) this.socket.end()
  }

  resume(): void {
    // One that is ignored stays as it is.
    if (this.receiver !== undefined) this.socket.resume()
  }

  gone(): void {
    this.rest()
    this.hub.disarm(this.cut)
    this.events.gone()
  }

  /** Nothing of a message is there. */
  private rest(): void {
    this.receiver = undefined
    this.hurryNoMore()
  }

  private hurryNoMore(): void {
    this.hub.disarm(this.whole)
    this.whole = undefined
  }

  private receive(): Receiver {
    const { inflater } = this
    const extensions = inflater === undefined ? {} : { [extensionName]: inflater() }
    const receiver = new Receiver({ ...this.options, maxFragments, isServer: true, extensions })
    receiver[peer] = this
    receiver.on("message", onMessage)
    receiver.on("ping", onPing)
    receiver.on("pong", onPong)
    receiver.on("conclude", onConclude)
    receiver.on("error", onFailure)
    receiver.on("drain", onDrain)
    return receiver
  }
}

const nothing = Buffer.alloc(0)
/** What a close without a code is told as (RFC 6455, 7.1.5). */
const noCode = 1005
const tooLarge = 1009
const tooLargeCodes: ReadonlySet<string> = new Set([
  "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
  "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
])

const peer = Symbol("peer")

interface PeerSocket extends Duplex {
  [peer]: Peer
  /** Of TCP and TLS. */
  readonly setTimeout?: (ms: number) => void
  readonly setNoDelay?: () => void
}

/** Exported by `ws`, and not in its types. The fields are its own: where they are called otherwise, it is kept. */
interface Receiver extends Writable {
  [peer]: Peer
  readonly _state?: number
  readonly _bufferedBytes?: number
  readonly _fragmented?: number
}
const { Receiver } = NodeWS as unknown as { readonly Receiver: new (options: object) => Receiver }

/** Whether nothing of a frame, nor of a message in several of them, has been read. */
const isAtRest = (receiver: Receiver): boolean =>
  receiver._state === 0 &&
  receiver._bufferedBytes === 0 &&
  receiver._fragmented === 0 &&
  receiver.writableLength === 0

/** One function for all; which it is says `this`. */
function onData(this: PeerSocket, bytes: Buffer): void {
  this[peer].read(bytes)
}
function onEnd(this: PeerSocket): void {
  this.end()
}
// A connection that is broken is also closed.
function onError(this: PeerSocket): void {
  this.destroy()
}
function onClose(this: PeerSocket): void {
  this[peer].gone()
}
function onMessage(this: Receiver, data: Buffer, isBinary: boolean): void {
  this[peer].message(data, isBinary)
}
function onPing(this: Receiver, data: Buffer): void {
  this[peer].ping(data)
}
function onPong(this: Receiver): void {
  this[peer].pong()
}
function onConclude(this: Receiver, code: number, reason: Buffer): void {
  this[peer].conclude(code, reason)
}
function onFailure(this: Receiver, error: Error): void {
  this[peer].fail(error)
}
function onDrain(this: Receiver): void {
  this[peer].resume()
}

const cut = (_now: number, socket: Duplex): void => void socket.destroy()
const tooSlow = (_now: number, peer: Peer): void => peer.slow()
