/** A tab for each collection; where they do not all fit there is a list of them beside, too. */
import { byId, make, mark, show, write } from "./Element.ts"
import { whole } from "./Format.ts"
import { type Described, isFamily } from "./Described.ts"
import type { Session } from "./Session.ts"

/** px of the next one that are seen, so that somebody knows of it */
const peek = 40

export class Tabs {
  private readonly row = byId("tabs")
  private readonly list = byId<HTMLSelectElement>("collections")
  private readonly session: Session
  private readonly chosen: (name: string) => void
  private readonly sizes = new ResizeObserver(() => this.fit())

  constructor(session: Session, chosen: (name: string) => void) {
    this.session = session
    this.chosen = chosen
    this.list.addEventListener("change", () => chosen(this.list.value))
    this.row.addEventListener("keydown", (event) => {
      const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
      if (by === 0) return
      event.preventDefault()
      this.step(by)
      requestAnimationFrame(() => this.row.querySelector<HTMLElement>("[aria-selected=true]")?.focus())
    })
  }

  private get names(): ReadonlyArray<string> {
    return this.session.described.map(({ name }) => name)
  }

  /** To the next one, or the one before. */
  step(by: number): void {
    const { names } = this
    const selected = this.row.querySelector<HTMLElement>("[aria-selected=true]")?.dataset["name"] ?? ""
    const next = names[(names.indexOf(selected) + by + names.length) % names.length]
    if (next !== undefined) this.chosen(next)
  }

  /** Anew, where there are others. */
  make(): void {
    const there = [...this.row.children].map((tab) => (tab as HTMLElement).dataset["name"])
    if (this.names.join("\n") === there.join("\n")) return
    this.row.replaceChildren(
      ...this.session.described.map(({ kind, name }) => {
        const tab = make(
          "button",
          { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "rows", "data-name": name },
          make("span", { class: "dot", "aria-hidden": "true" }),
          make("span", { class: "label" }, name),
          make("span", { class: "kind" }, kind),
          make("span", { class: "count" }),
          make("span", { class: "unseen state" })
        )
        tab.addEventListener("click", () => this.chosen(name))
        return tab
      })
    )
    this.list.replaceChildren(...this.names.map((name) => make("option", { value: name }, name)))
    this.sizes.disconnect()
    for (const each of [this.row, ...this.row.children]) this.sizes.observe(each)
  }

  paint(shown: string): void {
    for (const tab of this.row.children as HTMLCollectionOf<HTMLElement>) {
      const one = this.session.described.find(({ name }) => name === tab.dataset["name"])
      if (one === undefined) continue
      const tone = this.toneOf(one)
      mark(tab.querySelector(".dot")!, "data-tone", tone)
      write(tab.querySelector(".state")!, tone)
      write(tab.querySelector(".count")!, whole(this.rowsOf(one)))
      const isShown = one.name === shown
      if (isShown && tab.getAttribute("aria-selected") !== "true") this.reveal(tab)
      mark(tab, "aria-selected", String(isShown))
      mark(tab, "tabindex", isShown ? "0" : "-1")
    }
    if (this.list.value !== shown) this.list.value = shown
  }

  /** What is held of it; of a family that nobody looks at the daemon tells. */
  private rowsOf({ name, rows }: Described): number {
    const held = this.session.held(name)
    return held.length === 0 ? rows : held.reduce((sum, { rows }) => sum + rows.length, 0)
  }

  private toneOf({ name, state }: Described): string {
    const { isLost, status } = this.session
    const known = isFamily(name) ? state : (this.session.held(name)[0]?.status.state ?? state)
    return known === "live" && (isLost || status?.state === "failed") ? "offline" : known
  }

  private fit(): void {
    const { clientWidth, scrollWidth } = this.row
    // The list beside them takes room: it stays until all of them fit without it.
    const room = this.list.hidden ? clientWidth : this.row.parentElement!.clientWidth
    const isOver = scrollWidth > room
    this.row.classList.toggle("over", isOver)
    show(this.list, isOver)
    const selected = this.row.querySelector<HTMLElement>("[aria-selected=true]")
    if (selected !== null) this.reveal(selected)
  }

  /** In its row alone: the page stays where it is. */
  private reveal(tab: HTMLElement): void {
    const { row } = this
    if (tab.offsetLeft - peek < row.scrollLeft) row.scrollLeft = tab.offsetLeft - peek
    else if (tab.offsetLeft + tab.offsetWidth + peek > row.scrollLeft + row.clientWidth)
      row.scrollLeft = tab.offsetLeft + tab.offsetWidth + peek - row.clientWidth
  }
}
