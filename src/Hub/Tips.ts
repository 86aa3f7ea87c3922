/**
 * The chain of commits: each tip is a hash over the tip before it and the commit's bytes as stored (never over a
 * re-encoding: parsed and written again, `{"10":…,"9":…}` is another text). A cursor carries a proof made of the tip
 * at its revision, so continuity is proven, not assumed: a server that lost its last commits and went on has other tips.
 */
import { createHash, type Hash } from "node:crypto"

/** 48 bits of a sha1, as a number that a double holds exactly. */
const first48 = (hash: Hash): number => hash.digest().readUIntBE(0, 6)

const hash48 = (...parts: ReadonlyArray<string>): number => {
  const hash = createHash("sha1")
  for (const part of parts) hash.update(part)
  return first48(hash)
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

export class Tips {
  private readonly ring: Float64Array
  private revision = 0

  constructor(epoch: string, size: number) {
    this.ring = new Float64Array(size)
    this.ring[0] = hash48(epoch)
  }

  /** The next tip, of a commit that is at hand in pieces. */
  next(): { readonly add: (piece: string) => void; readonly tip: () => number } {
    const hash = createHash("sha1").update(`${hex(this.at(this.revision)!, 12)}\n`)
    return { add: (piece) => hash.update(piece), tip: () => first48(hash) }
  }

  /** Chains the next commit on; its revision is one more than the last. */
  extend(tip: number): void {
    this.revision++
    this.ring[this.revision % this.ring.length] = tip
  }

  get first(): number {
    return Math.max(0, this.revision - this.ring.length + 1)
  }

  /** 12 hex digits each. */
  text(first: number, last: number): string {
    let text = ""
    for (let revision = first; revision <= last; revision++) text += hex(this.at(revision)!, 12)
    return text
  }

  /** What `text` gave; the last one is the newest. A ring that is smaller now keeps the newest. */
  restore(first: number, text: string): void {
    for (let at = 0; at < text.length; at += 12) {
      this.revision = first + at / 12
      this.ring[this.revision % this.ring.length] = Number.parseInt(text.slice(at, at + 12), 16)
    }
  }

  /** `undefined` for a revision that is forgotten or yet to come. */
  at(revision: number): number | undefined {
    return revision > this.revision || revision <= this.revision - this.ring.length || revision < 0
      ? undefined
      : this.ring[revision % this.ring.length]
  }
}

/** What a query adds to its proofs, 32 bits. */
export const saltOf = (query: string): number => hash48(query) % 2 ** 32

/** The last step of MurmurHash3: every bit of the sum depends on every bit, and no two numbers become the same. */
const mix = (bits: number): number => {
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

/**
 * Twelve hex digits: four of the tip alone and eight of the rest of it salted with the query. All twelve must fit; the
 * split only serves to tell another history (`diverged`) from another query. Under one query two tips never have the same
 * proof. The tip is a sha1 already, so it is only mixed: a reader whose query is its own has its own proof of each commit,
 * and two more hashes for each were a sixth of what it cost.
 */
export const proofOf = (tip: number, salt: number): string =>
  hex(Math.floor(tip / 2 ** 32), 4) + hex(mix(mix(tip % 2 ** 32) ^ salt) >>> 0, 8)

export const sameHistory = (a: string, b: string): boolean => a.slice(0, 4) === b.slice(0, 4)
