/** What the readers of one thread want of the sources, as the main thread knows it; all of it is taken back when the thread ends. */
import { Effect } from "effect"

import { familyOf } from "../Collection.ts"
import type { Demand } from "../Upstream.ts"

/** Whoever has been let in to a member of a family has a place for this long, ms, until the news of the reader comes. */
const placeKept = 1_000

interface Entered {
  readonly collections: ReadonlyArray<string>
  times: number
}

export class Wants {
  private readonly demand: Demand["Service"]
  private readonly entered = new Map<string, Entered>()
  /** Members that somebody has been let in to, and when. Without it a thousand who ask at once would all be let in. */
  private readonly places = new Map<string, number>()

  constructor(demand: Demand["Service"]) {
    this.demand = demand
  }

  enter(collections: ReadonlyArray<string>): void {
    this.demand.enter(collections)
    // What is entered together has to leave together: it may be one source.
    const id = JSON.stringify(collections)
    const found = this.entered.get(id)
    if (found === undefined) this.entered.set(id, { collections, times: 1 })
    else found.times++
    this.giveUp(collections)
  }

  leave(collections: ReadonlyArray<string>): void {
    const id = JSON.stringify(collections)
    const found = this.entered.get(id)
    if (found === undefined) return
    if (--found.times === 0) this.entered.delete(id)
    this.demand.leave(collections)
  }

  touch(collections: ReadonlyArray<string>): void {
    this.demand.touch(collections)
    this.giveUp(collections)
  }

  /** As `Demand.full`; who is let in has a place. */
  full(collections: ReadonlyArray<string>, now: number): Effect.Effect<string | undefined> {
    return Effect.tap(this.demand.full(collections), (family) =>
      Effect.sync(() => {
        if (family !== undefined) return
        for (const name of collections) {
          if (familyOf(name) === undefined || this.places.has(name)) continue
          this.demand.enter([name])
          this.places.set(name, now)
        }
      })
    )
  }

  /** Of those who were let in and never came. */
  expire(now: number): void {
    this.giveUp([...this.places].filter(([, since]) => now - since >= placeKept).map(([name]) => name))
  }

  close(): void {
    this.giveUp([...this.places.keys()])
    for (const { collections, times } of this.entered.values()) {
      for (let i = 0; i < times; i++) this.demand.leave(collections)
    }
    this.entered.clear()
  }

  private giveUp(collections: ReadonlyArray<string>): void {
    for (const name of collections) if (this.places.delete(name)) this.demand.leave([name])
  }
}
