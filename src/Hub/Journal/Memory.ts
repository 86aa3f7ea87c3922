/** A journal in memory that outlives a hub but not the process: for tests and simulations, in which a hub is killed. */
import { Effect, Layer } from "effect"

import type { Answered } from "../../Answered.ts"
import { type Entry, Journal, type Kept, type Past } from "../Journal.ts"

/** What stands in for the disk. */
export class Disk {
  kept: Kept | undefined
  readonly history: Array<Past> = []
  readonly answered: Array<Answered> = []

  get entries(): ReadonlyArray<Entry> {
    return this.kept?.entries ?? []
  }

  /** In place: a day of commits, each copied with every other, would take minutes. */
  add(entry: Entry): void {
    const { answered, history = [], revision, text } = entry
    if (answered !== undefined) this.answered.push(answered)
    ;(this.kept!.entries as Array<Entry>).push({ revision, text })
    this.history.push(...history)
  }

  /** Loses the last entries, as a power cut does. */
  lose(count: number): void {
    if (this.kept !== undefined)
      this.kept = { ...this.kept, entries: this.entries.slice(0, Math.max(0, this.entries.length - count)) }
  }
}

export const layerMemory = (disk: Disk) =>
  Layer.succeed(Journal, {
    open: (fresh) =>
      Effect.sync(() => {
        disk.kept ??= { ...fresh, pieces: [], entries: [] }
        return { ...disk.kept, entries: [...disk.entries], answered: [...disk.answered] }
      }),
    append: (entry) =>
      Effect.sync(() => {
        disk.add(entry)
      }),
    past: ({ before, collection, limit }) =>
      Effect.sync(() => {
        const rows = disk.history.filter((past) => past.collection === collection)
        const end = before === undefined ? rows.length : rows.findLastIndex(({ key }) => key === before)
        return end === -1 ? undefined : rows.slice(0, end).toReversed().slice(0, limit)
      }),
    replace: (kept) =>
      Effect.sync(() => {
        disk.kept = { epoch: disk.kept!.epoch, ...kept, entries: [] }
      }),
    lost: Effect.never,
    outlives: () => true,
    file: "memory"
  })
