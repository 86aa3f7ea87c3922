/** How many each has; who has none is not kept. */
export class Counts {
  private readonly most: number
  private readonly counts = new Map<string, number>()

  constructor(most: number) {
    this.most = most
  }

  /** `false`: it has as many as it may. */
  take(name: string): boolean {
    const count = this.counts.get(name) ?? 0
    if (count >= this.most) return false
    this.counts.set(name, count + 1)
    return true
  }

  give(name: string): void {
    const count = this.counts.get(name) ?? 0
    if (count > 1) this.counts.set(name, count - 1)
    else this.counts.delete(name)
  }
}
