/**
 * A table over rows that change under it: what a message touched is painted in the next frame, in place, and only rows
 * near the window exist at all once there are many.
 *
 * A column: `id`, `label`, `title`, `class`; `value(row, key)` to sort by, which first falls unless `falls` is false; what
 * is in its cells says line.js.
 */
import { make, show, write } from "./element.js"
import { Line } from "./line.js"
import { Order } from "./order.js"

/** So many are all there, for who searches in the page or prints it. */
const allUpTo = 200
/** Rows above and below the window that are there already when somebody scrolls. */
const margin = 12

export class Table {
  #columns
  #rows
  #body
  #order
  #empty
  #lines = new Map()
  #spacers
  #requested = false
  /** Of a row; measured once, because measuring makes the browser lay out what is not yet complete. */
  #height = 0

  /** `rows()`: the Map to show. `empty(searching)`: what to say when there is nothing to show. */
  constructor({ columns, element, empty, rows, sort, words }) {
    this.#columns = columns
    this.#rows = rows
    this.#empty = empty
    this.#order = new Order({ columns, sort, words })
    this.#body = make("tbody")
    this.#spacers = [spacer(columns.length), spacer(columns.length)]
    this.#body.append(...this.#spacers)
    this.element = element
    this.message = make("p", { class: "empty", hidden: true })
    const head = this.#order.head(() => this.update())
    element.append(make("thead", {}, head), this.#body)
    element.after(this.message)
    addEventListener("scroll", () => this.#rows().size > allUpTo && this.#request(), { passive: true })
    addEventListener("resize", () => {
      this.#height = 0
      this.update()
    })
  }

  /** Something of the rows, of what they are made of, or of time has changed. */
  update() {
    this.#order.spoil()
    this.#request()
  }

  search(text) {
    this.#order.search(text)
    this.#request()
  }

  get found() {
    return this.#order.of(this.#rows()).length
  }

  #request() {
    if (this.#requested || this.element.closest("[hidden]") !== null) return
    this.#requested = true
    requestAnimationFrame(() => {
      this.#requested = false
      this.#paint()
    })
  }

  #paint() {
    const rows = this.#rows()
    const keys = this.#order.of(rows)
    this.#height ||= this.#measured(keys, rows)
    const { from, to } = this.#window(keys.length)
    const wanted = keys.slice(from, to)
    this.#place(wanted)
    this.element.setAttribute("aria-rowcount", String(keys.length + 1))
    for (const [index, key] of wanted.entries()) {
      const line = this.#lines.get(key)
      line.paint(rows.get(key), key)
      line.element.setAttribute("aria-rowindex", String(from + index + 2))
    }
    const [above, below] = this.#spacers
    stretch(above, from * this.#height)
    stretch(below, (keys.length - to) * this.#height)
    show(this.message, keys.length === 0)
    if (keys.length === 0) write(this.message, this.#empty(rows.size > 0))
  }

  #measured([key], rows) {
    if (key === undefined) return 0
    this.#place([key])
    const line = this.#lines.get(key)
    line.paint(rows.get(key), key)
    return line.element.offsetHeight
  }

  #window(count) {
    if (count <= allUpTo) return { from: 0, to: count }
    const top = -this.#body.getBoundingClientRect().top
    const from = Math.max(0, Math.min(count, Math.floor(top / this.#height)) - margin)
    const to = Math.min(count, from + Math.ceil(innerHeight / this.#height) + 2 * margin)
    return { from, to }
  }

  /** Lines that stay keep their elements and their place among each other as far as they can. */
  #place(keys) {
    const wanted = new Set(keys)
    for (const [key, { element }] of this.#lines) {
      if (wanted.has(key)) continue
      element.remove()
      this.#lines.delete(key)
    }
    let next = this.#spacers[0].nextSibling
    for (const key of keys) {
      const line = this.#lines.get(key) ?? new Line(this.#columns)
      this.#lines.set(key, line)
      if (line.element === next) next = next.nextSibling
      else this.#body.insertBefore(line.element, next)
    }
  }
}

const spacer = (columns) =>
  make("tr", { class: "spacer", "aria-hidden": "true", hidden: true }, make("td", { colspan: columns }))

const stretch = (row, height) => {
  show(row, height > 0)
  row.firstChild.style.height = `${height}px`
}
