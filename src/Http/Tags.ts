/** Entity tags of request headers (RFC 9110, 8.8.3), without their quotes. */
import { Problem } from "./Problem.ts"

/** The opaque parts of a list of them (RFC 9110, 13.1.2), compared weakly. */
export const weakTagsOf = (header: string | undefined): ReadonlyArray<string> =>
  [...(header ?? "").matchAll(/(?:W\/)?"([^"]*)"/g)].map(([, tag]) => tag!)

/** Those of a list of strong ones; `undefined`: it is none. */
export const strongTagsIn = (list: string): ReadonlyArray<string> | undefined => {
  const tags = [...list.matchAll(/"([^"]*)"/g)].map(([, tag]) => tag!)
  return tags.length > 0 && /^[\s,]*$/.test(list.replaceAll(/"[^"]*"/g, "")) ? tags : undefined
}

export const strongTag = 'the ETag of the row as it was answered: in quotes, such as "x1Y2z3", without W/'

/** Of `If-Match`, which is compared strongly. Throws a Problem. */
export const strongTagsOf = (header: string): ReadonlyArray<string> => {
  const tags = strongTagsIn(header)
  if (tags === undefined)
    throw new Problem({
      code: "bad_request",
      detail: `If-Match is ${JSON.stringify(header.slice(0, 80))}; expected ${strongTag}; or * for any row`
    })
  return tags
}
