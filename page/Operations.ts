/**
 * Sources and readers: operators' figures, from `/metrics` where this caller may have them. Elsewhere it
 * says in words why there are none; rows are shown all the same.
 */
import { byId, make, mark, show, write } from "./Element.ts"
import { brief, none, size, took, whole } from "./Format.ts"
import { Meter } from "./Meter.ts"
import { type Figures, readMetrics, type Source } from "./Metrics.ts"
import type { Session } from "./Session.ts"

const every = 2_000

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
  private readonly meter = new Meter()
  private figures: Figures | undefined
  private refused: number | undefined

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
    this.meter.note(length)
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
        this.meter.add(this.figures)
        this.refused = undefined
      } else {
        this.refused = answer.status
        this.figures = undefined
      }
    } catch {
      // Not reachable now is not the same as not there: what is known stays.
    }
    this.meter.sample()
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
    this.meter.paint(figures, this.refused)
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
}
