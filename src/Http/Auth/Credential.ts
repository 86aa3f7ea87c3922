/** By what a request says who asks: the first that is there decides, and nothing else is looked at. */
import type { HttpServerRequest } from "effect/http"

import { Problem } from "../Problem.ts"

export type Credential =
  | { readonly by: "nothing" }
  | { readonly by: "bearer" | "subprotocol" | "ticket" | "cookie"; readonly text: string }

const subprotocol = "ratecast.token."
const cookie = "ratecast_token"
/** What people try; a URL is kept by browsers, proxies and logs. */
const neverInUrl = ["token", "access_token", "jwt"]

/** Throws a Problem. `ticket`: in the query, where one may stand there. */
export const credentialOf = (
  { headers }: Pick<HttpServerRequest.HttpServerRequest, "headers">,
  search: URLSearchParams
): Credential => {
  const odd = neverInUrl.find((name) => search.has(name))
  if (odd !== undefined)
    throw new Problem({
      code: "invalid_query",
      detail: `"${odd}" in a URL would be kept in histories and logs: send the token as Authorization: Bearer, or POST /v1/tickets and open the stream or socket with ?ticket=`
    })
  const { authorization } = headers
  // Another scheme is for somebody on the way here.
  if (authorization !== undefined && /^bearer(?:\s|$)/i.test(authorization))
    return { by: "bearer", text: authorization.slice("bearer".length).trim() }
  const offered = headers["sec-websocket-protocol"]
    ?.split(",")
    .map((each) => each.trim())
    .find((each) => each.startsWith(subprotocol))
  if (offered !== undefined) return { by: "subprotocol", text: offered.slice(subprotocol.length) }
  const tickets = search.getAll("ticket")
  if (tickets.length > 1) throw new Problem({ code: "invalid_query", detail: '"ticket" is given twice' })
  if (tickets.length === 1) return { by: "ticket", text: tickets[0]! }
  const cookies = (headers["cookie"] ?? "")
    .split(";")
    .map((each) => each.trim())
    .filter((each) => each.startsWith(`${cookie}=`))
    .map((each) => each.slice(cookie.length + 1).replace(/^"(.*)"$/, "$1"))
  // A page of a neighbouring subdomain can plant one beside ours, and which of them comes first is its choice.
  if (new Set(cookies).size > 1)
    throw new Problem({ code: "unauthenticated", detail: `the cookie ${cookie} is there twice` })
  return cookies.length === 0 ? { by: "nothing" } : { by: "cookie", text: cookies[0]! }
}
