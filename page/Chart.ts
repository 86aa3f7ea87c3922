/** Any numeric field of a chosen row as it moves, from when the page began to look. */
import uPlot from "uplot"

import type { Row } from "../client/Cast.ts"
import { byId, make, show, write } from "./Element.ts"
import { clock, grouped, moved, none, ticks } from "./Format.ts"
import type { Columns } from "./Columns.ts"
import type { Series } from "./Series.ts"
import type { Chosen } from "./Table.ts"

/** Ten minutes of two changes a second. */
const most = 1_200
const height = 172
/** ms between two pictures */
const least = 250

/** As it is now: a canvas knows nothing of `light-dark`. */
const colourIn = (element: HTMLElement) => (name: string) => {
  element.style.color = `var(${name})`
  const { color } = getComputedStyle(element)
  element.style.color = ""
  return color
}

export class Chart {
  private readonly select = byId<HTMLSelectElement>("chart-field")
  private readonly box = byId("chart-box")
  private plot: uPlot | undefined
  private chosen: Chosen | undefined
  private columns: Columns | undefined
  private field = ""
  /** As somebody chose. */
  private wanted = ""
  private times: Array<number> = []
  private values: Array<number> = []
  private isDue = false
  private paintedAt = 0

  constructor() {
    this.select.addEventListener("change", () => {
      this.wanted = this.select.value
      this.begin(this.wanted)
    })
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry!.contentRect.width)
      if (width > 0 && this.plot !== undefined && this.plot.width !== width)
        this.plot.setSize({ width, height })
    }).observe(this.box)
  }

  private series: Series | undefined
  private rowOf: (() => Row | undefined) | undefined

  /** `preferred`: a field, while nobody has chosen one. */
  open(
    chosen: Chosen,
    columns: Columns,
    series: Series,
    preferred: string,
    rowOf: () => Row | undefined
  ): void {
    this.chosen = chosen
    this.columns = columns
    this.series = series
    this.rowOf = rowOf
    const fields = columns.columns.filter(({ kind }) => kind === "number")
    const wanted = [
      this.wanted,
      preferred,
      fields.findLast(({ isLive }) => isLive)?.field ?? fields[0]?.field ?? ""
    ]
    this.select.replaceChildren(...fields.map(({ field }) => make("option", { value: field }, field)))
    const field = wanted.find((name) => fields.some((each) => each.field === name)) ?? ""
    this.select.value = field
    show(this.select, fields.length > 0)
    this.begin(field)
  }

  /** No row is chosen. */
  clear(): void {
    this.chosen = undefined
    this.columns = undefined
    this.field = ""
    this.times = []
    this.values = []
    show(this.select, false)
    this.update()
  }

  /** A frame of the page has changed rows. */
  note(collection: string, keys: ReadonlySet<string>): void {
    if (this.chosen?.collection !== collection || !keys.has(this.chosen.key)) return
    const value = this.value
    if (value === undefined || value === this.values.at(-1)) return
    this.times.push(Date.now() / 1000)
    this.values.push(value)
    if (this.times.length > most) {
      this.times.shift()
      this.values.shift()
    }
    this.update()
  }

  /** Colours are drawn, and do not follow by themselves. */
  look(): void {
    this.plot?.destroy()
    this.plot = undefined
    this.update()
  }

  /** The line goes on to now; a picture of it costs more than a row, so there are four a second at most. */
  update(): void {
    if (this.isDue) return
    this.isDue = true
    const wait = Math.max(0, this.paintedAt + least - performance.now())
    setTimeout(() => {
      this.isDue = false
      this.paintedAt = performance.now()
      this.paint()
    }, wait)
  }

  private get value(): number | undefined {
    const row = this.rowOf?.()
    const column = this.columns?.columns.find(({ field }) => field === this.field)
    const value = row === undefined ? undefined : column?.value(row, this.chosen!.collection)
    return typeof value === "number" && Number.isFinite(value) ? value : undefined
  }

  private begin(field: string): void {
    this.field = field
    if (this.chosen === undefined) return
    const { collection, key } = this.chosen
    const before = this.series!.of(`${collection}\n${key}`, field)
    this.times = before.map(({ at }) => at / 1000)
    this.values = before.map(({ value }) => value)
    if (this.values.length === 0 && this.value !== undefined) {
      this.times.push(Date.now() / 1000)
      this.values.push(this.value)
    }
    this.update()
  }

  private paint(): void {
    const row = this.chosen === undefined ? undefined : this.rowOf?.()
    const name =
      row === undefined ? (this.chosen?.key ?? "") : (this.columns?.label(row, this.chosen!.key) ?? "")
    write(byId("chart-name"), name === "" ? "No row chosen" : name)
    const { value } = this
    const column = this.columns?.columns.find(({ field }) => field === this.field)
    show(byId("chart-now"), column !== undefined)
    write(
      byId("chart-value"),
      row === undefined || column === undefined ? none : grouped(column.exact(row, this.chosen!.collection))
    )
    const [first] = this.values
    write(
      byId("chart-moved"),
      value === undefined || first === undefined || this.times.length < 2
        ? ""
        : `${moved(first, value)} since ${clock(this.times[0]! * 1000)}`
    )
    const hasLine = this.times.length > 1
    show(byId("chart-empty"), !hasLine)
    write(
      byId("chart-empty"),
      this.chosen === undefined
        ? "Of a chosen row any number is shown here, as it moves."
        : this.field === ""
          ? "This collection has no numeric field."
          : "It has not moved since this page looks."
    )
    this.box.classList.toggle("still", !hasLine)
    if (!hasLine) {
      this.plot?.destroy()
      this.plot = undefined
      return
    }
    const now = Date.now() / 1000
    const data: uPlot.AlignedData = [
      [...this.times, now],
      [...this.values, this.values.at(-1)!]
    ]
    if (this.plot === undefined) this.plot = new uPlot(this.options(), data, this.box)
    else this.plot.setData(data)
    this.box.setAttribute(
      "aria-label",
      `${this.field} of ${name}: ${this.values.length} values since ${clock(this.times[0]! * 1000)}, now ${value ?? none}`
    )
  }

  private options(): uPlot.Options {
    const colour = colourIn(this.box)
    const [accent, quiet, line] = [colour("--accent"), colour("--quiet"), colour("--line")]
    const font = "11px system-ui, sans-serif"
    const grid = { stroke: line, width: 1 }
    return {
      width: Math.max(100, this.box.clientWidth),
      height,
      legend: { show: false },
      cursor: { y: false, points: { size: 6 } },
      scales: { x: { time: true } },
      axes: [
        {
          stroke: quiet,
          font,
          grid: { show: false },
          ticks: { show: false },
          size: 24,
          space: 70,
          values: (_, splits) => splits.map((at) => clock(at * 1000))
        },
        {
          stroke: quiet,
          font,
          grid,
          ticks: { show: false },
          size: (_, values) => 12 + 7 * Math.max(3, ...(values ?? []).map((text) => text.length)),
          space: 32,
          values: (_, splits) => [...ticks(splits)]
        }
      ],
      series: [
        {},
        {
          stroke: accent,
          width: 1.5,
          fill: colour("--accent-faint"),
          fillTo: (plot) => plot.scales["y"]!.min ?? 0,
          paths: uPlot.paths.stepped!({ align: 1 }),
          points: { show: false }
        }
      ]
    }
  }
}
