/** The heads of a table, and how wide its columns are: all of them on the screen where that can be, and else it is seen that there are more. */
import type { Column, Columns } from "./Columns.ts"
import { byId, make, mark } from "./Element.ts"

export interface Sort {
  /** A field; the empty one is the name of the row. */
  readonly by: string
  readonly isDown: boolean
}

/** What is left out while there is no room for all: keys beside names, then small pictures, too. */
const forms = ["", "snug", "snug plain"] as const

/** At least, and of what is over: a number shows all its digits, and a text that is long gets more. */
const widthOf = ({ isLive, kind }: Column, width: number): readonly [least: string, part: number] => {
  if (kind === "text" || kind === "list") return ["112px", Math.min(Math.max(width / 20, 0.8), 3)]
  const room = `calc(${width}ch + 2 * var(--pad) + 8px)`
  if (kind === "number")
    return isLive ? [`max(var(--live), ${room} + var(--spark))`, 1] : [`max(var(--fixed), ${room})`, 0.7]
  return kind === "time" ? [`max(var(--fixed), ${room})`, 0.7] : [`max(176px, ${room})`, 1]
}

export class Head {
  readonly element = byId("grid-head")
  private readonly grid = byId("grid")
  private readonly body = byId("grid-body")
  private readonly sorted: (field: string, kind: string) => void
  private columns: Columns["columns"] = []
  /** In characters, of each column. */
  private widths: Array<number> = []
  /** px of the table that there is no room for; measured when it changes, since to ask costs a layout. */
  private beyond = 0

  /** `sorted`: somebody wants it by this field. */
  constructor(sorted: (field: string, kind: string) => void) {
    this.sorted = sorted
    this.grid.addEventListener("scroll", () => this.tell(), { passive: true })
  }

  make(key: string, columns: Columns["columns"], sort: Sort): void {
    this.columns = columns
    // With room for the arrow of the one that is sorted by.
    this.widths = columns.map(({ title, width }) => Math.max(width, title.length + 2))
    const cell = (field: string, label: string, kind: string) => {
      const button = make("button", { type: "button", tabindex: "-1" }, make("span", {}, label))
      button.addEventListener("click", () => this.sorted(field, kind))
      return make("div", { class: `cell ${kind}`, role: "columnheader", "data-field": field }, button)
    }
    this.element.replaceChildren(
      cell("", key, "first"),
      ...columns.map(({ field, kind, title }) => cell(field, title, kind))
    )
    mark(this.grid, "aria-colcount", String(columns.length + 1))
    this.mark(sort)
    this.lay()
  }

  mark({ by, isDown }: Sort): void {
    for (const cell of this.element.children) {
      const isBy = (cell as HTMLElement).dataset["field"] === by
      mark(cell, "aria-sort", isBy ? (isDown ? "descending" : "ascending") : undefined)
    }
  }

  /** What is shown of each column now, in characters: one that was made for shorter numbers becomes wider. */
  allow(widths: ReadonlyArray<number>): void {
    const isOver = (width: number, i: number) =>
      width > this.widths[i]! && !["text", "list"].includes(this.columns[i]!.kind)
    if (!widths.some(isOver)) return
    this.widths = this.widths.map((width, i) => Math.max(width, widths[i]!))
    this.lay()
  }

  /** The first form that there is room for. */
  fit(): void {
    const { body, grid } = this
    for (const form of forms) {
      grid.classList.remove("snug", "plain")
      if (form !== "") grid.classList.add(...form.split(" "))
      this.beyond = body.offsetWidth - grid.clientWidth
      if (this.beyond <= 0) break
    }
    grid.parentElement!.style.setProperty("--bar", `${grid.offsetWidth - grid.clientWidth}px`)
    this.tell()
  }

  private lay(): void {
    const widths = [
      ["var(--first)", 1.5] as const,
      ...this.columns.map((column, i) => widthOf(column, this.widths[i]!))
    ]
    const { style } = this.grid
    // Head and rows are as wide as all of them at least: they share what is over alike.
    style.setProperty("--least", `calc(${widths.map(([least]) => least).join(" + ")})`)
    style.setProperty("--columns", widths.map(([least, part]) => `minmax(${least}, ${part}fr)`).join(" "))
    this.fit()
  }

  private tell(): void {
    const { grid } = this
    grid.parentElement!.classList.toggle("over", this.beyond - grid.scrollLeft > 1)
  }
}
