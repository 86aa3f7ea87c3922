/** Environment variables that are nearly settings: whoever set one meant something, and would never hear that it has no effect. */
import { nearest } from "../Nearest.ts"

export interface Misspelt {
  readonly name: string
  readonly meant: string
}

/** Shorter settings are near to what has nothing to do with us: PAGE to PAGER. */
const shortest = 6
/** From here on two slips are allowed, otherwise one. */
const long = 10

/** Near to one of ours, and somebody else's: OpenSSL's, Node's, Laravel's. */
const others: ReadonlySet<string> = new Set(["SSL_CERT_FILE", "SSL_KEY_FILE", "APP_KEY"])

/** Of the variables that are set; where the one that may be meant is set too, the other is somebody else's. */
export const misspelt = (
  variables: Iterable<string>,
  settings: ReadonlySet<string>
): ReadonlyArray<Misspelt> => {
  const given = new Set(variables)
  const missing = [...settings].filter((name) => name.length >= shortest && !given.has(name))
  return [...given].flatMap((name) => {
    if (settings.has(name) || others.has(name)) return []
    const meant =
      nearest(name, missing, 1) ??
      nearest(
        name,
        missing.filter(({ length }) => length >= long),
        2
      )
    return meant === undefined ? [] : [{ name, meant }]
  })
}
