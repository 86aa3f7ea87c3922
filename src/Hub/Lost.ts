/** What a config of another day would lose of what was written: nobody can read that anew. */
import { familyOf } from "../Collection.ts"

export const counted = (rows: number): string => `${rows} ${rows === 1 ? "row" : "rows"}`

/** Rows by collection or family, and why there is no place for them. */
export class Lost {
  private readonly all = new Map<string, Map<string, { rows: number; members: number }>>()

  add(name: string, rows: number, why: string): void {
    const declared = familyOf(name)?.family ?? name
    const reasons = this.all.get(declared) ?? new Map<string, { rows: number; members: number }>()
    const sum = reasons.get(why) ?? { rows: 0, members: 0 }
    this.all.set(declared, reasons.set(why, { rows: sum.rows + rows, members: sum.members + 1 }))
  }

  names(): Iterable<string> {
    return this.all.keys()
  }

  has(name: string): boolean {
    return this.all.has(name)
  }

  said(name: string): string {
    const reasons = [...this.all.get(name)!].map(
      ([why, { members, rows }]) =>
        `${counted(rows)}${members === 1 ? "" : ` (of ${members} members)`} ${why}`
    )
    return `${name}: ${reasons.join(", ")}`
  }
}
