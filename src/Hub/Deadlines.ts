/**
 * Everything that happens to readers at a time: pings, intervals, rotation, stalls. A heap of plain objects, because ten
 * thousand readers have as many of them and a fiber each would cost more than the reader.
 */
export interface Deadline {
  readonly at: number
}

/** `of`: what `fire` is about, so that one function does for all readers instead of a closure for each. */
interface Node extends Deadline {
  readonly fire: (now: number, of: unknown) => void
  readonly of: unknown
  index: number
}

export class Deadlines {
  private readonly heap: Array<Node> = []
  private readonly onEarlier: () => void

  /** `onEarlier`: something is due before everything else that was. */
  constructor(onEarlier: () => void) {
    this.onEarlier = onEarlier
  }

  get size(): number {
    return this.heap.length
  }

  /** When the first one is due, ms of the steady clock; Infinity for none. */
  get next(): number {
    return this.heap[0]?.at ?? Infinity
  }

  set<A>(at: number, fire: (now: number, of: A) => void, of?: A): Deadline {
    const node: Node = { at, fire: fire as Node["fire"], of, index: this.heap.length }
    this.heap.push(node)
    this.rise(node)
    if (node.index === 0) this.onEarlier()
    return node
  }

  /** Taken out at once, or readers that come and go would leave theirs behind. */
  cancel(deadline: Deadline | undefined): void {
    const node = deadline as Node | undefined
    if (node === undefined || this.heap[node.index] !== node) return
    const last = this.heap.pop()!
    if (last === node) return
    this.heap[node.index] = last
    last.index = node.index
    this.rise(last)
    this.sink(last)
  }

  /** Fires everything that is due. */
  run(now: number): void {
    for (let first = this.heap[0]; first !== undefined && first.at <= now; first = this.heap[0]) {
      this.cancel(first)
      first.fire(now, first.of)
    }
  }

  private rise(node: Node): void {
    while (node.index > 0) {
      const parent = this.heap[(node.index - 1) >> 1]!
      if (parent.at <= node.at) return
      this.swap(node, parent)
    }
  }

  private sink(node: Node): void {
    for (;;) {
      const left = this.heap[node.index * 2 + 1]
      const right = this.heap[node.index * 2 + 2]
      const child = right !== undefined && right.at < left!.at ? right : left
      if (child === undefined || child.at >= node.at) return
      this.swap(node, child)
    }
  }

  private swap(a: Node, b: Node): void {
    const { index } = a
    a.index = b.index
    b.index = index
    this.heap[a.index] = a
    this.heap[b.index] = b
  }
}
