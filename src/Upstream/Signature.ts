/** Whether a config that is loaded a second time is still the same one. */
import { createHash } from "node:crypto"

import type { Catalog } from "../Catalog.ts"
import type { PolledOptions } from "../Config.ts"

/** What the rows of a body depend on, as far as text can tell. */
export const signatureOf = ({ declared, file }: Catalog["Service"]): string => {
  const parts = [...declared.values()].map(({ collection, made }) => {
    const { keep, maxBad, rows, source } = made.options as Partial<PolledOptions<unknown>>
    return [collection, String(rows), String(keep), maxBad, source?.options.rows, source?.options.url]
  })
  return createHash("sha1")
    .update(JSON.stringify([file?.hash, parts]))
    .digest("hex")
}
