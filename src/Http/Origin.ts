/** Which pages may reach us from a browser: our own, and those the settings name. Exact: scheme, host and port. */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

import { Problem } from "./Problem.ts"

type Asked = Pick<HttpServerRequest.HttpServerRequest, "headers">

/** `*` stands for every origin. A request without one comes from no page. */
export const isAllowedOrigin = (request: Asked, origins: ReadonlySet<string>): boolean =>
  origins.has("*") || isNamedOrigin(request, origins, false)

/**
 * The same where a browser says who asks though the page did not ask it to: there `*` is not meant for it. `required`: no
 * origin is none, since a browser sends one with whatever changes something and with every WebSocket.
 */
export const isNamedOrigin = (
  { headers: { host, origin } }: Asked,
  origins: ReadonlySet<string>,
  required: boolean
): boolean => {
  if (origin === undefined) return !required
  if (origin !== "*" && origins.has(origin)) return true
  // Behind a proxy that ends TLS we do not know our own scheme, so only host and port are compared.
  const from = URL.parse(origin)
  return from?.origin === origin && /^https?:$/.test(from.protocol) && from.host === host?.toLowerCase()
}

/** By settings: origins that have been named in the log. */
const named = new WeakMap<ReadonlySet<string>, Set<string>>()
const maxNamed = 100
/** Characters of an origin. */
const mostSaid = 200

/** Names the origin in the log, once: whoever made the page sees no answer that would say it. */
export const nameInLog = (
  { headers: { origin } }: Asked,
  origins: ReadonlySet<string>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    let known = named.get(origins)
    if (known === undefined) named.set(origins, (known = new Set()))
    const shown = (origin ?? "").slice(0, mostSaid)
    if (origin === undefined || known.size >= maxNamed || known.has(shown)) return Effect.void
    known.add(shown)
    const page = origin === "null" ? "page without an origin, such as a file," : `page of ${shown}`
    const hint =
      origin === "null"
        ? "ORIGINS names pages that are served over HTTP"
        : `add ${shown} to ORIGINS if it may have it${origins.has("*") ? " (* is not meant for cookies)" : ""}`
    return Effect.logWarning(`a ${page} asks and its browser hides the answer from it; ${hint}`)
  })

/** `what`: may not be done. */
export const notLetIn = (
  request: Asked,
  origins: ReadonlySet<string>,
  what: string
): Effect.Effect<never, Problem> => {
  const { origin } = request.headers
  const page =
    origin === undefined ? "without the header Origin one" : `pages of ${origin.slice(0, mostSaid)}`
  const detail = `${page} may not ${what} here; ORIGINS says which may`
  return Effect.andThen(nameInLog(request, origins), new Problem({ code: "forbidden", detail }))
}
