/**
 * A disk under a hub that may be killed between any two steps: it takes its time, keeps what it acknowledged, and what a
 * dead process had under way is kept or not. It may run full, and a power cut takes its tail.
 */
import { Effect, Layer } from "effect"

import { checkpointOf, replay, settleMembers } from "../../src/Hub/Checkpoint.ts"
import { type Entry, Journal, JournalFailed, type Kept, type Member } from "../../src/Hub/Journal.ts"
import type { Memory } from "../../src/Hub/State.ts"
import type { Dice } from "../Hub/World.ts"

export class FaultyDisk {
  kept: Kept | undefined
  isFull = false
  /** What was kept of members, one after the other. */
  members: ReadonlyArray<Member> = []
  private readonly dice: Dice
  private readonly onAppend: (entry: Entry) => void
  private readonly count: (what: "kept" | "fetched") => void
  private process = 0

  /** `onAppend`: an entry can no longer be lost by a death of the process. */
  constructor(dice: Dice, onAppend: (entry: Entry) => void, count: (what: "kept" | "fetched") => void) {
    this.count = count
    this.dice = dice
    this.onAppend = onAppend
  }

  /** Whatever the process had under way stops here. */
  kill(): void {
    this.process++
  }

  /** How many of the last entries are lost. */
  cutPower(most: number): number {
    const { entries } = this.kept!
    const lost = Math.min(most, entries.length)
    const gone = new Set(entries.slice(entries.length - lost).map(({ revision }) => revision))
    this.kept = { ...this.kept!, entries: entries.slice(0, entries.length - lost) }
    this.members = this.members.filter(({ rev }) => !gone.has(rev))
    return lost
  }

  /** By name, the newest of each. */
  private get texts(): ReadonlyMap<string, string> {
    return new Map(this.members.map(({ name, text }) => [name, text]))
  }

  /** Makes a checkpoint of some of what is kept, as a journal may at any time. */
  compact(memory: Memory): void {
    const { kept } = this
    if (kept === undefined) return
    const { length } = kept.entries
    const count = this.dice.chance(0.5) ? length : this.dice.int(length + 1)
    const entries = kept.entries.slice(0, count)
    const upTo = entries.at(-1)?.revision ?? -1
    const then = this.members.filter(({ rev }) => rev <= upTo)
    const members = new Map(then.map(({ name, text }) => [name, text]))
    const steps = replay({ ...kept, members, entries }, memory)
    for (;;) {
      const { done, value } = steps.next()
      if (done !== true) continue
      const newest = new Map(then.map(({ name, rev }) => [name, rev]))
      const over = new Map(settleMembers(value, newest))
      this.members = this.members.filter(({ name, rev }) => rev > (over.get(name) ?? -1))
      this.kept = { ...kept, pieces: [...checkpointOf(value)], entries: kept.entries.slice(count) }
      return
    }
  }

  /** `early`: a planted mistake, an acknowledgement before the entry is kept. */
  layer(planted: { readonly early?: boolean } = {}): Layer.Layer<Journal> {
    const { process } = this
    const isDead = () => this.process !== process
    return Layer.succeed(Journal, {
      open: (fresh) =>
        Effect.sync(() => {
          this.kept ??= { ...fresh, pieces: [], entries: [] }
          return { ...this.kept, members: this.texts }
        }),
      append: (entry) =>
        Effect.gen({ self: this }, function* () {
          if (planted.early === true) return
          yield* Effect.sleep(this.dice.int(20))
          if (isDead()) return
          if (this.isFull) return yield* new JournalFailed({ file: "f", trouble: "full", detail: "" })
          this.kept = { ...this.kept!, entries: [...this.kept!.entries, entry] }
          this.onAppend(entry)
          yield* Effect.sleep(this.dice.int(20))
        }),
      past: () => Effect.succeed(undefined),
      expire: () => Effect.succeed(false),
      keepMember: (member) =>
        Effect.gen({ self: this }, function* () {
          yield* Effect.sleep(this.dice.int(20))
          if (isDead()) return
          if (this.isFull) return yield* new JournalFailed({ file: "f", trouble: "full", detail: "" })
          this.members = [...this.members, member]
          this.count("kept")
          yield* Effect.sleep(this.dice.int(20))
        }),
      member: (name) =>
        Effect.gen({ self: this }, function* () {
          yield* Effect.sleep(this.dice.int(20))
          this.count("fetched")
          return this.members.findLast((member) => member.name === name)?.text
        }),
      replace: ({ collections, pieces }) =>
        Effect.sync(() => {
          this.kept = { epoch: this.kept!.epoch, collections, pieces, entries: [] }
        }),
      lost: Effect.never,
      outlives: () => true,
      file: "the simulated disk"
    })
  }
}
