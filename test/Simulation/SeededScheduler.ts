/** Runs what can run in an order of the seed's choosing: interleavings that time alone would never show. */
import { type Fiber, type Scheduler } from "effect"

import type { Dice } from "../Hub/World.ts"

export class SeededScheduler implements Scheduler.Scheduler {
  readonly executionMode = "async"
  /** Tasks run so far, and a hash over their order: the same seed is the same run. */
  tasks = 0
  hash = 0
  private readonly dice: Dice
  private queue: Array<{ readonly run: () => void; readonly priority: number; readonly serial: number }> = []
  private serial = 0
  private isScheduled = false

  constructor(dice: Dice) {
    this.dice = dice
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= 512
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return {
      scheduleTask: (run, priority) => {
        this.queue.push({ run, priority, serial: this.serial++ })
        if (this.isScheduled) return
        this.isScheduled = true
        setImmediate(() => {
          this.isScheduled = false
          this.turn()
        })
      },
      flush: () => {
        while (this.queue.length > 0) this.turn()
      }
    }
  }

  private turn(): void {
    const queue = this.queue
    this.queue = []
    const shuffled = queue.map(({ priority, run, serial }) => ({
      priority,
      run,
      serial,
      place: this.dice.next()
    }))
    shuffled.sort((a, b) => a.priority - b.priority || a.place - b.place)
    for (const { run, serial } of shuffled) {
      this.tasks++
      this.hash = (Math.imul(this.hash, 31) + serial) | 0
      run()
    }
  }
}
