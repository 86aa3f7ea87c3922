/**
 * The cohorts of an audience, by where they stand. Mostly there is one: then there is no map, and no text made to look it
 * up by, twice for each reader whose query is its own, at every commit.
 */
import type { Cohort, Pace, Place } from "./Audience.ts"

const keyOf = (pace: Pace, { notBefore, seen, sent }: Place): string =>
  `${sent}/${seen}/${notBefore}/${pace.interval}${pace.once ? "/once" : ""}`

const standsAt = ({ pace, place }: Cohort, { interval, once }: Pace, at: Place): boolean =>
  place.sent === at.sent &&
  place.seen === at.seen &&
  place.notBefore === at.notBefore &&
  pace.interval === interval &&
  pace.once === once

export class Cohorts {
  private only: Cohort | undefined
  /** All of them, where there have been more than one. */
  private byPlace: Map<string, Cohort> | undefined

  all(): Iterable<Cohort> {
    return this.byPlace?.values() ?? (this.only === undefined ? [] : [this.only])
  }

  at(pace: Pace, place: Place): Cohort | undefined {
    if (this.byPlace !== undefined) return this.byPlace.get(keyOf(pace, place))
    return this.only !== undefined && standsAt(this.only, pace, place) ? this.only : undefined
  }

  add(cohort: Cohort): void {
    if (this.byPlace === undefined && this.only === undefined) {
      this.only = cohort
      return
    }
    if (this.byPlace === undefined) {
      this.byPlace = new Map([[keyOf(this.only!.pace, this.only!.place), this.only!]])
      this.only = undefined
    }
    this.byPlace.set(keyOf(cohort.pace, cohort.place), cohort)
  }

  delete(cohort: Cohort): void {
    if (this.byPlace === undefined) {
      if (this.only === cohort) this.only = undefined
      return
    }
    const key = keyOf(cohort.pace, cohort.place)
    if (this.byPlace.get(key) === cohort) this.byPlace.delete(key)
    if (this.byPlace.size === 0) this.byPlace = undefined
  }
}
