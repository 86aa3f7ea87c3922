/**
 * Slow readers: an answer whose client does not take it holds a connection and what is still to be sent. Streams and
 * sockets have a rule of their own (`stalled`); this is for everything else, and it is a rate: a large answer over a
 * slow line is as good as any.
 */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** What is not taken at all, or slower than `leastRate`, is put up with for so long, ms. */
const grace = 60_000
/** On average, bytes a ms: 8 kbit/s. */
const leastRate = 1
/** Each is looked at so often, ms. */
export const lookEvery = 5_000

interface Taking {
  /** When it was first seen to have something to take, ms of a clock that only goes forward. */
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
  if (known === undefined) {
    if (waiting > 0) taking.set(response, { since: now, from: taken })
    return false
  }
  if (waiting === 0) {
    taking.delete(response)
    return false
  }
  return now - known.since > grace + (taken - known.from) / leastRate
}
