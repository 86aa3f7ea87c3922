/**
 * Writes frames to one connection, and knows when it has taken them. Never a queue: while one frame is being taken no
 * other is offered, so a stalled reader holds one frame, and that one is shared with everybody else.
 */
import type { Writable } from "node:stream"

import type { Encoded } from "../Hub.ts"
import { descriptorOf, noDescriptor, writeNow } from "./Descriptor.ts"

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
  private rest: Array<Buffer> | undefined
  /** Listens only while something waits: a reader that has taken everything has no listener. */
  private waiting: (() => void) | undefined
  /** While nothing is on its way through the stream. */
  private descriptor = noDescriptor

  constructor(out: Writable, events: OutletEvents) {
    this.out = out
    this.events = events
  }

  /** Whether a frame is being written piece by piece: nothing else may be written into the middle of it. */
  get isBusy(): boolean {
    return this.rest !== undefined
  }

  /** Whether the connection has taken everything. */
  get isFree(): boolean {
    return this.waiting === undefined && this.rest === undefined
  }

  /** `false`: `drained` is called when it has been taken. */
  write({ buffers, bytes }: Encoded): boolean {
    if (buffers.length === 1) this.writeOne(buffers[0]!)
    else if (bytes <= pieceBytes) {
      let taken = true
      this.descriptor = noDescriptor
      this.out.cork()
      for (const buffer of buffers) taken = this.out.write(buffer)
      this.out.uncork()
      this.took(taken)
    } else {
      this.descriptor = noDescriptor
      this.rest = [...buffers]
      this.pump()
    }
    return this.waiting === undefined
  }

  /** Bytes of this connection alone, between two frames. */
  writeOwn(bytes: Buffer): void {
    this.descriptor = noDescriptor
    if (!this.out.write(bytes)) this.took(false)
  }

  close(): void {
    this.descriptor = noDescriptor
    this.rest = undefined
    this.took(true)
  }

  private writeOne(buffer: Buffer): void {
    const written = writeNow(this.out, this.descriptor, buffer)
    if (written === buffer.length) return
    this.took(this.out.write(written === 0 ? buffer : buffer.subarray(written)))
    this.descriptor = descriptorOf(this.out)
  }

  private pump(): void {
    const { rest } = this
    if (rest === undefined) return
    let taken = true
    while (taken && rest.length > 0) taken = this.out.write(rest.shift()!)
    if (rest.length === 0) this.rest = undefined
    this.took(taken)
  }

  private took(taken: boolean): void {
    if (taken) {
      if (this.waiting !== undefined) this.out.off("drain", this.waiting)
      this.waiting = undefined
    } else if (this.waiting === undefined) {
      this.waiting = () => this.onDrain()
      this.out.on("drain", this.waiting)
    }
  }

  private onDrain(): void {
    if (this.rest !== undefined) {
      this.pump()
      if (this.waiting !== undefined) return this.events.progressed()
    }
    this.took(true)
    this.events.drained()
  }
}
