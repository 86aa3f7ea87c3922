/** What we received, beside what polling would have cost; the latter from the daemon's metrics or not at all. */
import { byId, show, write } from "./element.js"
import { long, none, plural, share, size } from "./format.js"
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
    // Of one poll beside one snapshot there is nothing to learn yet.
    const telling = known && [...this.#raw.fetches.values()].some(({ fetched }) => fetched > 1)
    const [before = { received: 0, raw: 0 }] =
      this.#samples[0]?.at <= Date.now() - minute + every ? this.#samples : []
    const bars = { ours: [this.#received, before.received], raw: known ? [raw, before.raw] : undefined }
    for (const [name, [total, then] = []] of Object.entries(bars)) {
      write(byId(name), total === undefined ? none : size(total))
      write(byId(`${name}-minute`), total === undefined ? "" : `${size(total - then)} in the last minute`)
      byId(`${name}-bar`).style.transform = `scaleX(${known ? total / Math.max(this.#received, raw) : 0})`
    }
    write(byId("ratio"), telling ? share(this.#received / raw) : none)
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
    const since = long(Date.now() - this.#opened)
    const others = this.#readers > 1 ? `, for all ${this.#readers} readers` : ""
    return `In ${since} a page that polls would have fetched ${fetches.join(" and ")}. Ratecast did it once${others}. Counted in characters, before compression.`
  }
}
