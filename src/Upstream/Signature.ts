/** Whether a config that is loaded a second time is still the same one: by its text, and by what it makes of its imports. */
import { createHash } from "node:crypto"

import type { Catalog } from "../Catalog.ts"

/** What the rows of a body depend on, as far as text can tell. */
export const signatureOf = ({ declared, file, sources }: Catalog["Service"]): string => {
  const parts = [
    [...declared.values()].map(({ collection }) => [collection.name, collection.key, collection.fields]),
    [...sources.values()].map(({ collections, name, options: { rows, url } }) => [
      name,
      collections,
      rows,
      url
    ])
  ]
  return createHash("sha1")
    .update(JSON.stringify([file?.hash, parts]))
    .digest("hex")
}
