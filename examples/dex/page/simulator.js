/** Buttons that break and mend the backend, where it is the simulator and it can be reached from here. */
import { byId, show } from "./element.js"

const faults = {
  mend: { kind: "none" },
  slow: { kind: "slow", ms: 4000 },
  break: { kind: "status", status: 503 }
}
const every = 10_000

/** From `?simulator=`; else where `npm start` puts it, but only on this computer: a page from elsewhere must not knock. */
const urlOf = ({ hostname, search }) => {
  const given = new URLSearchParams(search).get("simulator")
  if (given !== null) return /^https?:\/\//.test(given) ? given.replace(/\/+$/, "") : undefined
  return ["127.0.0.1", "localhost", "[::1]"].includes(hostname) ? "http://127.0.0.1:8081" : undefined
}

export class Simulator {
  #url = urlOf(location)
  #buttons = new Map(Object.keys(faults).map((name) => [name, byId(`backend-${name}`)]))

  async start() {
    if (this.#url === undefined || !(await this.#look())) return
    for (const [name, button] of this.#buttons)
      button.addEventListener("click", () => this.#set(faults[name]))
    setInterval(() => document.hidden || this.#look(), every)
  }

  async #look() {
    try {
      const state = await (await fetch(`${this.#url}/sim/state`)).json()
      this.#mark(state.fault)
      return true
    } catch {
      show(byId("backend"), false)
      return false
    }
  }

  async #set(fault) {
    try {
      // No content type of its own: the request stays simple, and no preflight precedes it.
      await fetch(`${this.#url}/sim/fault`, { method: "POST", body: JSON.stringify(fault) })
    } finally {
      await this.#look()
    }
  }

  #mark({ kind }) {
    show(byId("backend"), true)
    this.#buttons.get("mend").disabled = kind === "none"
    this.#buttons.get("slow").setAttribute("aria-pressed", String(kind === "slow"))
    this.#buttons.get("break").setAttribute("aria-pressed", String(kind !== "none" && kind !== "slow"))
  }
}
