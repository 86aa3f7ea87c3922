/**
 * The recorded answers of a public API, one after the other. "next" goes on to the next one.
 *
 * node bench/servers/Recordings.ts FILE
 */
import { readFileSync } from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync } from "node:zlib"

import { commands, say } from "../Probe.ts"

const answers = gunzipSync(readFileSync(process.argv[2]!))
  .toString()
  .trim()
  .split("\n")
  .map((line) => JSON.stringify((JSON.parse(line) as { readonly body: unknown }).body))
let at = 0

const server = http.createServer((_request, response) => {
  response.setHeader("content-type", "application/json")
  response.end(answers[at])
})
commands.set("next", () => ({ at: ++at }))
server.listen(0, "127.0.0.1", () => say({ port: (server.address() as AddressInfo).port }))
