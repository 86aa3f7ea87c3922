/** Connections that say nothing and take their place again when they are sent away, until the daemon has no file descriptor left. */
import * as net from "node:net"

export class Idlers {
  refused = 0
  private readonly sockets = new Set<net.Socket>()
  private isOver = false

  constructor(port: number, count: number) {
    for (let n = 0; n < count; n++) this.take(port)
  }

  close(): void {
    this.isOver = true
    for (const socket of this.sockets) socket.destroy()
  }

  private take(port: number): void {
    if (this.isOver) return
    const socket = net.connect(port, "127.0.0.1")
    const began = performance.now()
    this.sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => {
      if (performance.now() - began < 1_000 && !this.isOver) this.refused++
      this.sockets.delete(socket)
      setTimeout(() => this.take(port), 200)
    })
    socket.resume()
  }
}
