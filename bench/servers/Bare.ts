/** Bare Node: one buffer made per event, `socket.write` of it to everybody who asked for a stream. */
import * as http from "node:http"
import type { AddressInfo, Socket } from "node:net"

import { backlog, listening, serveCasts } from "./Cast.ts"

const sockets = new Set<Socket>()
const server = http.createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.flushHeaders()
  const { socket } = response
  sockets.add(socket!)
  response.once("close", () => sockets.delete(socket!))
})
serveCasts((text) => {
  const data = `event: change\ndata: ${text}\n\n`
  const frame = Buffer.from(`${data.length.toString(16)}\r\n${data}\r\n`)
  for (const socket of sockets) socket.write(frame)
})
server.listen({ port: 0, host: "127.0.0.1", backlog }, () =>
  listening((server.address() as AddressInfo).port)
)
