/** The truth on a socket, in all the ways in which an HTTP server may say where its answer ends. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"

import type { Dice } from "../Hub/World.ts"
import type { Row } from "./Query.ts"
import type { Truth } from "./Truth.ts"

/** `rate` as a JSON number with the digits it has. */
const textOf = (rows: ReadonlyArray<Row>): string =>
  `[${rows.map((row) => JSON.stringify(row).replace(/"rate":"([0-9.]+)"/, '"rate":$1')).join(",\n")}]`

export class Upstream {
  answers = 0
  port = 0
  /** Told after an answer has left. */
  onAnswered: () => void = () => {}
  private readonly dice: Dice
  private readonly truth: Truth
  private readonly server = http.createServer((request, response) => this.answer(request, response))

  constructor(dice: Dice, truth: Truth) {
    this.dice = dice
    this.truth = truth
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done))
    this.port = (this.server.address() as AddressInfo).port
    return this
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((done) => this.server.close(done))
  }

  private answer({ url }: http.IncomingMessage, response: http.ServerResponse): void {
    this.answers++
    const source = url!.startsWith("/orders/") ? `order:${url!.slice(8)}` : url!.slice(1)
    const text = textOf(this.truth.answer(source))
    response.setHeader("content-type", "application/json")
    response.on("finish", () => this.onAnswered())
    const kind = this.dice.int(4)
    if (kind === 0) {
      response.setHeader("content-encoding", "gzip")
      response.end(gzipSync(text))
    } else if (kind === 1) {
      // Its end is the end of the connection, so that half of it is nothing that HTTP would notice.
      response.useChunkedEncodingByDefault = false
      response.shouldKeepAlive = false
      response.removeHeader("content-length")
      response.flushHeaders()
      response.end(text)
    } else if (kind === 2) {
      response.write(text.slice(0, text.length / 2))
      response.end(text.slice(text.length / 2))
    } else response.end(text)
  }
}
