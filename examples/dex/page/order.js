/** Which rows a table shows and in which order; and its head, where that is chosen. */
import { make } from "./element.js"

export class Order {
  #columns
  #words
  #sort
  #text = ""
  #keys
  #buttons = new Map()

  /** `words(row, key)`: what a search looks in, and in the key. */
  constructor({ columns, sort, words }) {
    this.#columns = columns
    this.#words = words
    this.#sort = sort
  }

  spoil() {
    this.#keys = undefined
  }

  search(text) {
    this.#text = text.trim().toLowerCase()
    this.spoil()
  }

  of(rows) {
    return (this.#keys ??= this.#made(rows))
  }

  head(changed) {
    const row = make("tr")
    for (const column of this.#columns) {
      const button = make("button", { type: "button" }, make("span", {}, column.label))
      const cell = make("th", { scope: "col", class: column.class, title: column.title }, button)
      button.addEventListener("click", () => {
        const again = this.#sort.by === column.id
        this.#sort = { by: column.id, down: again ? !this.#sort.down : column.falls !== false }
        this.#mark()
        changed()
      })
      this.#buttons.set(column.id, cell)
      row.append(cell)
    }
    this.#mark()
    return row
  }

  #mark() {
    for (const [id, cell] of this.#buttons) {
      if (id === this.#sort.by) cell.setAttribute("aria-sort", this.#sort.down ? "descending" : "ascending")
      else cell.removeAttribute("aria-sort")
    }
  }

  #fits(row, key) {
    const text = this.#text
    if (text === "" || this.#words(row, key).toLowerCase().includes(text)) return true
    // Every address has any three letters in it somewhere.
    return text.length >= 6 && key.toLowerCase().includes(text)
  }

  #made(rows) {
    const { value } = this.#columns.find(({ id }) => id === this.#sort.by)
    const found = []
    for (const [key, row] of rows) {
      if (this.#fits(row, key)) found.push({ key, value: value(row, key) })
    }
    const sign = this.#sort.down ? -1 : 1
    return found
      .toSorted((a, b) => sign * compare(a.value, b.value) || compare(a.key, b.key))
      .map(({ key }) => key)
  }
}

/** What has no value comes last when the largest is first. */
const compare = (a, b) => {
  if (typeof a === "string") return a < b ? -1 : a > b ? 1 : 0
  const [x, y] = [a, b].map((value) => (Number.isNaN(value) || value === undefined ? -Infinity : value))
  return x < y ? -1 : x > y ? 1 : 0
}
