/**
 * Writes to a TCP connection past Node's streams: `write(2)` by the descriptor. `socket.write` makes a request object, asks
 * its stream and its handle for leave and counts, for each reader the same: a quarter of what a short event costs.
 * What the kernel does not take at once goes the usual way, and so does everything where Node has no such descriptor.
 */
import { writeSync } from "node:fs"
import { Socket } from "node:net"
import type { Writable } from "node:stream"

/** What Node has on a connection, and no types of: none from the moment that its descriptor is closed. */
interface NodeSocket {
  readonly _handle?: { readonly fd?: unknown; readonly constructor: { readonly name: string } } | null
}

/** Of TLS, of HTTP/2, on Windows. */
export const noDescriptor = -1

/** Of a connection through whose stream nothing is on its way: that would be overtaken. */
export const descriptorOf = (out: Writable): number => {
  if (!(out instanceof Socket) || out.writableLength > 0) return noDescriptor
  const { _handle: handle } = out as NodeSocket
  return handle?.constructor.name === "TCP" && typeof handle.fd === "number" ? handle.fd : noDescriptor
}

/** How many bytes are taken at once. */
export const writeNow = (out: Writable, descriptor: number, buffer: Buffer): number => {
  // A descriptor that is closed is soon somebody else's.
  if (descriptor === noDescriptor || !(out as NodeSocket)._handle) return 0
  try {
    return writeSync(descriptor, buffer, 0, buffer.length)
  } catch {
    // Full or broken: the stream meets the same, and knows what to do.
    return 0
  }
}
