import type { End } from "./Road.ts"

/** What the server did not do, and why: its problem details (RFC 9457). */
export class CastError extends Error {
  override name = "CastError"
  /** As of HTTP; none where whoever answered is not Ratecast. */
  declare readonly status?: number
  /** Of the problem; none where whoever answered is not Ratecast. */
  declare readonly code?: string
  /** When it may be tried again, ms. */
  declare readonly retryAfterMs?: number

  constructor(problem: End) {
    super(problem.detail || problem.code || "no answer")
    Object.assign(this, problem)
  }
}
