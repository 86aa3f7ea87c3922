/** uWebSockets in Bun: every client subscribes to one topic, `publish` sends to all. Runs in Bun. */
import { createInterface } from "node:readline"

import { eventText } from "../Event.ts"

interface Upgrading {
  readonly port: number
  readonly upgrade: (request: object) => boolean
  readonly publish: (topic: string, data: string) => void
}
declare const Bun: {
  readonly serve: (options: {
    readonly port: number
    readonly hostname: string
    readonly fetch: (request: object, server: Upgrading) => Response | undefined
    readonly websocket: {
      readonly open: (socket: { readonly subscribe: (topic: string) => void }) => void
      readonly message: () => void
      readonly idleTimeout: number
      readonly sendPings: boolean
    }
  }) => Upgrading
}

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, upgrading) =>
    upgrading.upgrade(request) ? undefined : new Response("WebSocket only", { status: 426 }),
  websocket: {
    open: (socket) => socket.subscribe("all"),
    message: () => undefined,
    idleTimeout: 960,
    sendPings: false
  }
})

// Not by Probe, which looks into Node.
const say = (answer: object) => process.stdout.write(`@ ${JSON.stringify(answer)}\n`)
let timer: NodeJS.Timeout | undefined
let events = 0
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [name, bytes, rate] = line.split(" ")
    clearInterval(timer)
    if (name === "go") {
      events = 0
      timer = setInterval(
        () => server.publish("all", eventText(events++, Number(bytes))),
        1000 / Number(rate)
      )
    }
    say({ events })
  })
  .on("close", () => process.exit())
say({ port: server.port })
