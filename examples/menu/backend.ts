/**
 * A backend of menus to watch at work: `GET /menus/{company}` serves one, `POST /menus/{company}/update` changes it. All it
 * knows of Ratecast is where to put the event when an update has ended.
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { parseArgs } from "node:util"

import { Outbox } from "../sharing-centre/backend/Outbox.ts"
import { companies, Kitchen } from "./backend/Kitchen.ts"

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8081" },
    /** No updates but those that are asked for. */
    quiet: { type: "boolean", default: false },
    "until-stdin-ends": { type: "boolean", default: false }
  }
})

interface MenuEvent {
  readonly company: string
  readonly event: "MENU_UPDATE_END"
  readonly version: number
  readonly at: number
}

const outbox = new Outbox<MenuEvent>(
  ({ company }) => `${process.env["RATECAST_URL"] ?? "http://127.0.0.1:8080"}/v1/rows/menuEvents/${company}`,
  process.env["API_KEY"]
)
// The menu is there before anybody hears of it.
const kitchen = new Kitchen(({ company, version }) =>
  outbox.put(company, { company, event: "MENU_UPDATE_END", version, at: Date.now() })
)
/** How often each menu was asked for. */
const asked = new Map<string, number>()

const answer = ({ method, url = "" }: http.IncomingMessage): readonly [status: number, body: unknown] => {
  const [, company = "", update] = /^\/menus\/([a-z]+)(\/update)?$/.exec(url) ?? []
  if (method === "GET" && url === "/companies") return [200, companies]
  if (method === "GET" && url === "/asked") return [200, Object.fromEntries(asked)]
  const menu = kitchen.menu(company)
  if (menu === undefined) return [404, { error: "there is nothing here" }]
  if (update !== undefined) return method === "POST" ? [202, kitchen.update(company)] : [405, {}]
  asked.set(company, (asked.get(company) ?? 0) + 1)
  return [200, menu]
}

const server = http.createServer((request, response) => {
  const [status, body] = answer(request)
  // Pages of the example come from another port.
  response.writeHead(status, {
    "content-type": "application/json",
    "access-control-allow-origin": "*",
    "cache-control": "no-store"
  })
  response.end(JSON.stringify(body))
})
server.on("error", (error) => {
  console.error(`the menu backend cannot listen: ${error.message}; choose another port with BACKEND_PORT`)
  process.exit(1)
})
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`menu backend  http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

if (!values.quiet)
  setInterval(() => {
    kitchen.update(companies[Math.floor(Math.random() * companies.length)]!.id)
  }, 12_000)

if (values["until-stdin-ends"]) process.stdin.resume().on("end", () => process.exit(0))
