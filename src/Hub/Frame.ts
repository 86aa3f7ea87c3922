/**
 * One message, encoded once per framing for however many readers stand at the same place: the same `Buffer` goes to every
 * socket. A 200-byte event costs 5 µs of a core per reader this way, and 9 to 17 where each reader encodes its own.
 *
 * Compressed framings are made of deflate blocks that end at a byte (`Z_FULL_FLUSH`) and look at nothing before
 * themselves, so the same block fits into any reader's gzip stream, also a late joiner's, and into a WebSocket message.
 */
import { crc32 } from "node:zlib"

import { Effect } from "effect"

import { blockOf, Body, bytesOf, stored } from "./Body.ts"
import { crcJoin, crcShift } from "./Crc.ts"
import {
  chunk,
  chunkOf,
  type Framing,
  isCompressed,
  shortText,
  slices,
  socketFragments,
  socketTextOf
} from "./Framing.ts"

export interface Encoded {
  readonly buffers: ReadonlyArray<Buffer>
  /** What goes over the wire. */
  readonly bytes: number
  /** Of gzipped framings: CRC-32 of the text inside, its length, and `crcShift` of that length. */
  readonly crc: number
  readonly length: number
  readonly shift: number
}

/** Longer texts are compressed off the loop that serves readers. */
const longText = 128 * 1024
/**
 * Shorter WebSocket messages are sent as they are, which each may be, and shorter frames for one reader alone are stored in
 * its gzip stream: they gain less than their compression costs, 60 µs where nobody shares it.
 */
const worthDeflating = 1024
/** What every block of a full flush ends with, and a WebSocket message leaves out (RFC 7692, 7.2.1). */
const flushTail = 4

export type FrameType = "snapshot" | "change" | "ping" | "goodbye"

export class Frame {
  readonly type: FrameType
  /** Where a client stands after it; a goodbye has none. */
  readonly cursor: string | undefined
  private readonly pieces: ReadonlyArray<string | Body>
  /** The encoding that was asked for first, and the others: most frames are asked for in one framing alone. */
  private framing: Framing | undefined
  private encoded: Encoded | undefined
  private others: Map<Framing, Encoded> | undefined
  private readonly isForOne: boolean
  private isDeflated: boolean

  /** `isForOne`: no other reader is going to have it. */
  constructor(
    type: FrameType,
    cursor: string | undefined,
    pieces: ReadonlyArray<string | Body>,
    isForOne = false
  ) {
    this.type = type
    this.cursor = cursor
    this.isForOne = isForOne
    this.pieces = pieces.some(isLong)
      ? pieces.map((piece) => (isLong(piece) ? new Body(Buffer.from(piece)) : piece))
      : pieces
    this.isDeflated = this.pieces.every(isText)
  }

  /** Whether no framing needs `prepare` first. */
  get isReadyForAll(): boolean {
    return this.isDeflated
  }

  /** Whether a framing needs `prepare` first. */
  isReady(framing: Framing): boolean {
    if (this.isDeflated || !isCompressed(framing) || (framing === "deflateSocket" && this.isShort))
      return true
    // Asked once per reader, so it is found out once.
    return (this.isDeflated ||= this.bodies.every((body) => body.deflated !== undefined))
  }

  get prepare(): Effect.Effect<void> {
    return Effect.forEach(this.bodies, (body) => body.deflate, { discard: true })
  }

  in(framing: Framing): Encoded {
    if (this.framing === framing) return this.encoded!
    if (this.framing === undefined) {
      const encoded = this.encode(framing)
      this.framing = framing
      this.encoded = encoded
      return encoded
    }
    this.others ??= new Map()
    let encoded = this.others.get(framing)
    if (encoded === undefined) this.others.set(framing, (encoded = this.encode(framing)))
    return encoded
  }

  private get isShort(): boolean {
    let length = 0
    for (const piece of this.pieces) length += (typeof piece === "string" ? piece : piece.utf8).length
    return length < worthDeflating
  }

  private get bodies(): ReadonlyArray<Body> {
    return this.pieces.filter((piece) => piece instanceof Body)
  }

  private encode(framing: Framing): Encoded {
    const { pieces } = this
    // One text, which most messages are, and of which readers with queries of their own have one each: without lists.
    const [text] = pieces
    if (pieces.length === 1 && isText(text!) && text.length <= shortText) {
      if (framing === "chunks") return alone(chunkOf(`${this.head()}${text}\n\n`))
      if (framing === "socket") return alone(socketTextOf(text))
    }
    switch (framing) {
      case "text":
        return plain(segments(this.pieces).map(bytesOf))
      case "socket":
        return plain(socketFrames(segments(this.pieces)))
      case "deflateSocket":
        return this.isShort ? this.in("socket") : plain(deflatedSocketFrames(segments(this.pieces)))
      case "events":
        return plain(this.events().flatMap((segment) => slices(bytesOf(segment))))
      case "chunks":
        return plain(this.events().flatMap((segment) => chunk(bytesOf(segment))))
      case "gzipText":
        return gzipped(segments(this.pieces), this.block, (block) => [block])
      case "gzipEvents":
        return gzipped(this.events(), this.block, slices)
      case "gzipChunks":
        return gzipped(this.events(), this.block, chunk)
    }
  }

  private get block(): (segment: Buffer | Body) => Buffer {
    return this.isForOne && this.isShort ? stored : blockOf
  }

  private events(): ReadonlyArray<Buffer | Body> {
    return segments([this.head(), ...this.pieces, "\n\n"])
  }

  /** What stands before the message in an event. Type and cursor are ours and hold no line ends, and JSON has none either. */
  private head(): string {
    return `event: ${this.type}\n${this.cursor === undefined ? "" : `id: ${this.cursor}\n`}data: `
  }
}

const isText = (piece: string | Body): piece is string => typeof piece === "string"
const isLong = (piece: string | Body): piece is string => isText(piece) && piece.length > longText

/** Neighbouring texts become one buffer; shared bodies stay themselves. */
const segments = (pieces: ReadonlyArray<string | Body>): ReadonlyArray<Buffer | Body> => {
  const result: Array<Buffer | Body> = []
  let text = ""
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece
    } else {
      if (text !== "") result.push(Buffer.from(text))
      text = ""
      result.push(piece)
    }
  }
  if (text !== "") result.push(Buffer.from(text))
  return result
}

const lengthOf = (buffers: ReadonlyArray<Buffer>): number =>
  buffers.reduce((sum, { length }) => sum + length, 0)

const alone = (buffer: Buffer): Encoded => ({
  buffers: [buffer],
  bytes: buffer.length,
  crc: 0,
  length: 0,
  shift: 0
})

const plain = (buffers: ReadonlyArray<Buffer>): Encoded => ({
  buffers,
  bytes: lengthOf(buffers),
  crc: 0,
  length: 0,
  shift: 0
})

const socketFrames = (payload: ReadonlyArray<Buffer | Body>): ReadonlyArray<Buffer> =>
  payload.flatMap((segment, i) => {
    const isFirst = i === 0
    const isLast = i === payload.length - 1
    return segment instanceof Body && !isFirst && !isLast
      ? segment.fragments
      : socketFragments(bytesOf(segment), { isFirst, isLast })
  })

const deflatedSocketFrames = (payload: ReadonlyArray<Buffer | Body>): ReadonlyArray<Buffer> =>
  payload.flatMap((segment, i) => {
    const isFirst = i === 0
    const isLast = i === payload.length - 1
    if (segment instanceof Body && !isFirst && !isLast) return segment.deflatedFragments
    const block = blockOf(segment)
    const data = isLast ? block.subarray(0, -flushTail) : block
    return socketFragments(data, { isFirst, isLast, isDeflated: true })
  })

const gzipped = (
  parts: ReadonlyArray<Buffer | Body>,
  block: (part: Buffer | Body) => Buffer,
  wrap: (block: Buffer) => ReadonlyArray<Buffer>
): Encoded => {
  const buffers = parts.flatMap((part) => wrap(block(part)))
  const length = lengthOf(parts.map(bytesOf))
  return {
    buffers,
    bytes: lengthOf(buffers),
    crc: parts.reduce(
      (crc, part) =>
        part instanceof Body ? crcJoin(crc, part.crc, crcShift(part.utf8.length)) : crc32(part, crc),
      0
    ),
    length,
    shift: crcShift(length)
  }
}
