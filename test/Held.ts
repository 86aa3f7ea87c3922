/** What a client holds (src/Testing/Held.ts), in a form that can be compared, and begun from rows that somebody computed. */
import { Held as Holding } from "../src/Testing/Held.ts"

export type { Message } from "../src/Testing/Held.ts"

export class Held extends Holding {
  /** Starts from rows that somebody else computed. */
  assume(
    cursor: string,
    shown: ReadonlyMap<string, ReadonlyMap<string, string>>,
    health: ReadonlyMap<string, string>
  ): void {
    this.cursor = cursor
    for (const [name, text] of health) {
      const [state, error] = text.split(" ")
      this.states.set(name, state!)
      if (error !== "") this.errors.set(name, error!)
    }
    for (const [name, rows] of shown) {
      const parsed = [...rows].map(
        ([key, text]) => [key, new Map(Object.entries(JSON.parse(text) as object))] as const
      )
      this.rows.set(name, new Map(parsed))
    }
  }

  canonical(): Map<string, Map<string, string>> {
    const shown = new Map<string, Map<string, string>>()
    for (const [name, rows] of this.rows) {
      if (rows.size === 0) continue
      shown.set(name, new Map([...rows].map(([key, row]) => [key, canonicalText(Object.fromEntries(row))])))
    }
    return shown
  }
}

export const canonicalText = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  )
