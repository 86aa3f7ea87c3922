/**
 * Writes frames to one connection, and knows when it has taken them. Never a queue: while one frame is being taken no
 * other is offered, so a stalled reader holds one frame, and that one is shared with everybody else.
 */
import type { Writable } from "node:stream"

import type { Encoded } from "../Hub.ts"

/** A frame of more bytes than this is written piece by piece, so that it can be seen whether the reader takes any. */
const pieceBytes = 256 * 1024

export interface OutletEvents {
  /** All of the last frame is taken. */
  readonly drained: () => void
  /** Some of it is. */
  readonly progressed: () => void
}

export class Outlet {
  private readonly out: Writable
  private readonly events: OutletEvents
  /** What is left of a long frame. */
  private rest: Array<Buffer> = []
  private waits = false

  constructor(out: Writable, events: OutletEvents) {
    this.out = out
    this.events = events
    out.on("drain", this.onDrain)
  }

  /** Whether a frame is being written piece by piece: nothing else may be written into the middle of it. */
  get isBusy(): boolean {
    return this.rest.length > 0
  }

  /** Whether the connection has taken everything. */
  get isFree(): boolean {
    return !this.waits && this.rest.length === 0
  }

  /** `false`: `drained` is called when it has been taken. */
  write({ buffers, bytes }: Encoded): boolean {
    if (buffers.length === 1) this.waits = !this.out.write(buffers[0]!)
    else if (bytes <= pieceBytes) {
      this.out.cork()
      for (const buffer of buffers) this.waits = !this.out.write(buffer)
      this.out.uncork()
    } else {
      this.rest = [...buffers]
      this.pump()
    }
    return !this.waits
  }

  /** Bytes of this connection alone, between two frames. */
  writeOwn(bytes: Buffer): void {
    if (!this.out.write(bytes)) this.waits = true
  }

  close(): void {
    this.rest = []
    this.waits = false
    this.out.off("drain", this.onDrain)
  }

  private pump(): void {
    let taken = true
    while (taken && this.rest.length > 0) taken = this.out.write(this.rest.shift()!)
    this.waits = !taken
  }

  private readonly onDrain = (): void => {
    if (!this.waits) return
    if (this.rest.length > 0) {
      this.pump()
      if (this.waits) return this.events.progressed()
    }
    this.waits = false
    this.events.drained()
  }
}
