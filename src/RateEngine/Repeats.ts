/**
 * Requests that may come again because their answer was lost (`Idempotency-Key`): the first answer is given again. Kept
 * with the commits, so that a restart in between changes nothing.
 */
import { type Answered, answeredFor, mostAnswered, mostAnsweredText } from "../Answered.ts"

export class Repeats {
  private readonly answered = new Map<string, Answered>()
  private text = 0

  constructor(kept: Iterable<Answered>) {
    for (const each of kept) this.add(each)
  }

  find(id: string, now: number): Answered | undefined {
    const found = this.answered.get(id)
    return found !== undefined && now - found.at < answeredFor ? found : undefined
  }

  add(answered: Answered): void {
    this.forget(answered.id)
    this.answered.set(answered.id, answered)
    this.text += lengthOf(answered)
    for (const [id, { at }] of this.answered) {
      const isFull = this.answered.size > mostAnswered || this.text > mostAnsweredText
      if (!isFull && answered.at - at < answeredFor) return
      this.forget(id)
    }
  }

  private forget(id: string): void {
    const found = this.answered.get(id)
    if (found === undefined) return
    this.answered.delete(id)
    this.text -= lengthOf(found)
  }
}

const lengthOf = ({ row = "" }: Answered): number => row.length
