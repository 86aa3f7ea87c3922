/** Which pages may reach us from a browser: our own, and those the settings name. Exact: scheme, host and port. */
import type { HttpServerRequest } from "effect/http"

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
