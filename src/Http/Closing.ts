/** `ws` closes by itself; what has to be said or stopped before it does is known here. */
import * as NodeWS from "@effect/platform-node/NodeWS"

import { extensionName, type Inflater, InflationFailed } from "./Deflate.ts"

export class ClosingSocket extends NodeWS.WebSocket {
  /** The client closes. */
  onClosing = (): void => {}
  /** The client broke a rule: 1009 too large, 1007 not UTF-8, 1002 not WebSocket. */
  onBroken = (_code: number): void => {}
  private asked: { readonly code: number | undefined } | undefined

  override close(code?: number, reason?: string | Buffer): void {
    if (this.readyState !== NodeWS.WebSocket.OPEN) return super.close(code, reason)
    // The same call answers a client that closes and one that broke a rule; there an error follows at once.
    const asked = { code }
    this.asked = asked
    queueMicrotask(() => {
      if (this.asked !== asked) return
      this.onClosing()
      super.close(code, reason)
    })
  }

  /** Compressed messages are heard from now on. `ws` looks among its extensions by name, in a field of its own. */
  inflateWith(inflater: Inflater): void {
    const { _extensions } = this as unknown as { readonly _extensions: { [name: string]: unknown } }
    _extensions[extensionName] = inflater
  }

  /** Closes, as the server. */
  finish(code: number, reason: string): void {
    super.close(code, reason)
  }

  /** For the event `error`. */
  readonly fail = (error: Error): void => {
    const code = error instanceof InflationFailed ? error.closeCode : this.asked?.code
    this.asked = undefined
    if (code !== undefined) this.onBroken(code)
  }
}
