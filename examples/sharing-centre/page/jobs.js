/** The table of jobs, the newest first. A job stays the same row for as long as it is there. */
import { byId, make, show, write } from "./shared/element.js"
import { brief } from "./shared/format.js"

const words = { queued: "Queued", running: "Running", done: "Done", failed: "Failed" }

export class Jobs {
  #body = byId("jobs").tBodies[0]
  #rows = new Map()

  paint(jobs, now) {
    for (const [key, { element }] of this.#rows) {
      if (jobs.has(key)) continue
      element.remove()
      this.#rows.delete(key)
    }
    let next = this.#body.firstElementChild
    for (const key of [...jobs.keys()].toSorted().toReversed()) {
      const row = this.#rows.get(key) ?? this.#make(key)
      row.paint(jobs.get(key), now)
      if (row.element === next) next = next.nextElementSibling
      else this.#body.insertBefore(row.element, next)
    }
    show(byId("nothing"), jobs.size === 0)
    show(byId("jobs"), jobs.size > 0)
  }

  #make(key) {
    const what = make("th", { scope: "row" })
    const word = make("span", { class: "word" })
    const bar = make("progress", { max: "100", "aria-label": "Progress" })
    const reason = make("span", { class: "quiet" })
    const state = make("div", { class: "job-state" }, word, bar, reason)
    const when = make("td", { class: "when" })
    const element = make("tr", { "data-key": key }, what, make("td", {}, state), when)
    const paint = (job, now) => {
      write(what, job.what)
      // Ages are written every second; nothing else is touched that has not changed.
      if (state.dataset.state !== job.state) state.dataset.state = job.state
      write(word, words[job.state])
      if (bar.value !== job.progress) bar.value = job.progress
      show(bar, job.state === "running")
      write(reason, job.reason ?? "")
      write(when, brief(now - job.at))
    }
    const row = { element, paint }
    this.#rows.set(key, row)
    return row
  }
}
