/** The backend of an example: where it is, and what to say where it cannot be reached. */

/**
 * From `?backend=`; else as whoever serves this page says, but only on that computer: a page from elsewhere must not knock.
 * `undefined` where nobody says.
 */
const urlOf = async ({ hostname, search }) => {
  const given = new URLSearchParams(search).get("backend")
  if (given !== null) return /^https?:\/\//.test(given) ? given.replace(/\/+$/, "") : undefined
  if (!["127.0.0.1", "localhost", "[::1]"].includes(hostname)) return undefined
  try {
    return (await (await fetch("backend.json")).json()).url
  } catch {
    return undefined
  }
}

export const backendUrl = await urlOf(location)

/** `what` is its name; `status`, where something has answered. */
export const unreachable = (what, status) => {
  if (backendUrl === undefined)
    return `Where the ${what} is, this page does not know: open it on the computer that serves it, or add ?backend=http://… to its address.`
  return typeof status === "number"
    ? `What answers at ${backendUrl} is not the ${what}: it says ${status}.`
    : `The ${what} cannot be reached at ${backendUrl}.`
}
