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

const flash = (element: Element, isUp: boolean | undefined) => {
  if (still.matches) return
  const tint = isUp === undefined ? "var(--flash)" : isUp ? "var(--flash-up)" : "var(--flash-down)"
  element.animate([{ backgroundColor: tint }, { backgroundColor: "transparent" }], {
    duration: fading,
    easing: "cubic-bezier(0.2, 0, 0.4, 1)"
  })
}

interface Cell {
  readonly column: Column
  readonly element: HTMLElement
  readonly value: HTMLElement
  readonly path: SVGPathElement | undefined
  shown: string
  number: number
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
      return { column, element, value, path, shown: "", number: NaN }
    })
  }

  /** `isNews`: it was here before, and has changed just now. */
  paint(id: string, key: string, row: Row, series: Series, isNews: boolean): void {
    if (this.row === row) return
    const isFirst = this.row === undefined
    this.row = row
    const label = this.columns.label(row, key)
    write(this.name, label === key ? short(key) : label)
    write(this.about, label === key ? "" : short(key))
    this.name.title = key
    this.drawIcon(this.columns.icon(row))
    for (const cell of this.cells) {
      const { column, element, path, value } = cell
      const text = column.text(row)
      if (text !== cell.shown) {
        cell.shown = text
        write(value, text)
        element.title = column.exact(row)
      }
      const number = column.value(row)
      const isNumber = typeof number === "number"
      if (
        isNews &&
        !isFirst &&
        (isNumber ? !Object.is(number, cell.number) : element.title !== column.exact(row))
      )
        flash(value, isNumber ? number > cell.number : undefined)
      if (isNumber) cell.number = number
      if (path !== undefined) mark(path, "d", pathOf(series.of(id, column.field), sparkWidth, sparkHeight))
    }
  }

  /** It is to show another row. */
  forget(): void {
    this.row = undefined
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
