import type { Problem } from "./Wire.ts"

/** What the server did not do, and why: its problem details (RFC 9457). */
export class CastError extends Error {
  /** As of HTTP; none where whoever answered is not Ratecast. */
  declare readonly status?: number
  /** Of the problem; none where whoever answered is not Ratecast. */
  declare readonly code?: string
  /** When it may be tried again, ms. */
  declare readonly retryAfterMs?: number

  /** Of whatever else went wrong its message is kept. */
  constructor(problem: Problem | Error) {
    const { code, detail, message } = problem as Problem & Error
    super(detail || message || code || "no connection")
    Object.assign(this, problem, { name: "CastError" })
  }
}
