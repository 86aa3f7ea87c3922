/** socket.io over WebSocket: `emit` to everybody. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { backlog, listening, serveCasts } from "./Cast.ts"

interface SocketIo {
  readonly Server: new (
    server: http.Server,
    options: object
  ) => { readonly emit: (event: string, data: string) => void }
}
const { Server } = (await import("socket.io" as string)) as SocketIo

const server = http.createServer()
// The readers of the load generator never answer a ping.
const io = new Server(server, { transports: ["websocket"], pingInterval: 600_000, pingTimeout: 600_000 })
serveCasts((text) => io.emit("change", text))
server.listen({ port: 0, host: "127.0.0.1", backlog }, () =>
  listening((server.address() as AddressInfo).port)
)
