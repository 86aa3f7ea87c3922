/** A body as it is sent to everybody who asks for this version of it: hashed once, compressed once and only if asked. */
import { hash } from "node:crypto"
import { promisify } from "node:util"
import { gzip } from "node:zlib"

const compress = promisify(gzip)

export class Body {
  readonly plain: Buffer
  readonly modified = new Date().toUTCString()
  private readonly tag: string
  private compressed: Promise<Buffer> | undefined

  constructor(text: string) {
    this.plain = Buffer.from(text)
    this.tag = hash("sha1", this.plain, "base64url")
  }

  /** Level 1: of digits it makes 3 % more than the default level, in a third of the time. */
  gzip(): Promise<Buffer> {
    return (this.compressed ??= compress(this.plain, { level: 1 }))
  }

  /** A strong tag names bytes, and compressed bytes are others. */
  etag(gzipped: boolean): string {
    return `"${this.tag}${gzipped ? "-gzip" : ""}"`
  }

  /** Whether somebody who sends `If-None-Match` has this already, in whichever encoding. */
  isHeldBy(ifNoneMatch: string | undefined): boolean {
    const held = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""))
    return held.some((tag) => tag === "*" || tag === this.etag(false) || tag === this.etag(true))
  }
}
