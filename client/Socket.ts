/** A WebSocket. Its token travels as a subprotocol, since a page can set no headers; never in the address. */
import { host } from "./Host.ts"
import { address, type Road } from "./Road.ts"

export const socket: Road = (asked, hear, end) => {
  const { href } = new URL(address(asked, "socket"), host.location?.href)
  const protocols = ["ratecast.v1"]
  if (asked.token) protocols.push(`ratecast.token.${asked.token}`)
  const connection = new asked.WebSocket(href.replace("http", "ws"), protocols)
  connection.onmessage = ({ data }) => hear(data)
  // 4400 to 4499 are the statuses of HTTP from 400 on.
  connection.onclose = ({ code, reason }) => end(code > 4399 ? { status: code - 4000, code: reason } : {})
  return { close: () => connection.close() }
}
