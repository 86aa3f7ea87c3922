/** "Refresh now": has the backend polled at once, for everybody; the daemon says how often that may be. */
import { byId, write } from "./element.js"

export class Refresh {
  #button = byId("refresh")
  #said = byId("refreshed")
  #timer

  start() {
    this.#button.addEventListener("click", () => this.#ask())
  }

  async #ask() {
    this.#button.disabled = true
    write(this.#said, "Asking the backend …")
    try {
      const answer = await fetch("v1/refresh/rates", { method: "POST" })
      const body = await answer.json()
      const wait = body.retryAfterMs ?? 1000 * Number(answer.headers.get("retry-after") ?? 0)
      if (!answer.ok) this.#say(body.detail ?? `It answered ${answer.status}.`, wait)
      else this.#say(body.refreshed ? `Refreshed: revision ${body.revision}.` : "Fresh enough.", wait)
    } catch {
      this.#say("The daemon cannot be reached.", 0)
    }
    this.#button.disabled = false
  }

  #say(text, wait) {
    clearInterval(this.#timer)
    const until = Date.now() + wait
    const paint = () => {
      const left = Math.ceil((until - Date.now()) / 1000)
      write(this.#said, left > 0 ? `${text} Next allowed in ${left} s.` : text)
      if (left <= 0) clearInterval(this.#timer)
    }
    this.#timer = setInterval(paint, 250)
    paint()
  }
}
