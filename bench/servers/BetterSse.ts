/** better-sse: a session per request, one channel, `broadcast`. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { backlog, listening, serveCasts } from "./Cast.ts"

interface BetterSse {
  readonly createSession: (request: http.IncomingMessage, response: http.ServerResponse) => Promise<object>
  readonly createChannel: () => {
    readonly register: (session: object) => void
    readonly broadcast: (data: unknown, event: string) => void
  }
}
const { createChannel, createSession } = (await import("better-sse" as string)) as BetterSse

const channel = createChannel()
const server = http.createServer(async (request, response) =>
  channel.register(await createSession(request, response))
)
serveCasts((text) => channel.broadcast(text, "change"))
server.listen({ port: 0, host: "127.0.0.1", backlog }, () =>
  listening((server.address() as AddressInfo).port)
)
