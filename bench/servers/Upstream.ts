/**
 * An upstream of so many rows, 2 % of which differ in every answer. With `stamped` one row more carries the time at which
 * the answer was written to the socket.
 *
 * node bench/servers/Upstream.ts ROWS [stamped]
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { stamp } from "../Event.ts"
import { marketBody, marketRow } from "../Market.ts"
import { commands, say } from "../Probe.ts"

const [rows, stamped] = process.argv.slice(2)
const versions = Array.from({ length: 8 }, (_, version) => marketBody(Number(rows), version))
let asked = 0

const answer = (): Buffer => {
  const body = versions[asked++ % versions.length]!
  if (stamped === undefined) return body
  const row = JSON.stringify({ ...marketRow(0, 0), id: "first", name: stamp() })
  return Buffer.concat([body.subarray(0, -2), Buffer.from(`,${row}]}`)])
}

const server = http.createServer((_request, response) => {
  response.setHeader("content-type", "application/json")
  response.end(answer())
})
commands.set("asked", () => ({ asked, bytes: versions[0]!.length }))
server.listen(0, "127.0.0.1", () => say({ port: (server.address() as AddressInfo).port }))
