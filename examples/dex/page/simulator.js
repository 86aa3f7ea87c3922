/** Breaks and mends the backend, where it is the simulator and it can be reached from here. */
import { byId, show } from "./element.js"

const faults = {
  none: { kind: "none" },
  slow: { kind: "slow", ms: 4000 },
  status: { kind: "status", status: 503 }
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
  #choice = byId("backend")

  async start() {
    if (this.#url === undefined || !(await this.#look())) return
    this.#choice.addEventListener("change", ({ target }) => this.#set(faults[target.value]))
    setInterval(() => document.hidden || this.#look(), every)
  }

  async #look() {
    try {
      const { fault } = await (await fetch(`${this.#url}/sim/state`)).json()
      // Somebody may have chosen a fault for which there is no button.
      for (const input of this.#choice.querySelectorAll("input")) input.checked = input.value === fault.kind
      show(this.#choice, true)
      return true
    } catch {
      show(this.#choice, false)
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
}
