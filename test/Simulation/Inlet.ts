/** A client's end of one connection: what is left of a frame that came, and what it takes of that at a time. */
import type { Frame } from "../../src/Hub.ts"
import { chunk } from "../../src/Hub/Framing.ts"
import { Gzip } from "../../src/Http/Gzip.ts"
import type { Dice } from "../Hub/World.ts"
import { type Encoding, type Take, type Wire, wireOf } from "./Wire.ts"

/** What is written before any frame. */
const greeting = "retry: 2000\n\n"

export class Inlet {
  private readonly encoding: Encoding
  private readonly dice: Dice
  private readonly wire: Wire
  private readonly gzip: Gzip | undefined
  private rest: Buffer = Buffer.alloc(0)

  constructor(encoding: Encoding, dice: Dice, onMessage: Take) {
    this.encoding = encoding
    this.dice = dice
    this.wire = wireOf(encoding, onMessage)
    this.gzip = encoding.startsWith("gzip") ? new Gzip() : undefined
    if (encoding === "text" || encoding === "socket") return
    const bytes = this.gzip?.begin(greeting) ?? Buffer.from(greeting)
    this.wire.feed(encoding.endsWith("hunks") ? Buffer.concat(chunk(bytes)) : bytes)
    this.wire.frameEnds()
  }

  /** Bytes of a frame that are not taken. */
  get left(): number {
    return this.rest.length
  }

  offer(frame: Frame): void {
    const encoded = frame.in(this.encoding)
    this.gzip?.add(encoded)
    this.rest = Buffer.concat(encoded.buffers)
  }

  /** Byte by byte, or in two pieces. */
  take(count: number, byteByByte = false): void {
    const bytes = this.rest.subarray(0, count)
    this.rest = this.rest.subarray(bytes.length)
    // An inflater that is asked for each byte begins at the beginning for each.
    if (byteByByte && this.gzip === undefined) for (const byte of bytes) this.wire.feed(Buffer.of(byte))
    else if (this.encoding === "text") this.wire.feed(bytes)
    else {
      const cut = this.dice.int(bytes.length)
      this.wire.feed(bytes.subarray(0, cut))
      this.wire.feed(bytes.subarray(cut))
    }
    if (this.rest.length === 0) this.wire.frameEnds()
  }
}
