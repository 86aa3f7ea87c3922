/** A journal in memory that outlives a hub but not the process: for tests and simulations, in which a hub is killed. */
import { Effect, Layer } from "effect"

import type { Answered } from "../../Answered.ts"
import { familyOf } from "../../Collection.ts"
import { isGivenKey } from "../../GivenKey.ts"
import {
  type Entry,
  type Expiring,
  Journal,
  type Kept,
  type Left,
  type Member,
  type Past,
  type PastAsked
} from "../Journal.ts"

/** What stands in for the disk. */
export class Disk {
  kept: Kept | undefined
  history: Array<Left> = []
  readonly answered: Array<Answered> = []
  /** As they were kept, one after the other. */
  members: ReadonlyArray<Member> = []

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

  past({ before, collection, limit }: PastAsked): ReadonlyArray<Past> | undefined {
    const rows = this.history.filter((past) => past.collection === collection)
    let end = before === undefined ? rows.length : rows.findLastIndex(({ key }) => key === before)
    if (end === -1 && limit > 0 && isGivenKey(before!))
      end = rows.findLastIndex(({ key }) => isGivenKey(key) && key < before!) + 1
    return end === -1
      ? undefined
      : rows
          .slice(0, end)
          .toReversed()
          .slice(0, limit)
          .map(({ key, row }) => ({ collection, key, row }))
  }

  expire({ keeps, now }: Expiring): void {
    const counts = new Map<string, number>()
    this.history = this.history
      .toReversed()
      .filter(({ at, collection }) => {
        const nth = (counts.get(collection) ?? 0) + 1
        counts.set(collection, nth)
        const keep = keeps.find(({ family }) => family === (familyOf(collection)?.family ?? collection))
        return keep === undefined || (nth <= keep.rows && at > now - (keep.age ?? Infinity))
      })
      .toReversed()
  }

  member(name: string): string | undefined {
    return this.members.findLast((member) => member.name === name)?.text
  }

  /** By name, the newest of each. */
  get texts(): ReadonlyMap<string, string> {
    return new Map(this.members.map(({ name, text }) => [name, text]))
  }

  /** Loses the last entries, as a power cut does. */
  lose(count: number): void {
    if (this.kept === undefined) return
    const left = this.entries.length - count
    const lost = new Set(this.entries.slice(Math.max(0, left)).map(({ revision }) => revision))
    this.kept = { ...this.kept, entries: this.entries.slice(0, Math.max(0, left)) }
    this.members = this.members.filter(({ rev }) => !lost.has(rev))
  }
}

export const layerMemory = (disk: Disk) =>
  Layer.succeed(Journal, {
    open: (fresh) =>
      Effect.sync(() => {
        disk.kept ??= { ...fresh, pieces: [], entries: [] }
        return { ...disk.kept, entries: [...disk.entries], members: disk.texts, answered: [...disk.answered] }
      }),
    append: (entry) =>
      Effect.sync(() => {
        disk.add(entry)
      }),
    past: (asked) => Effect.sync(() => disk.past(asked)),
    expire: (expiring) =>
      Effect.as(
        Effect.sync(() => disk.expire(expiring)),
        false
      ),
    keepMember: (member) =>
      Effect.sync(() => {
        disk.members = [...disk.members, member]
      }),
    member: (name) => Effect.sync(() => disk.member(name)),
    replace: (kept) =>
      Effect.sync(() => {
        disk.kept = { epoch: disk.kept!.epoch, ...kept, entries: [] }
      }),
    lost: Effect.never,
    outlives: () => true,
    file: "memory"
  })
