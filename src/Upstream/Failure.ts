/** Why a poll failed. The sentences are fixed: they reach every client, so never a URL, header or body in them. */
import { type Duration, Schema } from "effect"

export class PollFailed extends Schema.TaggedError<PollFailed>()("PollFailed", {
  code: Schema.Literals([
    "upstream_unreachable",
    "upstream_timeout",
    "upstream_status",
    "upstream_too_large",
    "upstream_not_json",
    "upstream_shape"
  ]),
  detail: Schema.String,
  /** Whether another attempt within the same poll may help. */
  retryable: Schema.Boolean,
  /** What the upstream asked for with `Retry-After`, ms. */
  retryAfterMs: Schema.optional(Schema.Finite),
  /** For the log only. */
  cause: Schema.optional(Schema.Defect())
}) {}

export const unreachable = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The upstream could not be reached.",
    retryable: true,
    cause
  })

export const brokeOff = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The upstream broke off in the middle of its answer.",
    retryable: true,
    cause
  })

export const timedOut = (limit: Duration.Duration) =>
  new PollFailed({
    code: "upstream_timeout",
    detail: "The upstream did not answer in time.",
    retryable: true,
    cause: limit
  })

export const badStatus = (status: number, retryAfterMs: number | undefined) =>
  new PollFailed({
    code: "upstream_status",
    detail: `The upstream answered with status ${status}${status >= 300 && status < 400 ? ", a redirect that is not followed" : ""}.`,
    // Asked to wait, an upstream that is overloaded is not asked again at once.
    retryable: retryAfterMs === undefined && (status >= 500 || status === 408 || status === 429),
    retryAfterMs
  })

export const tooLarge = (maxBytes: number) =>
  new PollFailed({
    code: "upstream_too_large",
    detail: "The answer of the upstream is larger than it may be.",
    retryable: false,
    cause: `maxBytes is ${maxBytes}`
  })

export const tooManyPages = (max: number) =>
  new PollFailed({
    code: "upstream_too_large",
    detail: "The answer of the upstream has more pages than it may have.",
    retryable: false,
    cause: `pages.max is ${max}`
  })

export const notJson = (cause: unknown) =>
  new PollFailed({
    code: "upstream_not_json",
    detail: "The answer of the upstream is not JSON.",
    // Half an answer and an error page of a proxy are often gone at the next attempt.
    retryable: true,
    cause
  })

export const noPage = (path: string) =>
  new PollFailed({
    code: "upstream_shape",
    detail: "The answer has no rows where they should be.",
    retryable: false,
    cause: `no array at ${path}`
  })

export const noHeaders = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The headers for the upstream could not be made.",
    retryable: true,
    cause
  })

/** A mistake of ours or of the config's own functions: the source is stale, and goes on being polled. */
export const broken = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The poll broke; the log of the daemon says more.",
    retryable: false,
    cause
  })
