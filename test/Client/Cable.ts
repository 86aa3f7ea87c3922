/** The network between a page and its server: it is pulled out, goes dead without a word, or refuses an upgrade. */
import * as net from "node:net"

export class Cable {
  /** Where the page connects; its address stays while servers come and go. */
  port = 0
  target: number
  isOut = false
  /** Answers every upgrade itself, as a proxy does that knows no WebSocket. */
  refusesUpgrades = false
  private readonly pairs = new Set<readonly [net.Socket, net.Socket]>()
  private readonly server = net.createServer((page) => this.connect(page))

  constructor(target: number) {
    this.target = target
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done))
    this.port = (this.server.address() as net.AddressInfo).port
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** All that is open ends, and nothing gets through any more. */
  pull(): void {
    this.isOut = true
    for (const pair of this.pairs) for (const socket of pair) socket.destroy()
  }

  plug(): void {
    this.isOut = false
  }

  /** What is open carries nothing any more, and the page is not told; the server sees it end. */
  deaden(): void {
    for (const [page, server] of this.pairs) {
      server.removeAllListeners("close")
      server.destroy()
      page.unpipe()
      page.resume()
    }
  }

  async close(): Promise<void> {
    this.pull()
    await new Promise((done) => this.server.close(done))
  }

  private connect(page: net.Socket): void {
    page.on("error", () => {})
    if (this.isOut) return void page.resetAndDestroy()
    if (this.refusesUpgrades)
      page.prependOnceListener("data", (head: Buffer) => {
        if (/\r\nupgrade: websocket/i.test(head.toString("latin1")))
          page.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
      })
    const server = net.connect(this.target, "127.0.0.1")
    const pair = [page, server] as const
    this.pairs.add(pair)
    server.on("error", () => {})
    page.pipe(server)
    server.pipe(page)
    server.on("close", () => page.destroy())
    page.on("close", () => {
      this.pairs.delete(pair)
      server.destroy()
    })
  }
}
