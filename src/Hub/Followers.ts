/** Whoever hears of all that changes State here, in order. */
import { checkpointOf } from "./Checkpoint.ts"
import type { News } from "./Log.ts"
import type { State } from "./State.ts"

export class Followers {
  private readonly state: State
  private readonly hearing = new Set<(news: News) => void>()
  /** The checkpoint, for followers that come before anything else happens. */
  private pieces: ReadonlyArray<string> | undefined

  constructor(state: State) {
    this.state = state
  }

  /** In one go, or a commit might come between two pieces. */
  checkpoint(): ReadonlyArray<string> {
    return (this.pieces ??= [...checkpointOf(this.state)])
  }

  add(hear: (news: News) => void): void {
    this.hearing.add(hear)
  }

  delete(hear: (news: News) => void): void {
    this.hearing.delete(hear)
  }

  tell(news: News): void {
    this.pieces = undefined
    for (const hear of this.hearing) hear(news)
  }
}
