/** What one client is answered between two frames. Bounded: who sends faster than it reads is told so and ended. */
import { type Sink, socketPong, socketText } from "../Hub.ts"
import type { Outlet } from "./Outlet.ts"

/** Answers of each kind that wait until the client has taken what was sent before. */
const maxWaiting = 64

export class Answers {
  private readonly outlet: Outlet
  private readonly sink: Sink
  private texts: Array<string> = []
  private pongs: Array<Buffer> = []

  constructor(outlet: Outlet, sink: Sink) {
    this.outlet = outlet
    this.sink = sink
  }

  say(text: string): void {
    if (this.outlet.isFree && this.texts.length === 0) return this.outlet.writeOwn(socketText(text))
    this.texts.push(text)
    if (this.texts.length > maxWaiting) this.sink.end("too_many")
  }

  pong(data: Buffer): void {
    if (this.outlet.isFree) return this.outlet.writeOwn(socketPong(data))
    this.pongs.push(Buffer.from(data))
    if (this.pongs.length > maxWaiting) this.sink.end("too_many")
  }

  /** Between two fragments of a message control frames may stand (RFC 6455, 5.4). */
  flushPongs(): void {
    for (const data of this.pongs.splice(0)) this.outlet.writeOwn(socketPong(data))
  }

  /** Between two messages. */
  flush(): void {
    this.flushPongs()
    while (this.outlet.isFree && this.texts.length > 0) this.outlet.writeOwn(socketText(this.texts.shift()!))
  }
}
