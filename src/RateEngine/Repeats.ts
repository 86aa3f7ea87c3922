/**
 * Requests that may come again because their answer was lost (`Idempotency-Key`): the first answer is given again. Kept
 * with the commits, so that a restart in between changes nothing.
 */
import { type Answered, answeredFor, mostAnswered } from "../Answered.ts"

export class Repeats {
  private readonly answered = new Map<string, Answered>()

  constructor(kept: Iterable<Answered>) {
    for (const each of kept) this.add(each)
  }

  find(id: string, now: number): Answered | undefined {
    const found = this.answered.get(id)
    return found !== undefined && now - found.at < answeredFor ? found : undefined
  }

  add(answered: Answered): void {
    this.answered.delete(answered.id)
    this.answered.set(answered.id, answered)
    for (const [id, { at }] of this.answered) {
      if (this.answered.size <= mostAnswered && answered.at - at < answeredFor) return
      this.answered.delete(id)
    }
  }
}
