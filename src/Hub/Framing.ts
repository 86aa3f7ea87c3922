/** How a road wraps bytes: the chunks of HTTP/1.1, and the frames of a WebSocket. */

/**
 * `events`: Server-Sent Events as they are, for HTTP/1.0 and HTTP/2. `chunks`: the same in HTTP/1.1 chunks. `socket`:
 * WebSocket text frames from a server. `text`: the message alone. All but `socket` also gzipped, and that with
 * permessage-deflate.
 */
export type Framing =
  | "events"
  | "chunks"
  | "socket"
  | "text"
  | "gzipEvents"
  | "gzipChunks"
  | "gzipText"
  | "deflateSocket"

export const isCompressed = (framing: Framing): boolean =>
  framing === "deflateSocket" || framing.startsWith("gzip")

/** Shorter buffers are cheaper to copy into one than to write in three; longer ones are written in pieces of this size. */
const shortBuffer = 64 * 1024
const crlf = Buffer.from("\r\n")

/** A reader is seen to take something with each of them. */
export const slices = (data: Buffer): ReadonlyArray<Buffer> => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < data.length; at += shortBuffer) pieces.push(data.subarray(at, at + shortBuffer))
  return pieces
}

/** One HTTP/1.1 chunk (RFC 9112, 7.1). */
export const chunk = (data: Buffer): ReadonlyArray<Buffer> => {
  const head = Buffer.from(`${data.length.toString(16)}\r\n`)
  return data.length <= shortBuffer ? [Buffer.concat([head, data, crlf])] : [head, ...slices(data), crlf]
}

/** Longer texts are not given to `chunkOf` and `socketTextOf`: whatever is in them, they are one short buffer. */
export const shortText = 16 * 1024

/** A short text as one chunk, written once. */
export const chunkOf = (text: string): Buffer =>
  Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)

/** RFC 6455, 5.2 */
const opcodes = { continuation: 0x0, text: 0x1, close: 0x8, ping: 0x9, pong: 0xa }
/** Set on the first fragment of a compressed message (RFC 7692, 6). */
const rsv1 = 0x40

interface Fragments {
  readonly isFirst: boolean
  readonly isLast: boolean
  readonly isDeflated?: boolean
}

/**
 * A part of a text message of a server, not masked (RFC 6455, 5.4). A long one goes in fragments, so that a ping or a
 * close can be sent between two of them.
 */
export const socketFragments = (
  data: Buffer,
  { isDeflated = false, isFirst, isLast }: Fragments
): ReadonlyArray<Buffer> => {
  const pieces = slices(data)
  return pieces.map((piece, i) => {
    const begins = isFirst && i === 0
    return socketFrame(
      (begins ? opcodes.text : opcodes.continuation) | (begins && isDeflated ? rsv1 : 0),
      isLast && i === pieces.length - 1,
      piece
    )
  })
}

/** A short text as one frame, written once. */
export const socketTextOf = (text: string): Buffer => {
  const length = Buffer.byteLength(text)
  const size = headSize(length)
  const frame = Buffer.allocUnsafe(size + length)
  writeHead(frame, opcodes.text, true, length)
  frame.write(text, size)
  return frame
}

/** A text of one connection alone. */
export const socketText = (message: string): Buffer =>
  Buffer.concat(socketFragments(Buffer.from(message), { isFirst: true, isLast: true }))

/** The answer to a protocol ping. */
export const socketPong = (payload: Buffer): Buffer => socketFrame(opcodes.pong, true, payload)

/** With the code and the reason that a close carries, or with none (RFC 6455, 5.5.1). */
export const socketClose = (code: number | undefined, reason: string | Buffer): Buffer => {
  if (code === undefined) return socketFrame(opcodes.close, true, Buffer.alloc(0))
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason as string)])
  payload.writeUInt16BE(code)
  return socketFrame(opcodes.close, true, payload)
}

/** One buffer, so that a control frame written after any of them stands between two frames. */
const socketFrame = (opcode: number, final: boolean, payload: Buffer): Buffer =>
  Buffer.concat([socketHead(opcode, final, payload.length), payload])

const socketHead = (opcode: number, final: boolean, length: number): Buffer => {
  const head = Buffer.alloc(headSize(length))
  writeHead(head, opcode, final, length)
  return head
}

const headSize = (length: number): number => (length < 126 ? 2 : length < 65_536 ? 4 : 10)

const writeHead = (frame: Buffer, opcode: number, final: boolean, length: number): void => {
  const size = headSize(length)
  frame[0] = (final ? 0x80 : 0) | opcode
  if (size === 2) frame[1] = length
  else if (size === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
}

/** One for everybody. At the end of the file, since it is made of what stands above. */
export const socketPing: Buffer = socketFrame(opcodes.ping, true, Buffer.alloc(0))
