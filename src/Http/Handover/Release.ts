/** What Effect is told of a connection that has been handed over. */
import type { ServerResponse } from "node:http"
import type { Http2ServerResponse } from "node:http2"

import { HttpServerResponse } from "effect/http"

/** What a handler answers. */
export const handedOver = HttpServerResponse.empty()

/** Effect's Node adapter (4.1.0) writes nothing to a response that says it has ended; Node looks at a field of its own. */
export const release = (response: ServerResponse | Http2ServerResponse): void => {
  Object.defineProperty(response, "writableEnded", { value: true, configurable: true })
}
