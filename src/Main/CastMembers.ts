/** Members that a client's cast has itself: no collection of that name can be read as `cast.name`. */
import type { Catalog } from "../Catalog.ts"

export const castMembers: ReadonlyArray<string> = [
  "close",
  "collection",
  "collections",
  "initial",
  "lane",
  "ready",
  "reconnect",
  "status",
  "subscribe"
]

/** A line for each collection that is called so, or as whatever every object has; members of families are read by `cast.collection` in any case. */
export const hidden = ({ declared }: Catalog["Service"]): ReadonlyArray<string> =>
  [...declared.values()]
    .filter(({ family, name }) => !family && (castMembers.includes(name) || name in Object.prototype))
    .map(
      ({ name }) =>
        `"${name}" cannot be read as cast.${name}, which the client has itself: read it as cast.collection("${name}"), or rename it`
    )
