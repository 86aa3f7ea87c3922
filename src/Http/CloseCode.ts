/** How a WebSocket ends: as a status code, and as the code of its goodbye. */
import type { GoodbyeCode } from "../Hub.ts"
import type { Problem } from "./Problem.ts"

/** To come back: 1012, 4408, 4429 after its time, and 4401 once with another token; not: the others. */
export const closeCodes: { readonly [code in GoodbyeCode]: number } = {
  rotation: 1012,
  shutdown: 1012,
  bad_message: 4400,
  expired: 4401,
  revoked: 4401,
  unauthenticated: 4401,
  forbidden: 4403,
  unknown_collection: 4404,
  idle: 4408,
  stalled: 4408,
  too_large: 4413,
  too_many: 4429
}

/** What is said of a problem that ends a connection. */
export const goodbyeOf = ({ code }: Problem): GoodbyeCode => {
  switch (code) {
    case "unknown_collection":
    case "unauthenticated":
    case "forbidden":
    case "too_large":
    case "too_many":
      return code
    // It may be gone when the client comes back.
    case "unavailable":
      return "too_many"
    default:
      return "bad_message"
  }
}
