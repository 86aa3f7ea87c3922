/** Somebody asked for what comes from now on, and then for the rows that there were: where the two meet. */
import type { Message } from "../Held.ts"

type Told = readonly [text: string, id: string | undefined]

const revisionOf = (cursor: string): number => Number(cursor.split("-")[1])

export class Joining {
  /** Where it was told that it stands. */
  private readonly toldAt: string
  private waiting: Array<Told> | undefined = []
  private isOver = false

  constructor(toldAt: string) {
    this.toldAt = toldAt
  }

  /** `true`: kept until the rows are there. */
  keeps(...told: Told): boolean {
    return this.waiting !== undefined && this.waiting.push(told) > 0
  }

  /** The rows are there, and what was kept can be told. */
  release(): ReadonlyArray<Told> {
    const kept = this.waiting ?? []
    this.waiting = undefined
    return kept
  }

  /** Where it stands with these rows: they were asked for later, so what they show is not older than what it was told. */
  standsAt(rows: string): string {
    return revisionOf(rows) < revisionOf(this.toldAt) ? this.toldAt : rows
  }

  /**
   * Where to take a message from that the rows may be newer than: `undefined` for nowhere, because they hold all of it.
   * What they hold in part does no harm when it is applied again.
   */
  from(text: string, cursor: string): string | undefined {
    if (this.isOver) return cursor
    const message = JSON.parse(text) as Message
    if (message.cursor === undefined) return cursor
    if (revisionOf(message.cursor) <= revisionOf(cursor)) return undefined
    this.isOver = true
    return message.from!
  }
}
