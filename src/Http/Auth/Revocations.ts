/** Tokens that do not count any more though they have not expired: by subject, or by their own id. */
import type { Caller } from "./Caller.ts"

export type Revoked = { readonly sub: string } | { readonly jti: string }

export interface Revocation {
  readonly revoked: Revoked
  /** When, ms since 1970: tokens made later count. */
  readonly at: number
}

/** More, and what is revoked would have to be forgotten to remember another. */
const most = 100_000
/** The least a revocation is remembered for, ms. */
const least = 24 * 60 * 60 * 1_000
/** Of the clock of whoever makes tokens, ms: one that is ahead of ours must not make a revoked token look new. */
const clockTolerance = 30_000

interface Entry {
  /** ms since 1970 */
  readonly at: number
  readonly until: number
}

export class Revocations {
  private readonly entries = new Map<string, Entry>()
  /** The latest expiry of any token that has been seen here, ms since 1970. */
  private latest = 0

  /** Of a token that counts, so that its revocation is remembered as long as it would. */
  saw({ expiresAt = 0 }: Caller): void {
    this.latest = Math.max(this.latest, expiresAt)
  }

  /** `false`: there are too many. */
  add({ at, revoked }: Revocation, now: number): boolean {
    for (const [id, { until }] of this.entries) {
      if (until > now) break
      this.entries.delete(id)
    }
    const id = idOf(revoked)
    this.entries.delete(id)
    if (this.entries.size >= most) return false
    this.entries.set(id, { at, until: Math.max(this.latest, now + least) })
    return true
  }

  /** A token of a subject that was made after the revocation counts: they have come back. */
  has({ issuedAt = 0, subject, tokenId }: Caller): boolean {
    if (tokenId !== undefined && this.entries.has(idOf({ jti: tokenId }))) return true
    const entry = subject === undefined ? undefined : this.entries.get(idOf({ sub: subject }))
    return entry !== undefined && issuedAt <= entry.at + clockTolerance
  }
}

export const idOf = (revoked: Revoked): string =>
  "sub" in revoked ? `sub ${revoked.sub}` : `jti ${revoked.jti}`
