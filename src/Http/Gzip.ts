/** One connection's gzip stream, made of blocks that were compressed for everybody (RFC 1952). */
import { crc32 } from "node:zlib"

import { crcJoin, type Encoded } from "../Hub.ts"

/** Magic, deflate, no flags, no time, no hint, unknown system. */
const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
/** An empty last block. */
const lastBlock = Buffer.from([0x03, 0x00])

export class Gzip {
  private crc = 0
  private length = 0

  /** The head, and a text of this connection alone in a stored block (RFC 1951, 3.2.4), which costs no compressor. */
  begin(text: string): Buffer {
    const bytes = Buffer.from(text)
    if (bytes.length === 0) return head
    const block = Buffer.alloc(5)
    block.writeUInt16LE(bytes.length, 1)
    block.writeUInt16LE(~bytes.length & 0xffff, 3)
    this.crc = crc32(bytes)
    this.length = bytes.length
    return Buffer.concat([head, block, bytes])
  }

  add({ crc, length, shift }: Encoded): void {
    this.crc = crcJoin(this.crc, crc, shift)
    this.length = (this.length + length) % 2 ** 32
  }

  /** What strict decoders wait for: the last block, and the CRC and length of everything before it. */
  end(): Buffer {
    const trailer = Buffer.alloc(8)
    trailer.writeUInt32LE(this.crc, 0)
    trailer.writeUInt32LE(this.length, 4)
    return Buffer.concat([lastBlock, trailer])
  }
}

/** Whether a request takes gzip (RFC 9110, 12.5.3). */
export const takesGzip = (acceptEncoding: string | undefined): boolean => {
  if (acceptEncoding === undefined) return false
  let any = false
  for (const item of acceptEncoding.toLowerCase().split(",")) {
    const [coding, ...parameters] = item.split(";").map((part) => part.trim())
    const refused = parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter))
    if (coding === "gzip" || coding === "x-gzip") return !refused
    if (coding === "*") any = !refused
  }
  return any
}
