/**
 * The rows of one collection, sorted and searched. Only those on the screen are elements: 42,000 scroll like forty. It paints
 * once a frame, and nothing where nobody looks.
 */
import type { Collection, Row } from "../client/Cast.ts"
import { type Columns, columnsOf, namesIn } from "./Columns.ts"
import { byId, mark, show, write } from "./Element.ts"
import { plural, whole } from "./Format.ts"
import { Head, type Sort } from "./Head.ts"
import { Order } from "./Order.ts"
import { RowView } from "./RowView.ts"
import { Series } from "./Series.ts"
import type { Described } from "./Described.ts"

/** As in table.css. */
const rowHeight = 34
/** Rows above and below, so that scrolling finds them there. */
const beyond = 8

export interface Chosen {
  readonly collection: string
  readonly key: string
}

interface Tells {
  readonly chosen: (chosen: Chosen) => void
  /** Another order, or other columns to sort by. */
  readonly sorted: () => void
}

const idOf = (collection: string, key: string) => `${collection}\n${key}`
const split = (id: string): Chosen => {
  const at = id.indexOf("\n")
  return { collection: id.slice(0, at), key: id.slice(at + 1) }
}

const isAddress = (text: string) => text.length > 24 && !text.includes(" ")

/** By what is largest: of several numbers that is most often what a list is about. Where there is none, by what is newest. */
const firstSort = (columns: Columns["columns"], row: Row): Sort => {
  const [largest] = columns
    .filter(({ isLive, kind }) => isLive && (kind === "number" || kind === "time"))
    .map(({ field, kind, value }) => ({
      field,
      size: kind === "time" ? -1 : Math.abs(value(row, "") as number) || 0
    }))
    .toSorted((a, b) => b.size - a.size)
  return largest === undefined ? { by: "", isDown: false } : { by: largest.field, isDown: true }
}

const byName = (held: ReadonlyArray<Collection>) => new Map(held.map((one) => [one.name, one]))

export class Table {
  readonly series = new Series()
  columns: Columns | undefined
  private readonly grid = byId("grid")
  private readonly head = new Head((by, kind) =>
    this.sortBy({ by, isDown: this.sort.by === by ? !this.sort.isDown : kind !== "text" })
  )
  private readonly body = byId("grid-body")
  private readonly tells: Tells
  private described: Described | undefined
  private held: ReadonlyMap<string, Collection> = new Map()
  private others: () => ReadonlyArray<Collection> = () => []
  private readonly order = new Order(true)
  private sort: Sort = { by: "", isDown: false }
  private sought = ""
  private views = new Map<string, RowView>()
  private fresh = new Set<string>()
  private words = new WeakMap<Row, string>()
  private chosen: string | undefined
  private active = 0
  private isDue = false
  private isStale = true
  /** In px; measured when it changes, since to ask costs a layout. */
  private room = 800

  constructor(tells: Tells) {
    this.tells = tells
    const { grid } = this
    new ResizeObserver(() => {
      this.room = grid.clientHeight
      this.head.fit()
      this.update()
    }).observe(grid)
    grid.addEventListener("scroll", () => this.update(), { passive: true })
    grid.addEventListener("keydown", (event) => this.press(event))
    const at = (target: Element) => {
      const row = target.closest(".row")
      return [...this.views].find(([, view]) => view.element === row)
    }
    this.body.addEventListener("click", ({ target }) => {
      const found = at(target as Element)
      if (found !== undefined) this.choose(found[0])
    })
    this.body.addEventListener("pointerover", ({ target }) => {
      const found = at(target as Element)
      found?.[1].tell(target as Element, split(found[0]).key)
    })
  }

  get sorted(): Sort {
    return this.sort
  }

  get found(): number {
    return this.order.length
  }

  /** Another collection, or another connection of the same. */
  open(described: Described, held: ReadonlyArray<Collection>, others: () => ReadonlyArray<Collection>): void {
    const isOther = this.described?.name !== described.name
    this.described = described
    this.held = byName(held)
    this.others = others
    if (isOther) {
      this.columns = undefined
      this.grid.scrollTop = 0
      this.active = 0
      this.chosen = undefined
    }
    this.isStale = true
    this.update()
  }

  /** Members of a family come as they are made. */
  hold(held: ReadonlyArray<Collection>): void {
    if (held.length === this.held.size) return
    this.held = byName(held)
    this.isStale = true
    this.update()
  }

  /** There is nothing to show. */
  close(): void {
    this.described = undefined
    this.columns = undefined
    this.held = new Map()
    this.chosen = undefined
    this.series.forget()
    this.order.replace([], true)
    this.isStale = true
    this.update()
  }

  seek(text: string): void {
    this.sought = text.trim().toLowerCase()
    this.grid.scrollTop = 0
    this.active = 0
    this.isStale = true
    this.update()
  }

  sortBy(sort: Sort): void {
    this.sort = sort
    this.isStale = true
    this.head.mark(sort)
    this.tells.sorted()
    this.update()
  }

  /** Notes what has changed, and how it has moved. */
  note(collection: Collection, keys: ReadonlySet<string>): void {
    const at = Date.now()
    const { name } = collection
    const live = (this.columns?.columns ?? []).filter(({ isLive, kind }) => isLive && kind === "number")
    const changes: Array<readonly [string, number | string | undefined]> = []
    for (const key of keys) {
      const row = collection.get(key)
      const id = idOf(name, key)
      this.fresh.add(id)
      if (row !== undefined)
        for (const { field, value } of live) this.series.note(id, field, value(row, name) as number, at)
      const isShown = row !== undefined && this.fits(row, key, name)
      changes.push([id, isShown ? this.valueOf(row, key, name) : undefined])
    }
    // What it is sorted by, and found by, may be known only by the first rows.
    if (this.columns === undefined || this.isStale) this.isStale = true
    else this.order.change(changes)
    this.update()
  }

  update(): void {
    if (this.isDue) return
    this.isDue = true
    requestAnimationFrame(() => {
      this.isDue = false
      this.paint()
    })
  }

  rowOf({ collection, key }: Chosen): Row | undefined {
    return this.held.get(collection)?.get(key)
  }

  private choose(id: string): void {
    this.chosen = id
    this.active = Math.max(0, this.order.indexOf(id))
    this.tells.chosen(split(id))
    this.update()
  }

  private get first(): Row | undefined {
    return this.held.values().find(({ rows }) => rows.length > 0)?.rows[0]
  }

  private prepare(): void {
    if (this.described === undefined || this.first === undefined) return
    if (this.columns === undefined) {
      const { iconOf, nameOf } = namesIn(this.others())
      this.columns = columnsOf(
        this.described,
        [...this.held.values()].flatMap(({ rows }) => rows.slice(0, 2_000)),
        nameOf,
        iconOf
      )
      const { columns } = this.columns
      this.sort = firstSort(columns, this.first)
      this.tells.sorted()
      this.head.make(this.described.key, columns, this.sort)
      for (const { element } of this.views.values()) element.remove()
      this.views = new Map()
      const at = Date.now()
      for (const { get, keys, name } of this.held.values())
        for (const key of [...keys()].slice(0, 200))
          for (const { field, isLive, kind, value } of columns)
            if (isLive && kind === "number")
              this.series.note(idOf(name, key), field, value(get(key)!, name) as number, at)
    }
    const entries = []
    for (const { get, keys, name } of this.held.values())
      for (const key of keys()) {
        const row = get(key)!
        if (this.fits(row, key, name))
          entries.push({ id: idOf(name, key), value: this.valueOf(row, key, name) })
      }
    this.order.replace(entries, this.sort.isDown)
    this.isStale = false
    // The first is as good as any to begin with.
    if (this.chosen === undefined && this.order.length > 0) {
      this.chosen = this.order.at(0)!
      this.tells.chosen(split(this.chosen))
    }
  }

  private valueOf(row: Row, key: string, of: string): number | string {
    const { by } = this.sort
    const column = this.columns?.columns.find(({ field }) => field === by)
    return column?.value(row, of) ?? (this.columns?.label(row, key) ?? key).toLowerCase()
  }

  private fits(row: Row, key: string, of: string): boolean {
    if (this.sought === "") return true
    let words = this.words.get(row)
    if (words === undefined) {
      const texts = Object.values(row).filter((value) => typeof value === "string" && !isAddress(value))
      words =
        `${texts.join("\n")}\n${of}\n${this.columns?.label(row, key) ?? ""}${isAddress(key) ? "" : `\n${key}`}`.toLowerCase()
      this.words.set(row, words)
    }
    // Every address has any three letters in it somewhere.
    return words.includes(this.sought) || (this.sought.length >= 6 && key.toLowerCase().includes(this.sought))
  }

  private press(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.room / rowHeight) - 2)
    const step: { readonly [key: string]: number } = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity
    }
    const by = step[event.key]
    if (event.key === "Enter" || event.key === " ") {
      const id = this.order.at(this.active)
      if (id !== undefined) this.choose(id)
    } else if (by !== undefined)
      this.active = Math.min(Math.max(this.active + by, 0), Math.max(0, this.order.length - 1))
    else return
    event.preventDefault()
    const top = this.active * rowHeight
    const { grid } = this
    if (top < grid.scrollTop) grid.scrollTop = top
    else if (top + 2 * rowHeight > grid.scrollTop + this.room)
      grid.scrollTop = top + 2 * rowHeight - this.room
    this.update()
  }

  private paint(): void {
    if (this.isStale) this.prepare()
    const { columns, fresh, grid, order } = this
    this.fresh = new Set()
    show(this.head.element, columns !== undefined)
    if (columns === undefined) return this.clear()
    this.body.style.height = `${order.length * rowHeight}px`
    mark(grid, "aria-rowcount", String(order.length + 1))
    // Asked once: between two rows that are written it would cost a layout.
    const { scrollTop } = grid
    const end = scrollTop + this.room
    const from = Math.max(0, Math.floor(scrollTop / rowHeight) - beyond)
    const to = Math.min(order.length, Math.ceil(end / rowHeight) + beyond)
    // What nobody sees does not flash.
    const seen = (index: number) => (index + 1) * rowHeight > scrollTop && (index + 1) * rowHeight < end
    const ids = Array.from({ length: Math.max(0, to - from) }, (_, i) => order.at(from + i)!)
    const here = new Set(ids)
    // What has scrolled out is used again: to make elements takes longer than to write into them.
    const spare = [...this.views].filter(([id]) => !here.has(id)).map(([, view]) => view)
    const views = new Map<string, RowView>()
    for (const [i, id] of ids.entries()) {
      const { collection, key } = split(id)
      const row = this.rowOf({ collection, key })
      if (row === undefined) continue
      const view = this.views.get(id) ?? this.borrow(spare, columns)
      views.set(id, view)
      view.paint(id, collection, key, row, this.series, seen(from + i) && fresh.has(id))
      view.place(from + i, rowHeight, id === this.chosen, from + i === this.active)
    }
    for (const { element } of spare) element.remove()
    this.views = views
    this.head.allow(
      columns.columns.map((_, i) =>
        views.values().reduce((most, view) => Math.max(most, view.lengthOf(i)), 0)
      )
    )
    mark(grid, "aria-activedescendant", views.get(order.at(this.active) ?? "")?.element.id)
    const all = this.held.values().reduce((sum, { rows }) => sum + rows.length, 0)
    write(byId("found"), this.sought === "" ? plural(all, "row") : `${whole(order.length)} of ${whole(all)}`)
  }

  private borrow(spare: Array<RowView>, columns: Columns): RowView {
    const view = spare.pop() ?? new RowView(columns)
    view.forget()
    if (!view.element.isConnected) this.body.append(view.element)
    return view
  }

  private clear(): void {
    for (const { element } of this.views.values()) element.remove()
    this.views = new Map()
    this.body.style.height = "0"
    write(byId("found"), "")
  }
}
