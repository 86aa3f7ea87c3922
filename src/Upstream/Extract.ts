/** What a body says of one collection: its rows, how they differ from what the body before said, and what was bad. */
import type { ErrorCode, Row } from "../Collection.ts"
import type { Edition } from "./Edition.ts"

export interface Failure {
  readonly code: ErrorCode
  /** A fixed sentence: never a URL, header or body of the upstream. */
  readonly detail: string
  /** What the log says beside that: what was asked, what came, and what to do about it. */
  readonly more?: string | undefined
}

/** What was set aside on the way, for counters and for one line in the log. */
export interface Notes {
  readonly bad: ReadonlyArray<{
    readonly key: string | undefined
    readonly reason: string
    /** A short excerpt of what does not fit. */
    readonly came: string | undefined
  }>
  readonly badCount: number
  readonly duplicates: number
  /** Fields, not declared decimal, with numbers that lost digits. */
  readonly inexact: ReadonlyArray<string>
  /** What the config's own functions threw. */
  readonly thrown: string | undefined
}

export interface Extract {
  /** Good rows by key; a row that did not change is the same object as before. Those of the last good body where this one failed. */
  readonly rows: Edition
  readonly failure: Failure | undefined
  readonly notes: Notes
  /** Keys of bad rows, and those among them that a good row came for later. */
  readonly bad: ReadonlyArray<string>
  readonly mended: ReadonlyArray<string>
  readonly since: Since | undefined
}

/** How rows came from others: what is new or other, in the order of the body, and what is gone. */
export interface Since {
  readonly rows: Edition
  readonly changed: ReadonlyMap<string, Row>
  readonly gone: ReadonlyArray<string>
}

/** The rows after these changes. */
export const advance = ({ changed, gone, rows }: Since): Edition =>
  changed.size === 0 && gone.length === 0 ? rows : rows.next(changed, gone)

/** What leads from the rows before to all that a body says; a row that did not change is the same object. */
export const sinceOf = (rows: Edition, said: ReadonlyMap<string, Row>): Since => {
  if (rows.size === 0) return { rows, changed: said, gone: [] }
  const changed = new Map<string, Row>()
  const gone: Array<string> = []
  let added = 0
  for (const [key, row] of said) {
    const before = rows.get(key)
    if (before === row) continue
    if (before === undefined) added++
    changed.set(key, row)
  }
  // As many rows as before and none of them new: then none can be missing.
  if (said.size - added < rows.size) for (const key of rows.keys()) if (!said.has(key)) gone.push(key)
  return { rows, changed, gone }
}
