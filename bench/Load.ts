/**
 * Readers for the fan-out, in a process of their own: raw sockets that ask for a stream and count bytes.
 *
 * node bench/Load.ts <port> <path> <readers> stream|socket
 */
import { connect } from "node:net"

const [port, path, readers, road] = process.argv.slice(2) as [string, string, string, string]

const upgrade =
  road === "socket"
    ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    : ""
const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${upgrade}\r\n`
/** The start of a message, in an SSE chunk as in a WebSocket frame. */
const mark = Buffer.from(road === "socket" ? '{"type":"change"' : "event: change")

let ready = 0
let messages = 0
let bytes = 0
for (let i = 0; i < Number(readers); i++) {
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(request))
  let answered = false
  socket.on("data", (data: Buffer) => {
    bytes += data.length
    for (let at = data.indexOf(mark); at !== -1; at = data.indexOf(mark, at + mark.length)) messages++
    if (answered) return
    answered = true
    if (++ready === Number(readers)) process.send!("ready")
  })
  socket.on("error", (error) => {
    console.error(error.message)
    process.exit(1)
  })
}
process.on("message", () => process.send!({ messages, bytes }))
