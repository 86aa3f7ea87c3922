/** How large what one client sends may be. */
import { Config } from "effect"

import { whole } from "./Whole.ts"

const size = (name: string, standard: number, most: number) =>
  whole(name, 1, most).pipe(Config.withDefault(standard))

const KiB = 1024
const MiB = 1024 * KiB

export const sizesConfig = Config.all({
  /** No query needs longer ones, and each is kept while it is read. */
  url: size("MAX_URL_BYTES", 8 * KiB, MiB),
  /** Of one request, together. */
  headers: size("MAX_HEADER_BYTES", 16 * KiB, MiB),
  body: size("MAX_BODY_BYTES", MiB, 64 * MiB),
  /** On a WebSocket; its parts together, unpacked. */
  message: size("MAX_MESSAGE_BYTES", 64 * KiB, 64 * MiB),
  /** Of each list of a query: whoever wants more of a collection reads it whole, and narrowing it would cost us more than that. */
  items: size("MAX_QUERY_ITEMS", 1_000, 100_000)
})

export type Sizes = Config.Success<typeof sizesConfig>
