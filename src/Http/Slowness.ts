/**
 * Slow readers: an answer whose client does not take it holds a connection and what is still to be sent. Streams and
 * sockets have a rule of their own (`stalled`); this is for everything else, and it is a rate: a large answer over a
 * slow line is as good as any.
 */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** In every stretch of so long, ms, */
const stretch = 30_000
/** so many bytes have to be taken: 8 kbit/s. What the kernel takes for a client counts once, at the beginning. */
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
}

const taking = new WeakMap<ServerResponse, Taking>()

/** Whether the client of this connection takes its answer too slowly to be waited for. */
export const isTooSlow = (socket: Answering, now: number): boolean => {
  const response = socket._httpMessage
  if (response === undefined || response === null) return false
  const waiting = socket.writableLength
  const taken = socket.bytesWritten - waiting
  const known = taking.get(response)
  if (waiting === 0) taking.delete(response)
  else if (known === undefined) taking.set(response, { since: now, from: taken })
  else if (now - known.since >= stretch) {
    if (taken - known.from < least) return true
    taking.set(response, { since: now, from: taken })
  }
  return false
}
