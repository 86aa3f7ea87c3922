/** Text as bytes and as a deflate block, made once for every message that it is part of. */
import { constants, crc32, deflateRaw, deflateRawSync } from "node:zlib"

import { Deferred, Effect } from "effect"

import { socketFragments } from "./Framing.ts"

const blocks = { finishFlush: constants.Z_FULL_FLUSH }

/** A long text that is part of one message or of many: the rows of a snapshot. */
export class Body {
  readonly utf8: Buffer
  deflated: Buffer | undefined
  private deflating: Deferred.Deferred<void> | undefined
  private ownCrc: number | undefined
  private ownFragments: ReadonlyArray<Buffer> | undefined
  private ownDeflatedFragments: ReadonlyArray<Buffer> | undefined

  constructor(utf8: Buffer) {
    this.utf8 = utf8
  }

  /** Compresses it once, in the thread pool, however many ask. */
  readonly deflate: Effect.Effect<void> = Effect.suspend(() => {
    if (this.deflated !== undefined) return Effect.void
    if (this.deflating === undefined) {
      const deflating = Deferred.makeUnsafe<void>()
      this.deflating = deflating
      deflateRaw(this.utf8, blocks, (error, deflated) => {
        if (error === null) this.deflated = deflated
        this.deflating = undefined
        Deferred.doneUnsafe(deflating, error === null ? Effect.void : Effect.die(error))
      })
    }
    return Deferred.await(this.deflating)
  })

  get crc(): number {
    return (this.ownCrc ??= crc32(this.utf8))
  }

  /** As fragments in the middle of a WebSocket message. */
  get fragments(): ReadonlyArray<Buffer> {
    return (this.ownFragments ??= socketFragments(this.utf8, { isFirst: false, isLast: false }))
  }

  /** The same of a compressed message. */
  get deflatedFragments(): ReadonlyArray<Buffer> {
    return (this.ownDeflatedFragments ??= socketFragments(blockOf(this), { isFirst: false, isLast: false }))
  }
}

export const bytesOf = (segment: Buffer | Body): Buffer => (segment instanceof Body ? segment.utf8 : segment)

/** Compressed, as a block of its own. */
export const blockOf = (segment: Buffer | Body): Buffer =>
  segment instanceof Body
    ? (segment.deflated ??= deflateRawSync(segment.utf8, blocks))
    : deflateRawSync(segment, blocks)

/** As it is, as a block of its own (RFC 1951, 3.2.4). Of a short text, which is under the 64 KiB that such a block holds. */
export const stored = (segment: Buffer | Body): Buffer => {
  const bytes = bytesOf(segment)
  const block = Buffer.allocUnsafe(5 + bytes.length)
  block[0] = 0
  block.writeUInt16LE(bytes.length, 1)
  block.writeUInt16LE(~bytes.length & 0xffff, 3)
  block.set(bytes, 5)
  return block
}
