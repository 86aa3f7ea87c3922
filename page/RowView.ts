/** One row of a table that is on the screen: what changes is written and flashes, and nothing else is touched. */
import type { Row } from "../client/Cast.ts"
import type { Column, Columns } from "./Columns.ts"
import { draw, make, mark, write } from "./Element.ts"
import { short } from "./Format.ts"
import { pathOf, type Series } from "./Series.ts"

export const sparkWidth = 44
const sparkHeight = 16
/** Of a flash, ms. */
const fading = 900

const still = matchMedia("(prefers-reduced-motion: reduce)")

/** One at a time on a cell: what changes ten times a second would have as many fading at once. Of one tint it begins anew. */
const flash = (cell: Cell, isUp: boolean | undefined) => {
  const tint = isUp === undefined ? "var(--flash)" : isUp ? "var(--flash-up)" : "var(--flash-down)"
  if (cell.fading !== undefined && tint === cell.tint && !still.matches) {
    cell.fading.currentTime = 0
    if (cell.fading.playState !== "running") cell.fading.play()
    return
  }
  cell.fading?.cancel()
  cell.fading = undefined
  if (still.matches) return
  cell.tint = tint
  cell.fading = cell.value.animate([{ backgroundColor: tint }, { backgroundColor: "transparent" }], {
    duration: fading,
    easing: "steps(6)"
  })
}

interface Cell {
  readonly column: Column
  readonly element: HTMLElement
  readonly value: HTMLElement
  readonly path: SVGPathElement | undefined
  shown: string
  /** What it is sorted by. */
  by: number | string
  fading: Animation | undefined
  tint: string
}

let made = 0

export class RowView {
  readonly element: HTMLElement
  private readonly columns: Columns
  private readonly name = make("span", { class: "name" })
  private readonly about = make("span", { class: "key" })
  private readonly picture = make("span", { class: "picture", "aria-hidden": "true" })
  private readonly cells: ReadonlyArray<Cell>
  private icon: string | undefined
  private row: Row | undefined
  private of = ""

  constructor(columns: Columns) {
    this.columns = columns
    const head = make("div", { class: "cell first", role: "rowheader" }, this.picture, this.name, this.about)
    this.element = make("div", { class: "row", role: "row", id: `row-${made++}` }, head)
    this.cells = columns.columns.map((column) => {
      const value = make("span", { class: "value" })
      const hasSpark = column.isLive && column.kind === "number"
      const path = hasSpark ? draw("path") : undefined
      const element = make("div", { class: `cell ${column.kind}`, role: "gridcell" })
      if (path !== undefined)
        element.append(
          draw(
            "svg",
            { class: "spark", viewBox: `0 0 ${sparkWidth} ${sparkHeight}`, "aria-hidden": "true" },
            path
          )
        )
      element.append(value)
      this.element.append(element)
      return { column, element, value, path, shown: "", by: "", fading: undefined, tint: "" }
    })
  }

  /** `isNews`: it was here before, and has changed just now. */
  paint(id: string, of: string, key: string, row: Row, series: Series, isNews: boolean): void {
    const before = this.row
    if (before === row) return
    this.row = row
    this.of = of
    const label = this.columns.label(row, key)
    write(this.name, label === key ? short(key) : label)
    if (before === undefined) {
      write(this.about, label === key ? "" : short(key))
      this.drawIcon(this.columns.icon(row))
    }
    for (const cell of this.cells) {
      const { column, path, value } = cell
      // Most fields of a row that changes do not.
      if (before !== undefined && before[column.field] === row[column.field]) continue
      const text = column.text(row, of)
      const by = column.value(row, of)
      // A time always rises.
      if (isNews && before !== undefined && !Object.is(by, cell.by))
        flash(cell, typeof by === "number" && column.kind !== "time" ? by > (cell.by as number) : undefined)
      cell.by = by
      if (text !== cell.shown) {
        cell.shown = text
        write(value, text)
      }
      if (path !== undefined) mark(path, "d", pathOf(series.of(id, column.field), sparkWidth, sparkHeight))
    }
  }

  /** Of what a cell shows, in characters. */
  lengthOf(index: number): number {
    return this.cells[index]!.shown.length
  }

  /** To the last digit what a cell holds, for whoever points at it. */
  tell(target: Element, key: string): void {
    this.name.title = key
    const cell = this.cells.find(({ element }) => element.contains(target))
    if (cell !== undefined && this.row !== undefined)
      cell.element.title = cell.column.exact(this.row, this.of)
  }

  /** It is to show another row. */
  forget(): void {
    this.row = undefined
    for (const { fading } of this.cells) fading?.cancel()
  }

  place(index: number, height: number, isChosen: boolean, isActive: boolean): void {
    const { element } = this
    element.style.transform = `translateY(${index * height}px)`
    // The head is the first.
    mark(element, "aria-rowindex", String(index + 2))
    mark(element, "aria-selected", String(isChosen))
    element.classList.toggle("active", isActive)
  }

  private drawIcon(icon: string | undefined): void {
    if (icon === this.icon) return
    this.icon = icon
    this.picture.replaceChildren(...(icon === undefined ? [] : [make("img", { src: icon, alt: "" })]))
  }
}
