/**
 * Ports that no other example takes, though they all begin at the same numbers and may be started in the same moment: whoever
 * chooses a pair first claims it, by listening on a third port for as long as it runs.
 */
import { createServer } from "node:net"

const first = 8080
const firstClaim = 18_080
const pairs = 50

const listening = (port) =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => resolve(server))
  })

const isFree = async (port) => {
  const server = await listening(port)
  if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  return server !== undefined
}

/** Of the daemon, and of its backend. `own`: those that somebody has chosen, who knows what is free. */
export const choosePorts = async (own) => {
  for (let pair = 0; pair < pairs; pair++) {
    const claim = await listening(firstClaim + pair)
    if (claim === undefined) continue
    const port = own.port ?? first + 2 * pair
    const backend = own.backend ?? first + 2 * pair + 1
    const chosen = [own.port === undefined && port, own.backend === undefined && backend].filter(Boolean)
    if (port !== backend && (await Promise.all(chosen.map(isFree))).every(Boolean)) {
      claim.unref()
      return { port, backend }
    }
    claim.close()
  }
  throw new Error(`no free ports from ${first} to ${first + 2 * pairs - 1}; choose one with PORT`)
}
