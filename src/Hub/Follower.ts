/** A State that goes where a log goes. Throws on what does not follow: it must not serve what it cannot know. */
import type { Catalog } from "../Catalog.ts"
import type { Commit } from "../Collection.ts"
import { replayed, tableOf } from "./Checkpoint.ts"
import { commitOf } from "./CommitText.ts"
import type { Kept } from "./Journal.ts"
import type { News } from "./Log.ts"
import { declarationsOf } from "./Restart.ts"
import type { Memory, State } from "./State.ts"

export class Follower {
  readonly state: State
  private readonly memory: Memory
  /** Moves the state on; and whoever serves readers from it rings its own bell. */
  publish: (made: Commit, text: string) => void

  constructor(kept: Kept, catalog: Catalog["Service"], memory: Memory) {
    if (JSON.stringify(declarationsOf(catalog)) !== JSON.stringify(kept.collections))
      throw new RangeError("the config file declares other collections than when the daemon was started")
    this.memory = memory
    this.state = replayed(kept, memory)
    this.publish = (made, text) => this.state.apply(made, text)
  }

  hear(news: News): void {
    const { state } = this
    if (news._tag === "Touch") return state.touch(news.asOf)
    if (news._tag === "PagedOut") return state.pageOut(news.name)
    if (news._tag === "PagedIn") return state.pageIn(news.name, () => tableOf(news.text, this.memory))
    const { revision, text } = news
    if (revision !== state.revision + 1) throw new RangeError(`revision ${revision} after ${state.revision}`)
    this.publish(
      commitOf(text, (name, key) => state.rows(name).get(key)),
      text
    )
  }
}
