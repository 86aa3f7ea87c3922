/** Why a poll failed. The sentences are fixed: they reach every client, so never a URL, header or body in them. */
import { Duration, Schema } from "effect"

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
  /** The method, and the URL without credentials and query; for the log only. */
  asked: Schema.optional(Schema.String),
  /** What to do about it; for the log only. */
  advice: Schema.optional(Schema.String),
  /** For the log only. */
  cause: Schema.optional(Schema.Defect())
}) {
  /** What the log says beside the sentence. */
  get more(): string | undefined {
    const { advice, asked, cause } = this
    const said = [asked, cause === undefined ? undefined : reasonOf(cause)].filter(
      (each) => each !== undefined
    )
    const what = said.length === 0 ? [] : [said.join(": ").replace(/([^.?…])$/, "$1.")]
    return [...what, advice].filter((each) => each !== undefined).join(" ") || undefined
  }
}

/** The same failure, of what was asked, beside `others`; of one that knows it already, itself. */
export const askedOf =
  (method: string, url: string, others = "") =>
  (failure: PollFailed): PollFailed =>
    failure.asked === undefined
      ? new PollFailed({ ...failure, cause: failure.cause, asked: `${method} ${placeOf(url)}${others}` })
      : failure

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
    retryAfterMs,
    advice: status === 404 ? "A backend that has nothing there answers 200 without rows: []." : undefined
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
    // The same, whichever thread it was read in.
    cause: cause instanceof Error ? cause.message : cause
  })

/** `why`: what is there instead. */
export const noPage = (why: string) =>
  new PollFailed({
    code: "upstream_shape",
    detail: "The answer has no rows where they should be.",
    retryable: false,
    advice: why
  })

export const noHeaders = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The headers for the upstream could not be made.",
    retryable: true,
    cause
  })

/** What was asked failed by itself: a function of the config, or what stands between it and us. */
export const failed = (cause: unknown) =>
  new PollFailed({ code: "upstream_unreachable", detail: "The upstream failed.", retryable: true, cause })

/** JSON, and nothing that could be meant. `why`: of the answer. */
export const notMeant = (why: string) =>
  new PollFailed({
    code: "upstream_shape",
    detail: "The answer of the upstream is not as it has to be.",
    retryable: true,
    cause: why
  })

/** A mistake of ours or of the config's own functions: the source is stale, and goes on being polled. */
export const broken = (cause: unknown) =>
  new PollFailed({
    code: "upstream_unreachable",
    detail: "The poll broke; the log of the daemon says more.",
    retryable: false,
    cause
  })

/** Characters of a cause. */
const mostSaid = 500

/** One sentence for the log, where `who` was asked and no upstream. */
export const sentenceOf = (who: string, { cause, detail }: PollFailed): string => {
  const said = detail
    .replace(/^The upstream/, who)
    .replace("the upstream", who)
    .replace(/\.$/, "")
  const why = cause === undefined ? "" : `: ${reasonOf(cause)}`
  return `${said.charAt(0).toLowerCase()}${said.slice(1)}${why}`
}

/** URLs in somebody's text without credentials, query and fragment: all of these to the next space, but for what closes a sentence. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/([a-z][a-z\d+.-]*:\/\/)[^\s/?#]*@/gi, "$1")
    .replaceAll(/([a-z][a-z\d+.-]*:\/\/[^\s?#]*)[?#]\S*?(?=[)\]"'.,;]*(?:\s|$))/gi, "$1?…")

/** Where a URL leads: without credentials, query and fragment. Its path is said. */
const placeOf = (url: string): string => {
  const parsed = URL.parse(url)
  if (parsed === null) return "what is no URL"
  return `${parsed.origin}${parsed.pathname}${parsed.search === "" ? "" : "?…"}`
}

/** Of errors that wrap others, what the innermost says. */
const reasonOf = (cause: unknown): string => {
  let at = cause
  for (let depth = 0; depth < 8 && typeof at === "object" && at !== null; depth++) {
    const inner: unknown = "cause" in at ? at.cause : "reason" in at ? at.reason : undefined
    if (inner === undefined) break
    at = inner
  }
  if (Duration.isDuration(at)) return Duration.format(at)
  // Of a host with several addresses Node tells them all, and says nothing itself.
  const said = at instanceof AggregateError && at.message === "" ? at.errors.map(reasonOf).join(", ") : ""
  const text =
    at instanceof Error ? said || at.message || at.name : typeof at === "string" ? at : JSON.stringify(at)
  // Cut after it is cleaned, or a URL that is cut would keep its password; and before, since cleaning looks at each twice.
  return withoutSecrets((text ?? String(at)).slice(0, 4 * mostSaid)).slice(0, mostSaid)
}
