/** `ws`, the usual WebSocket server of Node: `send` to every client. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { backlog, listening, serveCasts } from "./Cast.ts"

interface Ws {
  readonly WebSocketServer: new (options: { readonly server: http.Server }) => {
    readonly clients: Iterable<{ readonly send: (data: string) => void }>
  }
}
const { WebSocketServer } = (await import("ws" as string)) as Ws

const server = http.createServer()
const sockets = new WebSocketServer({ server })
serveCasts((text) => {
  for (const client of sockets.clients) client.send(text)
})
server.listen({ port: 0, host: "127.0.0.1", backlog }, () =>
  listening((server.address() as AddressInfo).port)
)
