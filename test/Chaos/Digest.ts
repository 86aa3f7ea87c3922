/** A hash over a set of rows that follows each row that changes: rows × clients × messages would be too many to hash anew. */
import { hash } from "node:crypto"

const modulus = 2 ** 48

export class Digest {
  private readonly hashes = new Map<string, number>()
  private sum = 0

  set(key: string, text: string): void {
    this.delete(key)
    const own = hash("sha1", `${key}\n${text}`, "buffer").readUIntBE(0, 6)
    this.hashes.set(key, own)
    this.sum = (this.sum + own) % modulus
  }

  delete(key: string): void {
    const own = this.hashes.get(key)
    if (own === undefined) return
    this.hashes.delete(key)
    this.sum = (this.sum + modulus - own) % modulus
  }

  get size(): number {
    return this.hashes.size
  }

  get text(): string {
    return `${this.size}:${this.sum.toString(36)}`
  }
}
