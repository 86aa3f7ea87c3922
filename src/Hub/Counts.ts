/**
 * Messages and bytes by type and framing, counted once per reader. Plain numbers, because a metric costs a microsecond
 * and this is once per reader and message; the metrics get them once a turn.
 */
import { type Context, Metric } from "effect"

import type { Frame, FrameType } from "./Frame.ts"
import type { Framing } from "./Framing.ts"

const messages = Metric.counter("hub_messages_total", {
  description: "Messages by type and framing, counted once per reader",
  incremental: true
})
const bytes = Metric.counter("hub_message_bytes_total", {
  description: "Bytes of messages by framing, as they go over the wire",
  incremental: true
})

interface Count {
  messages: number
  bytes: number
}

export class Counts {
  private readonly context: Context.Context<never>
  private readonly counts = new Map<Framing, Map<FrameType, Count>>()
  private changed = false
  /** Of the frame before: the next one is mostly alike. */
  private lastFraming: Framing | undefined
  private lastType: FrameType | undefined
  private last: Count = { messages: 0, bytes: 0 }

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  sent(frame: Frame, framing: Framing): void {
    if (framing !== this.lastFraming || frame.type !== this.lastType) this.find(frame.type, framing)
    this.last.messages++
    this.last.bytes += frame.in(framing).bytes
    this.changed = true
  }

  private find(type: FrameType, framing: Framing): void {
    let types = this.counts.get(framing)
    if (types === undefined) this.counts.set(framing, (types = new Map()))
    let count = types.get(type)
    if (count === undefined) types.set(type, (count = { messages: 0, bytes: 0 }))
    this.last = count
    this.lastFraming = framing
    this.lastType = type
  }

  flush(): void {
    if (!this.changed) return
    this.changed = false
    for (const [framing, types] of this.counts) {
      let sum = 0
      for (const [type, count] of types) {
        sum += count.bytes
        if (count.messages > 0) {
          Metric.withAttributes(messages, { framing, type }).updateUnsafe(count.messages, this.context)
        }
        count.messages = count.bytes = 0
      }
      if (sum > 0) Metric.withAttributes(bytes, { framing }).updateUnsafe(sum, this.context)
    }
  }
}
