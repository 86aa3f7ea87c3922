/** All clients: who they are, and how restless. */
import type { Query } from "./Query.ts"
import { roadNames } from "./Road.ts"
import { type Ground, type Habit, Visitor } from "./Visitor.ts"

const intervals = [0, 0, 0, 50, 500, 2_000, 5_000]

export class Crowd {
  readonly visitors: Array<Visitor> = []
  private readonly ground: Ground
  private readonly queries: ReadonlyArray<Query>
  private readonly runs = new Set<Promise<void>>()
  private timer: NodeJS.Timeout | undefined
  private count = 0

  constructor(ground: Ground, queries: ReadonlyArray<Query>) {
    this.ground = ground
    this.queries = queries
  }

  get size(): number {
    return this.visitors.length
  }

  /** Who was told something in the daemon's present life. */
  get present(): number {
    const { number } = this.ground.daemon.life
    return this.visitors.filter(({ life }) => life === number).length
  }

  /** Every client is what the upstream says. */
  get isCurrent(): boolean {
    return this.visitors.every((visitor) => this.ground.oracle.isCurrent(visitor))
  }

  come(count: number): void {
    for (let n = 0; n < count; n++) this.visitors.push(this.newcomer())
  }

  /** Some leave, by the chance of each in a tenth of a second, come back, or lose patience. */
  stir(options: { readonly drops: number; readonly leaves: number; readonly pauses: number }): void {
    const { dice, tally } = this.ground
    clearInterval(this.timer)
    this.timer = setInterval(() => {
      const now = performance.now()
      for (const [at, visitor] of this.visitors.entries()) {
        if (visitor.isPaused) continue
        if (dice.chance(options.pauses) && visitor.pause()) {
          tally.add("paused")
          setTimeout(() => visitor.goOn(), 500 + dice.int(8_000))
          continue
        }
        if (dice.chance(options.leaves)) {
          tally.add("left")
          visitor.stop()
          this.visitors[at] = this.newcomer()
        } else if (dice.chance(options.drops)) {
          tally.add("dropped")
          if (dice.chance(0.1)) visitor.forget()
          else visitor.drop()
        } else if (now - visitor.lastAt > visitor.habit.patience) {
          tally.add("lost patience")
          visitor.lastAt = now
          visitor.drop()
        }
      }
    }, 100)
  }

  /** Nobody leaves any more unless it hears nothing. */
  calm(): void {
    this.stir({ drops: 0, leaves: 0, pauses: 0 })
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    for (const visitor of this.visitors) visitor.stop()
    await Promise.all(this.runs)
  }

  private newcomer(): Visitor {
    const { dice } = this.ground
    const road = dice.pick(roadNames)
    const interval = dice.pick(intervals)
    return this.enter({
      query: dice.pick(this.queries),
      road,
      interval,
      startsNow: road !== "poll" && dice.chance(0.15),
      patience: interval + (dice.chance(0.3) ? 4_000 : 40_000)
    })
  }

  /** Somebody of habits that are not left to chance. */
  invite(habit: Omit<Habit, "name">): Visitor {
    const visitor = this.enter(habit)
    this.visitors.push(visitor)
    return visitor
  }

  private enter(habit: Omit<Habit, "name">): Visitor {
    const { oracle } = this.ground
    const visitor = new Visitor(this.ground, { ...habit, name: `${habit.road} ${++this.count}` })
    const run = visitor
      .run()
      .catch((error: unknown) => oracle.violated(`${visitor.name} broke: ${String(error)}`))
      .finally(() => this.runs.delete(run))
    this.runs.add(run)
    return visitor
  }
}
