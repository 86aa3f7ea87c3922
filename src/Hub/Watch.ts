/** The keys of one collection that somebody asked for, and which of them were touched lately. */

/** More than this, and all are looked at: to know which costs more than it saves. */
const most = 16

export interface Concerned {
  /** A commit that has just been applied may have changed something that it asked for. Called before a key is noted. */
  readonly concern: () => void
}

export class Watch {
  readonly keys: Iterable<string>
  private readonly whose: Concerned
  private lately: Array<string> | undefined = []

  constructor(keys: Iterable<string>, whose: Concerned) {
    this.keys = keys
    this.whose = whose
  }

  /** Each once; `undefined` for any of them. */
  get touched(): ReadonlyArray<string> | undefined {
    return this.lately
  }

  touch(key: string): void {
    this.whose.concern()
    const { lately } = this
    if (lately === undefined || lately.includes(key)) return
    if (lately.length < most) lately.push(key)
    else this.lately = undefined
  }

  forget(): void {
    if (this.lately === undefined) this.lately = []
    else this.lately.length = 0
  }
}
