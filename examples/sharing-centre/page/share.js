/** Shares this order, where the jobs backend can be reached from here. */
import { backendUrl, unreachable } from "./backend.js"
import { byId, make, show, write } from "./shared/element.js"

const standard = { orders: ["1001", "1002", "1003"], kinds: [] }

/** What can be shared, and as what; the orders alone where nobody says, and why. */
export const offered = async () => {
  if (backendUrl === undefined) return { ...standard, problem: unreachable("jobs backend") }
  try {
    const answer = await fetch(`${backendUrl}/orders`)
    return answer.ok
      ? await answer.json()
      : { ...standard, problem: unreachable("jobs backend", answer.status) }
  } catch {
    return { ...standard, problem: unreachable("jobs backend") }
  }
}

export const showShare = (order, kinds) => {
  for (const what of kinds) {
    const button = make("button", { type: "button", "data-what": what }, what)
    button.addEventListener("click", async () => {
      try {
        // No content type of its own: the request stays simple, and no preflight precedes it.
        const body = JSON.stringify({ what })
        await fetch(`${backendUrl}/orders/${encodeURIComponent(order)}/jobs`, { method: "POST", body })
        write(byId("problem"), "")
      } catch {
        write(byId("problem"), unreachable("jobs backend"))
      }
    })
    byId("share").append(button)
  }
  show(byId("share"), kinds.length > 0)
}
