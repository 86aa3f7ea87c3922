/** What we received, beside what polling would have cost; the latter from the daemon's metrics or not at all. */
import { byId, show, write } from "./element.js"
import { long, plural, share, size } from "./format.js"
import { RawCost, readMetrics } from "./metrics.js"

const every = 5_000
const minute = 60_000

export class Meter {
  #opened = Date.now()
  #received = 0
  #raw = new RawCost()
  #readers
  #state = "asking"
  #samples = []
  #on

  /** `on.date(ms)`: the server's clock. `on.operators(there)`: whether what is for operators is on this address. */
  constructor(on) {
    this.#on = on
    void this.#follow()
  }

  note({ size }) {
    this.#received += size
  }

  /** While nobody looks nothing is asked; the counters of the daemon go on. */
  async #follow() {
    for (;;) {
      if (!document.hidden) await this.#ask()
      await new Promise((resume) => setTimeout(resume, every))
    }
  }

  async #ask() {
    try {
      const answer = await fetch("metrics", { cache: "no-store" })
      this.#on.date(Date.parse(answer.headers.get("date")))
      this.#on.operators(answer.ok)
      if (answer.ok) {
        const { readers, sources } = readMetrics(await answer.text())
        this.#raw.add(sources)
        this.#readers = readers
        this.#state = "known"
      } else this.#state = this.#state === "known" ? "known" : "none"
    } catch {
      // Not reachable now is not the same as not there: what is known stays.
    }
    this.#sample()
    this.paint()
  }

  #sample() {
    const now = Date.now()
    this.#samples.push({ at: now, received: this.#received, raw: this.#raw.total })
    while (this.#samples.length > 1 && this.#samples[1].at <= now - minute) this.#samples.shift()
  }

  paint() {
    const raw = this.#raw.total
    const known = this.#state === "known" && raw > 0
    const [before = { received: 0, raw: 0 }] =
      this.#samples[0]?.at <= Date.now() - minute + every ? this.#samples : []
    write(byId("meter-since"), `since this page was opened, ${long(Date.now() - this.#opened)} ago`)
    write(byId("ratio"), known ? share(this.#received / raw) : "–")
    write(byId("ours"), size(this.#received))
    write(byId("ours-minute"), size(this.#received - before.received))
    write(byId("raw"), known ? size(raw) : "–")
    write(byId("raw-minute"), known ? size(raw - before.raw) : "–")
    const most = Math.max(this.#received, raw, 1)
    byId("ours-bar").style.transform = `scaleX(${known ? Math.max(0.004, this.#received / most) : 0})`
    byId("raw-bar").style.transform = `scaleX(${known ? raw / most : 0})`
    show(byId("comparison"), this.#state !== "none")
    write(byId("meter-why"), this.#why(known))
  }

  #why(known) {
    if (this.#state === "none") {
      return "The comparison is not available here: this address does not show the daemon's metrics."
    }
    if (!known) return "Waiting for the daemon's metrics."
    const fetches = [...this.#raw.fetches].map(
      ([source, { fetched, size: length }]) => `${source} ${plural(fetched, "time")} (${size(length)})`
    )
    const others = (this.#readers ?? 0) > 1 ? ` for ${this.#readers} readers` : ""
    return `A page that polls would have fetched ${fetches.join(" and ")}, and so would every other. Ratecast did it once${others}.`
  }
}
