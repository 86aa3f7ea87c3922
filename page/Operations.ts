/**
 * Sources, readers and the cost of polling: operators' figures, from `/metrics` where this caller may have them. Elsewhere it
 * says in words why there are none; rows are shown all the same.
 */
import { byId, make, mark, show, write } from "./Element.ts"
import { brief, clock, listed, long, none, plural, share, size, took, whole } from "./Format.ts"
import { type Figures, RawCost, readMetrics, type Source } from "./Metrics.ts"
import type { Session } from "./Session.ts"

const every = 2_000
const minute = 60_000

/** More of them are told in a line each, until somebody opens one. */
const mostOpen = 3

interface Card {
  readonly element: HTMLElement
  readonly details: HTMLDetailsElement
  readonly brief: HTMLElement
  readonly refresh: HTMLElement
  readonly state: HTMLElement
  readonly facts: ReadonlyMap<string, HTMLElement>
}

const facts = ["Last poll", "Next poll", "Took", "Answer", "Polls", "304", "Failed", "Received"] as const
const roads = [
  ["socket", "WebSocket"],
  ["stream", "SSE"],
  ["changes", "Long poll"]
] as const

export class Operations {
  private readonly session: Session
  private readonly said: (text: string) => void
  private readonly cards = new Map<string, Card>()
  private readonly cost = new RawCost()
  private readonly opened = Date.now()
  private figures: Figures | undefined
  private refused: number | undefined
  private received = 0
  private samples: Array<{ readonly at: number; readonly received: number; readonly raw: number }> = []

  constructor(session: Session, said: (text: string) => void) {
    this.session = session
    this.said = said
    for (const [road, label] of roads)
      byId("roads").append(
        make(
          "div",
          { "data-road": road },
          make("dt", {}, label),
          make("dd", {}, none),
          make("dd", { class: "bar" }, make("span"))
        )
      )
  }

  /** Of a message, in characters. */
  note(length: number): void {
    this.received += length
  }

  get readers(): number | undefined {
    return this.figures?.readers
  }

  /** While nobody looks nothing is asked; the counters of the daemon go on. */
  start(): void {
    void this.ask()
    setInterval(() => document.hidden || void this.ask(), every)
  }

  /** What another token had shown. */
  clear(): void {
    this.figures = undefined
    this.refused = undefined
    this.paint()
  }

  async ask(): Promise<void> {
    const { token } = this.session
    try {
      const answer = await this.session.fetch("metrics")
      const text = await answer.text()
      if (token !== this.session.token) return
      if (answer.ok) {
        this.figures = readMetrics(text)
        this.cost.add(this.figures.sources)
        this.refused = undefined
      } else {
        this.refused = answer.status
        this.figures = undefined
      }
    } catch {
      // Not reachable now is not the same as not there: what is known stays.
    }
    const now = Date.now()
    this.samples.push({ at: now, received: this.received, raw: this.cost.total })
    while (this.samples.length > 1 && this.samples[1]!.at <= now - minute) this.samples.shift()
    this.paint()
  }

  paint(): void {
    const { figures } = this
    const { why } = this
    const isPolled = figures === undefined || figures.sources.size > 0
    for (const [id, text] of [
      ["sources-why", isPolled ? why : "No source has been polled yet."],
      ["readers-why", why]
    ] as const) {
      show(byId(id), text !== "")
      write(byId(id), text)
    }
    show(byId("sources-list"), figures !== undefined)
    show(byId("readers-list"), figures !== undefined)
    for (const link of document.querySelectorAll<HTMLElement>("[data-operators]"))
      show(link, figures !== undefined && this.session.token === "")
    if (figures !== undefined) {
      const before = this.cards.size
      for (const [name, source] of figures.sources) this.paintSource(name, source)
      if (before <= mostOpen && this.cards.size > mostOpen)
        for (const { details } of this.cards.values()) details.open = false
      for (const [name, { element }] of this.cards) show(element, figures.sources.has(name))
      this.paintReaders(figures)
    }
    this.paintMeter()
  }

  private get why(): string {
    if (this.figures !== undefined) return ""
    if (this.refused === undefined) return "Waiting for the daemon's metrics."
    return this.refused === 404
      ? "Operators' figures are on their own address here (ADMIN_PORT); what this caller may read is all this page shows."
      : "These figures are for operators: they are shown where the API key is. Rows, and what this connection does, are shown to everybody who may read them."
  }

  private card(name: string): Card {
    const known = this.cards.get(name)
    if (known !== undefined) return known
    const state = make("span", { class: "badge" })
    const refresh = make(
      "button",
      { type: "button", class: "small", "aria-label": `Refresh ${name}` },
      "Refresh"
    )
    refresh.addEventListener("click", async () => {
      refresh.disabled = true
      this.said(await this.session.refresh(name))
      refresh.disabled = false
      await this.ask()
    })
    const list = make("dl", { class: "facts" })
    const line = make("span", { class: "quiet" })
    const values = new Map(
      facts.map((fact) => {
        const value = make("dd", {}, none)
        list.append(make("div", {}, make("dt", {}, fact), value))
        return [fact, value] as const
      })
    )
    const details = make(
      "details",
      { open: true },
      make("summary", { class: "line" }, make("h3", {}, name), state, line),
      list
    )
    const element = make("li", { class: "source", "data-source": name }, details, refresh)
    byId("sources-list").append(element)
    const card = { element, details, brief: line, refresh, state, facts: values }
    this.cards.set(name, card)
    return card
  }

  private paintSource(name: string, source: Source): void {
    const { brief: line, facts, refresh, state } = this.card(name)
    show(refresh, this.session.names.includes(name))
    const { now } = this.session
    const waits = source.nextAt === undefined ? undefined : source.nextAt - now
    const isIll = this.session.described.some(
      (one) =>
        (one.name === name || one.name.startsWith(`${name}:`)) &&
        (one.state === "stale" || one.error !== undefined)
    )
    write(state, source.isOpen ? "Breaker open" : isIll ? "Failing" : "Well")
    mark(state, "data-tone", source.isOpen ? "bad" : isIll ? "stale" : "live")
    const put = (fact: typeof facts extends ReadonlyMap<infer Fact, unknown> ? Fact : never, text: string) =>
      write(facts.get(fact)!, text)
    const last = source.lastAt === undefined ? none : `${brief(now - source.lastAt)} ago`
    write(line, last)
    put("Last poll", last)
    put("Took", source.took === undefined ? none : took(source.took))
    put("Answer", source.size === undefined ? none : size(source.size))
    put("Received", size(source.received))
    put("Polls", whole(source.polls + source.failures))
    put("304", whole(source.notModified))
    put("Failed", whole(source.failures + source.rejected))
    facts.get("Failed")!.title = [...source.failed].map(([code, count]) => `${code}: ${count}`).join(", ")
    put("Next poll", waits === undefined ? "when asked" : waits < 500 ? "now" : `in ${brief(waits + 999)}`)
  }

  private paintReaders({ behind, cohorts, readers, roads, slowest }: Figures): void {
    write(byId("readers-now"), whole(readers))
    write(byId("cohorts-now"), cohorts === undefined ? none : whole(cohorts))
    write(byId("behind-now"), whole(behind))
    write(byId("slowest-now"), behind === 0 ? none : took(slowest * 1000))
    for (const row of byId("roads").children) {
      const count = roads.get((row as HTMLElement).dataset["road"]!) ?? 0
      const [, value, bar] = row.children
      write(value!, whole(count))
      ;(bar!.firstElementChild as HTMLElement).style.transform =
        `scaleX(${readers === 0 ? 0 : count / readers})`
    }
  }

  private paintMeter(): void {
    const raw = this.cost.total
    const isKnown = this.figures !== undefined && raw > 0
    // Of one poll beside one snapshot there is nothing to learn yet.
    const isTelling =
      isKnown && this.received > 0 && [...this.cost.fetches.values()].some(({ fetched }) => fetched > 1)
    const before = this.samples[0]
    const lastMinute = (total: number, then: number) =>
      before === undefined || before.at > Date.now() - minute + 2 * every
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
    write(byId("meter-why"), this.counted(isKnown))
  }

  private counted(isKnown: boolean): string {
    if (this.figures === undefined && this.refused !== undefined)
      return "The comparison is not available here: it needs the daemon's metrics."
    if (!isKnown) return "Waiting for the daemon's metrics."
    const fetches = [...this.cost.fetches]
      .toSorted(([, a], [, b]) => b.fetched * b.size - a.fetched * a.size)
      .map(([source, { fetched, size: length }]) => `${source} ${plural(fetched, "time")} (${size(length)})`)
    const others = this.readers !== undefined && this.readers > 1 ? `, for all ${this.readers} readers` : ""
    return (
      `Since ${clock(this.opened)} (${long(Date.now() - this.opened)}) a page that polls as often would have fetched ` +
      `${listed(fetches)}. Ratecast polled once${others}. Characters before compression, polls that failed not counted.`
    )
  }
}
