/**
 * How many swaps are due: the only place where the wall clock enters. Nothing ticks; whoever asks first after a while
 * gets the world brought up to date.
 */
import type { Dice } from "./Dice.ts"

/** After a day without a reader the world has slept, rather than make that reader wait for a day of swaps. */
const most = 20_000

/** `perSecond` 0: nothing is ever due. `now` in ms. */
export const makePace = (dice: Dice, perSecond: number, now: () => number): (() => number) => {
  let next = perSecond > 0 ? now() + dice.wait(perSecond) * 1000 : Infinity
  return () => {
    const until = now()
    let due = 0
    while (next <= until) {
      due++
      next = (due === most ? until : next) + dice.wait(perSecond) * 1000
    }
    return due
  }
}
