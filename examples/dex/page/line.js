/**
 * A row of a table as elements, painted in place: only text that differs is written, and only what the backend changed
 * flashes.
 *
 * Of a column it needs `text(row, key)`, or for several lines an array of it, with `units(row, key)` to stand behind;
 * `field`, whose change makes it flash, and `numbers(row, key)` to see which way it went; or `make(cell)`, which gives a
 * function to paint content of its own. `heads`: the cell names the row.
 */
import { make, write } from "./element.js"
import { flash } from "./flash.js"

export class Line {
  element = make("tr")
  #cells

  constructor(columns) {
    this.#cells = columns.map((column) => new Cell(column))
    this.element.append(...this.#cells.map(({ element }) => element))
  }

  paint(row, key) {
    for (const cell of this.#cells) cell.paint(row, key)
  }
}

class Cell {
  element
  #column
  #custom
  #lines = []
  #shown

  constructor(column) {
    this.#column = column
    this.element = make(column.heads ? "th" : "td", { class: column.class, scope: column.heads && "row" })
    this.#custom = column.make?.(this.element)
  }

  paint(row, key) {
    const { field, numbers, text, units } = this.#column
    if (this.#custom !== undefined) return this.#custom(row, key)
    const texts = [text(row, key)].flat()
    const raw = field === undefined ? undefined : row.get(field)
    const values = numbers === undefined ? [] : [numbers(row, key)].flat()
    while (this.#lines.length < texts.length) this.#add()
    for (const [index, line] of this.#lines.entries()) {
      const text = texts[index] ?? ""
      const value = text.trimEnd()
      // What keeps a point in its place is not to flash with the digits.
      write(line.nextSibling, units?.(row, key)[index] ?? text.slice(value.length))
      if (line.textContent === value) continue
      line.textContent = value
      // Only what the backend changed: a column made of other rows too would flash for their sake.
      if (this.#shown !== undefined && this.#shown.raw !== raw) {
        flash(line, values[index] - this.#shown.values[index])
      }
    }
    this.#shown = { raw, values }
  }

  #add() {
    const line = make("span", { class: "value" })
    this.#lines.push(line)
    this.element.append(make("span", { class: "line" }, line, make("span", { class: "behind" })))
  }
}
