/** Shares this order, where the jobs backend can be reached from here. */
import { byId, make, show, write } from "./shared/element.js"

/** From `?backend=`; else where `npm start` puts it, but only on this computer: a page from elsewhere must not knock. */
const urlOf = ({ hostname, search }) => {
  const given = new URLSearchParams(search).get("backend")
  if (given !== null) return /^https?:\/\//.test(given) ? given.replace(/\/+$/, "") : undefined
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname) ? "http://127.0.0.1:8081" : undefined
}

const standard = { orders: ["1001", "1002", "1003"], kinds: [] }

/** What can be shared, and as what. */
export const offered = async () => {
  try {
    return await (await fetch(`${urlOf(location)}/orders`)).json()
  } catch {
    return standard
  }
}

export const showShare = (order, kinds) => {
  for (const what of kinds) {
    const button = make("button", { type: "button", "data-what": what }, what)
    button.addEventListener("click", async () => {
      try {
        // No content type of its own: the request stays simple, and no preflight precedes it.
        const body = JSON.stringify({ what })
        await fetch(`${urlOf(location)}/orders/${encodeURIComponent(order)}/jobs`, { method: "POST", body })
        write(byId("problem"), "")
      } catch {
        write(byId("problem"), "The jobs backend cannot be reached.")
      }
    })
    byId("share").append(button)
  }
  show(byId("share"), kinds.length > 0)
}
