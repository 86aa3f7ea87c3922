/** What was measured: tables for people, or a line of JSON for each row; progress goes to stderr. */
/** A number that is none (nothing arrived to divide by) is left out. */
export type Cell = string | number | undefined
export type Line = { readonly [column: string]: Cell }

const shown = (cell: Cell): string =>
  cell === undefined || (typeof cell === "number" && !Number.isFinite(cell))
    ? ""
    : typeof cell === "string"
      ? cell
      : Number.isInteger(cell)
        ? cell.toLocaleString("en")
        : cell.toFixed(Math.abs(cell) < 1 ? 3 : Math.abs(cell) < 100 ? 2 : 0)

export class Report {
  private readonly json: boolean
  private scenario = ""

  constructor(json: boolean) {
    this.json = json
  }

  begin(scenario: string): void {
    this.scenario = scenario
  }

  /** Markdown, so that it can stand in a page as it is. */
  table(title: string, lines: ReadonlyArray<Line>): void {
    if (this.json) {
      for (const line of lines) console.log(JSON.stringify({ scenario: this.scenario, title, ...line }))
      return
    }
    const columns = [...new Set(lines.flatMap((line) => Object.keys(line)))]
    const cells = [columns, ...lines.map((line) => columns.map((column) => shown(line[column])))]
    const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)))
    const isNumber = columns.map((column) => lines.some((line) => typeof line[column] === "number"))
    const text = (row: ReadonlyArray<string>) =>
      `| ${row.map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`
    console.log(`\n**${title}**\n`)
    console.log(text(cells[0]!))
    console.log(
      `|${widths.map((width, i) => "-".repeat(width + (isNumber[i] ? 1 : 2)) + (isNumber[i] ? ":" : "")).join("|")}|`
    )
    for (const row of cells.slice(1)) console.log(text(row))
  }

  /** Something that the reader of the figures has to know. */
  note(text: string): void {
    console.log(this.json ? JSON.stringify({ scenario: this.scenario, note: text }) : `\n${text}`)
  }

  progress(text: string): void {
    process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${this.scenario}: ${text}\n`)
  }
}

export const median = (all: ReadonlyArray<number>): number => {
  const sorted = all.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
