/**
 * An accounts backend: `GET /people`, and `POST /login` with `{"id":"ada"}`, which gives out a token. All it knows of
 * Ratecast is what stands in one.
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"

import { people } from "./backend/People.ts"
import { expiresIn, tokenOf } from "./backend/Tokens.ts"
import { visit } from "./backend/Visitors.ts"

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8081" },
    /** No messages but those that somebody writes. */
    quiet: { type: "boolean", default: false },
    "until-stdin-ends": { type: "boolean", default: false }
  }
})
const secret = process.env["JWT_SECRET"] ?? ""
const maxBody = 1_000

const bodyOf = async (request: http.IncomingMessage): Promise<string> => {
  const pieces: Array<Buffer> = []
  let size = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    pieces.push(piece)
    if ((size += piece.length) > maxBody) throw new Error(`a body has at most ${maxBody} bytes`)
  }
  return Buffer.concat(pieces).toString("utf8")
}

const answer = async (request: http.IncomingMessage): Promise<readonly [status: number, body: unknown]> => {
  const { method, url } = request
  if (method === "GET" && url === "/people") return [200, people]
  if (method !== "POST" || url !== "/login") return [404, { error: "GET /people, POST /login" }]
  const { id } = JSON.parse(await bodyOf(request)) as { readonly id?: unknown }
  const person = people.find((each) => each.id === id)
  return person === undefined
    ? [403, { error: `"id" is one of ${people.map((each) => each.id).join(", ")}` }]
    : [200, { token: await tokenOf(person, secret), expiresIn }]
}

const server = http.createServer((request, response) => {
  const end = ([status, body]: readonly [number, unknown]) =>
    response
      // The page comes from Ratecast, which is another port.
      .writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" })
      .end(JSON.stringify(body))
  answer(request).then(end, (error: unknown) => end([400, { error: String(error) }]))
})
server.on("error", ({ message }) => {
  console.error(`the accounts backend cannot listen (${message}); BACKEND_PORT chooses another port`)
  process.exit(1)
})
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`accounts backend  http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
if (!values.quiet) void visit(process.env["RATECAST_URL"] ?? "http://127.0.0.1:8080", secret)
if (values["until-stdin-ends"]) process.stdin.resume().on("end", () => process.exit(0))
