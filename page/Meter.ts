/** What this page has received, beside what polling would have cost it: in all, and in the last minute. */
import { byId, show, write } from "./Element.ts"
import { clock, listed, long, none, plural, share, size, whole } from "./Format.ts"
import { type Figures, RawCost } from "./Metrics.ts"

const minute = 60_000
/** ms that a sample may be younger than a minute. */
const slack = 4_000

export class Meter {
  private readonly cost = new RawCost()
  private readonly opened = Date.now()
  private received = 0
  private samples: Array<{ readonly at: number; readonly received: number; readonly raw: number }> = []

  /** Of a message, in characters. */
  note(length: number): void {
    this.received += length
  }

  add({ sources }: Figures): void {
    this.cost.add(sources)
  }

  /** Every few seconds. */
  sample(): void {
    const now = Date.now()
    this.samples.push({ at: now, received: this.received, raw: this.cost.total })
    while (this.samples.length > 1 && this.samples[1]!.at <= now - minute) this.samples.shift()
  }

  /** `refused`: with which status the metrics are. */
  paint(figures: Figures | undefined, refused: number | undefined): void {
    const raw = this.cost.total
    const isKnown = figures !== undefined && raw > 0
    // Of one poll beside one snapshot there is nothing to learn yet.
    const isTelling =
      isKnown && this.received > 0 && [...this.cost.fetches.values()].some(({ polls }) => polls > 1)
    const before = this.samples[0]
    const lastMinute = (total: number, then: number) =>
      before === undefined || before.at > Date.now() - minute + slack
        ? ""
        : `${size(total - then)} in the last minute`
    write(byId("ours"), size(this.received))
    write(byId("ours-minute"), lastMinute(this.received, before?.received ?? 0))
    write(byId("raw"), isKnown ? size(raw) : none)
    write(byId("raw-minute"), isKnown ? lastMinute(raw, before?.raw ?? 0) : "")
    const most = Math.max(this.received, raw)
    byId("ours-bar").style.transform = `scaleX(${isKnown ? this.received / most : 0})`
    byId("raw-bar").style.transform = `scaleX(${isKnown ? raw / most : 0})`
    write(byId("ratio"), isTelling ? share(this.received / raw) : none)
    show(byId("comparison"), isTelling)
    write(byId("meter-why"), this.counted(isKnown, figures, refused))
  }

  private counted(isKnown: boolean, figures: Figures | undefined, refused: number | undefined): string {
    if (figures === undefined && refused !== undefined)
      return "The comparison is not available here: it needs the daemon's metrics."
    if (!isKnown) return "Waiting for the daemon's metrics."
    const fetches = [...this.cost.fetches]
      .toSorted(([, a], [, b]) => b.bodies * b.size - a.bodies * a.size)
      .map(([source, { bodies, polls, size: length }]) => {
        const unchanged = polls === bodies ? "" : `, and ${whole(polls - bodies)} by 304`
        return `${source} ${plural(bodies, "time")} (${size(length)}${unchanged})`
      })
    const readers = figures?.readers ?? 1
    return (
      `Since ${clock(this.opened)} (${long(Date.now() - this.opened)}) a page that polls as often would have fetched ` +
      `${listed(fetches)}. Ratecast made these polls once for ${readers > 1 ? `all ${whole(readers)} readers` : "everybody"}. ` +
      "Characters before compression; answers by 304 and polls that failed are not counted."
    )
  }
}
