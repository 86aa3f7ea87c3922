/** One body as its bytes, unpacked; parsed as a whole only where somebody has to see it whole. */
import { JsonBody } from "./Json.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true })

export class Body {
  readonly bytes: Buffer
  private parsed: JsonBody | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Throws where it is not JSON in UTF-8. */
  get json(): JsonBody {
    return (this.parsed ??= new JsonBody(utf8.decode(this.bytes)))
  }
}
