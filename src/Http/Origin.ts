/** Which pages may reach us from a browser: our own, and those the settings name. Exact: scheme, host and port. */
import type { HttpServerRequest } from "effect/http"

/** `*` stands for every origin. A request without one comes from no page. */
export const isAllowedOrigin = (
  request: HttpServerRequest.HttpServerRequest,
  origins: ReadonlySet<string>
): boolean => {
  const { host, origin } = request.headers
  if (origin === undefined || origins.has(origin) || origins.has("*")) return true
  // Behind a proxy that ends TLS we do not know our own scheme, so only host and port are compared.
  const from = URL.parse(origin)
  return from !== null && /^https?:$/.test(from.protocol) && from.host === host?.toLowerCase()
}
