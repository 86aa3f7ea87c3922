/** A stream over a line that carries little: what has come stays with the sender until it is taken. */
import * as net from "node:net"

import { Client, EventParser } from "../Clients.ts"

/** Taken at once, bytes, ten times a second. */
const piece = 4_096

export class SlowLine extends Client {
  private readonly socket: net.Socket
  private readonly timer: NodeJS.Timeout
  private isSlow = false
  private head: string | undefined = ""

  constructor(port: number, query: string) {
    super()
    const parser = new EventParser(({ data }) => this.take(data))
    const buffer = Buffer.alloc(piece)
    this.socket = net.connect({
      port,
      host: "127.0.0.1",
      onread: {
        buffer,
        callback: (length) => {
          this.read(parser, buffer.subarray(0, length))
          return !this.isSlow
        }
      }
    })
    this.socket.write(`GET /v1/stream?${query} HTTP/1.0\r\nhost: here\r\n\r\n`)
    this.timer = setInterval(() => this.socket.resume(), 100)
  }

  slow(isSlow: boolean): void {
    this.isSlow = isSlow
  }

  close(): void {
    clearInterval(this.timer)
    this.socket.destroy()
  }

  private read(parser: EventParser, bytes: Buffer): void {
    if (this.head === undefined) return parser.feed(bytes)
    this.head += bytes.toString("latin1")
    const end = this.head.indexOf("\r\n\r\n")
    if (end === -1) return
    parser.feed(Buffer.from(this.head.slice(end + 4), "latin1"))
    this.head = undefined
  }
}
