/**
 * Which rows a table shows and in which order, kept sorted as rows change: a changed row is found where it was and put where
 * it belongs, so that ten changes a second in 42,000 rows cost next to nothing.
 */
export interface Entry {
  /** What makes it this row and no other. */
  readonly id: string
  readonly value: number | string
}

/** More changes at once are sorted anew. */
const many = 500

export class Order {
  private entries: Array<Entry> = []
  private readonly values = new Map<string, number | string>()
  private isDown: boolean

  constructor(isDown: boolean) {
    this.isDown = isDown
  }

  get length(): number {
    return this.entries.length
  }

  at(index: number): string | undefined {
    return this.entries[index]?.id
  }

  indexOf(id: string): number {
    const value = this.values.get(id)
    return value === undefined ? -1 : this.place({ id, value })
  }

  /** All of them anew. */
  replace(entries: Iterable<Entry>, isDown: boolean): void {
    this.isDown = isDown
    this.entries = [...entries].toSorted(this.compare)
    this.values.clear()
    for (const { id, value } of this.entries) this.values.set(id, value)
  }

  /** `value`: `undefined` for a row that is not shown any more. Tells whether anything stands elsewhere now. */
  change(changes: ReadonlyArray<readonly [id: string, value: number | string | undefined]>): boolean {
    const moved = changes.filter(([id, value]) => !Object.is(this.values.get(id), value))
    if (moved.length === 0) return false
    if (moved.length > many) {
      for (const [id, value] of moved) this.note(id, value)
      this.replace(
        [...this.values].map(([id, value]) => ({ id, value })),
        this.isDown
      )
      return true
    }
    for (const [id, value] of moved) {
      const before = this.indexOf(id)
      if (before >= 0) this.entries.splice(before, 1)
      this.note(id, value)
      if (value !== undefined) this.entries.splice(this.place({ id, value }), 0, { id, value })
    }
    return true
  }

  private note(id: string, value: number | string | undefined): void {
    if (value === undefined) this.values.delete(id)
    else this.values.set(id, value)
  }

  /** Where it is, or would be. */
  private place(entry: Entry): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(this.entries[middle]!, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private readonly compare = (a: Entry, b: Entry): number =>
    (this.isDown ? -1 : 1) * compared(a.value, b.value) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

/** What is no number comes last when the largest is first; texts come as people count. */
const compared = (a: number | string, b: number | string): number => {
  if (typeof a === "string" || typeof b === "string") return a < b ? -1 : a > b ? 1 : 0
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
  return a - b
}
