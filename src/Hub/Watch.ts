/** The keys of one collection that somebody asked for, and which of them were touched lately. */

/** More than this, and all are looked at: to know which costs more than it saves. */
const most = 16

export class Watch {
  readonly keys: Iterable<string>
  private readonly concern: () => void
  private lately: Array<string> | undefined = []

  /** `concern` is called before a key is noted. */
  constructor(keys: Iterable<string>, concern: () => void) {
    this.keys = keys
    this.concern = concern
  }

  /** Each once; `undefined` for any of them. */
  get touched(): ReadonlyArray<string> | undefined {
    return this.lately
  }

  touch(key: string): void {
    this.concern()
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
