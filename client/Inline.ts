/** The first rows of a page, in the page: drawn before anything is asked for, and gone on with from their cursor. */
import { host } from "./Host.ts"
import type { Holding } from "./Options.ts"
import { snapshotOf } from "./Snapshot.ts"
import type { SnapshotMessage } from "./Wire.ts"

/** What ends a script element, opens a comment in it, or ended a line of JavaScript before 2019. */
const unsafe = /[<>&\u2028\u2029]/g

/** What a server has put into its page: the script element of `inline`. */
export const inlined = (id = "ratecast"): SnapshotMessage | undefined => {
  const text = host.document?.getElementById(id)?.textContent
  return text ? JSON.parse(text) : undefined
}

/**
 * The script element that `inlined()` reads; of a cast that a server holds open, or of what `/v1/snapshot` answers. Empty
 * where a cast has no rows yet: the page asks by itself. `id`: of several in one page.
 */
export const inline = (source: Holding | SnapshotMessage, id = "ratecast"): string => {
  if (!/^[\w:.-]+$/.test(id)) throw new TypeError(`${JSON.stringify(id)} is no id: letters, digits, - and _`)
  const snapshot = "type" in source ? source : snapshotOf(source)
  if (snapshot === undefined) return ""
  const text = JSON.stringify(snapshot).replace(
    unsafe,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
  return `<script type="application/json" id="${id}">${text}</script>`
}
