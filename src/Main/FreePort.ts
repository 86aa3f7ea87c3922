/** A port that nobody listens on, near one that is taken. */
import * as net from "node:net"

import { Effect } from "effect"

const most = 50

const isFree = (host: string, port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resume(Effect.succeed(true))))
    return Effect.sync(() => server.close())
  })

/** `but`: what somebody else of ours will listen on. `undefined`: none of the next ones is free. */
export const freePortAfter = Effect.fnUntraced(function* (host: string, taken: number, but: number) {
  for (let port = taken + 1; port <= Math.min(taken + most, 65_535); port++)
    if (port !== but && (yield* isFree(host, port))) return port
  return undefined
})
