/**
 * Writes frames to one connection, and knows when it has taken them. Never a queue: while one frame is being taken no
 * other is offered, so a stalled reader holds one frame, and that one is shared with everybody else. (Over TLS and HTTP/2 it
 * is as many as fit into 64 KiB: Node does not tell what is still to be encrypted from what the client does not take.)
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
  /** Called when all that was written is taken. Only while something is not: a reader that has taken everything has no listener. */
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
    if (buffers.length === 1) this.put(buffers[0]!)
    else if (bytes <= pieceBytes) for (const buffer of buffers) this.put(buffer)
    else {
      this.rest = [...buffers]
      this.pump()
    }
    return this.waiting === undefined
  }

  /** Bytes of this connection alone, between two frames. */
  writeOwn(bytes: Buffer): void {
    this.put(bytes)
  }

  close(): void {
    this.rest = undefined
    this.stopWaiting()
  }

  private put(buffer: Buffer): void {
    if (this.descriptor === noDescriptor) this.descriptor = descriptorOf(this.out)
    const written = writeNow(this.out, this.descriptor, buffer)
    if (written === buffer.length) return
    const isFull = this.descriptor !== noDescriptor
    this.descriptor = noDescriptor
    const left = written === 0 ? buffer : buffer.subarray(written)
    // The stream would take more before it says that it is too much.
    if (isFull || this.waiting !== undefined) this.out.write(left, this.wait())
    else if (!this.out.write(left)) this.out.on("drain", this.wait())
  }

  private pump(): void {
    while (this.waiting === undefined) {
      const next = this.rest?.shift()
      if (next === undefined) return void (this.rest = undefined)
      this.put(next)
    }
    if (this.rest?.length === 0) this.rest = undefined
  }

  private wait(): (error?: Error | null) => void {
    this.stopWaiting()
    const taken = (error?: Error | null) => {
      // One that is broken is also closed.
      if (this.waiting === taken && !error) this.onTaken()
    }
    this.waiting = taken
    return taken
  }

  private stopWaiting(): void {
    if (this.waiting !== undefined) this.out.off("drain", this.waiting)
    this.waiting = undefined
  }

  private onTaken(): void {
    this.stopWaiting()
    if (this.rest !== undefined) {
      this.pump()
      if (this.waiting !== undefined) return this.events.progressed()
    }
    this.events.drained()
  }
}
