/** How fields have moved since the page was opened: short series of those that did, the longest unchanged forgotten first. */
const points = 60
/** About 4 MB. */
const most = 4_000

export interface Point {
  /** ms since 1970 */
  readonly at: number
  readonly value: number
}

const idOf = (row: string, field: string) => `${row}\n${field}`

export class Series {
  private readonly known = new Map<string, Array<Point>>()

  note(row: string, field: string, value: number, at: number): void {
    if (!Number.isFinite(value)) return
    const id = idOf(row, field)
    const before = this.known.get(id)
    if (before?.at(-1)?.value === value) return
    const series = before ?? []
    series.push({ at, value })
    if (series.length > points) series.shift()
    // Last changed, last forgotten.
    this.known.delete(id)
    this.known.set(id, series)
    if (this.known.size > most) this.known.delete(this.known.keys().next().value!)
  }

  of(row: string, field: string): ReadonlyArray<Point> {
    return this.known.get(idOf(row, field)) ?? []
  }

  forget(): void {
    this.known.clear()
  }
}

/** Of a small picture. */
const steps = 24

/** As the `d` of a path in a box: a step for each change, equally far apart. */
export const pathOf = (series: ReadonlyArray<Point>, width: number, height: number): string => {
  if (series.length < 2) return ""
  const shown = series.slice(-steps)
  let [low, high] = [Infinity, -Infinity]
  for (const { value } of shown) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const span = high - low || 1
  return shown
    .map(({ value }, i) => {
      const x = (i / (shown.length - 1)) * width
      const y = height - 1 - ((value - low) / span) * (height - 2)
      return `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`
    })
    .join("")
}
