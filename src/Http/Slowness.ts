/**
 * Slow readers: an answer whose client does not take it holds a connection and what is still to be sent. Streams and
 * sockets have a rule of their own (`stalled`); this is for everything else, and it is a rate: a large answer over a
 * slow line is as good as any.
 */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** In every stretch of so long, ms, */
const stretch = 30_000
/**
 * so many bytes have to be taken: 8 kbit/s. Not in a shorter one: a kernel that holds megabytes for a client asks for more
 * when a third of them is gone, and on a line of 300 kbit/s that takes half a minute. What it takes at first counts once.
 */
const least = 30_000
/** Each is looked at so often, ms. */
export const lookEvery = 5_000

interface Taking {
  /** When the stretch began in which there has always been something to take, ms of a clock that only goes forward. */
  readonly since: number
  readonly from: number
}

/** What node:http has on a connection, and no types of. */
interface Answering extends Socket {
  readonly _httpMessage?: ServerResponse | null
  readonly _handle?: Handle | null
  /** Of TLS: the connection below it. */
  readonly _parent?: Answering
}

/** By which Node itself sees that a long write goes on; where there is none, an answer is one piece. */
interface Handle {
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

/** Bytes that the kernel has taken. */
const takenOf = (socket: Answering): number => {
  const below = socket._parent ?? socket
  const { bytesWritten, writeQueueSize } = below._handle ?? {}
  return bytesWritten === undefined || writeQueueSize === undefined
    ? socket.bytesWritten - socket.writableLength
    : bytesWritten - writeQueueSize
}

const taking = new WeakMap<ServerResponse, Taking>()

/** Whether the client of this connection takes its answer too slowly to be waited for. */
export const isTooSlow = (socket: Answering, now: number): boolean => {
  const response = socket._httpMessage
  if (response === undefined || response === null) return false
  const waiting = socket.writableLength
  const taken = takenOf(socket)
  const known = taking.get(response)
  if (waiting === 0) taking.delete(response)
  else if (known === undefined) taking.set(response, { since: now, from: taken })
  else if (now - known.since >= stretch) {
    if (taken - known.from < least) return true
    taking.set(response, { since: now, from: taken })
  }
  return false
}
