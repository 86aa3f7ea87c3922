/**
 * A jobs backend to watch at work: `POST /orders/{order}/jobs` with `{"what":"PDF"}` shares an order. All it knows of
 * Ratecast is where to put the row of a job when the job has come into another state.
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"

import { Outbox } from "./backend/Outbox.ts"
import { isKind, type Job, kinds, Workers } from "./backend/Workers.ts"

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8081" },
    /** No jobs but those that are asked for. */
    quiet: { type: "boolean", default: false },
    "until-stdin-ends": { type: "boolean", default: false }
  }
})

const orders = ["1001", "1002", "1003"]
const maxBody = 10_000

const outbox = new Outbox<Job>(
  (job) => `${process.env["RATECAST_URL"] ?? "http://127.0.0.1:8080"}/v1/rows/jobs/${job.id}`,
  process.env["API_KEY"]
)
const workers = new Workers((job) => outbox.put(job.id, job))

const bodyOf = async (request: http.IncomingMessage): Promise<string> => {
  let text = ""
  for await (const piece of request) {
    text += piece
    if (text.length > maxBody) throw new Error("the body is too long")
  }
  return text
}

const answer = async (request: http.IncomingMessage): Promise<readonly [status: number, body: unknown]> => {
  const order = /^\/orders\/([A-Za-z0-9-]{1,40})\/jobs$/.exec(request.url ?? "")?.[1]
  if (request.method === "GET" && request.url === "/orders") return [200, { orders, kinds }]
  if (request.method !== "POST" || order === undefined) return [404, { error: "there is nothing here" }]
  const { fail = false, what } = JSON.parse(await bodyOf(request)) as {
    readonly what?: unknown
    readonly fail?: unknown
  }
  return isKind(what)
    ? [201, workers.start(order, what, fail === true)]
    : [400, { error: `"what" is one of ${kinds.join(", ")}` }]
}

const server = http.createServer((request, response) => {
  const send = (status: number, body: unknown) => {
    // Pages of the example come from another port.
    response.writeHead(status, { "content-type": "application/json", "access-control-allow-origin": "*" })
    response.end(JSON.stringify(body))
  }
  answer(request).then(
    ([status, body]) => send(status, body),
    (error: unknown) => send(400, { error: String(error) })
  )
})
server.on("error", (error) => {
  console.error(`the jobs backend cannot listen: ${error.message}; choose another port with BACKEND_PORT`)
  process.exit(1)
})
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`jobs backend  http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

if (!values.quiet)
  setInterval(() => {
    const order = orders[Math.floor(Math.random() * orders.length)]!
    workers.start(order, kinds[Math.floor(Math.random() * kinds.length)]!, Math.random() < 0.2)
  }, 5_000)

if (values["until-stdin-ends"]) process.stdin.resume().on("end", () => process.exit(0))
