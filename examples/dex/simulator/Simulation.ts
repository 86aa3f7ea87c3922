/** The simulator on a socket: two lists for everybody, and `/sim/…` for whoever wants to see it break and mend. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

import { Backend } from "./Backend.ts"
import { makeDice } from "./Dice.ts"
import { BadInput, dataPaths, type FaultKind, parseFault, parseInteger, parseObject } from "./Fault.ts"
import { makePace } from "./Pace.ts"
import { type ProfileName, profiles } from "./Profile.ts"
import { World } from "./World.ts"

export interface SimulatorOptions {
  readonly profile?: ProfileName
  /** 0: any that is free. */
  readonly port?: number
  readonly seed?: number
  /** 2: twice as many swaps a second; 0: none but those of `/sim/swap`. */
  readonly speed?: number
  /** Median, ms; by default that of the profile. */
  readonly latency?: number
  readonly fault?: FaultKind
}

export interface Simulator {
  readonly url: string
  readonly world: World
  readonly close: () => Promise<void>
}

const routes = {
  "/v2/pools-lite": ["GET", "HEAD"],
  "/list.json": ["GET", "HEAD"],
  "/sim/state": ["GET", "HEAD"],
  "/sim/fault": ["POST"],
  "/sim/swap": ["POST"]
} as const satisfies { readonly [path: string]: ReadonlyArray<string> }

type Path = keyof typeof routes

/** More than any of our requests has; nobody fills the memory of a demo. */
const maxInput = 16_384

const readJson = async (request: IncomingMessage): Promise<unknown> => {
  let text = ""
  // Who throws out of the plain loop destroys the socket, and the answer with it.
  for await (const chunk of request.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    text += chunk
    if (text.length > maxInput) {
      throw new BadInput(`the body is longer than ${maxInput} bytes`)
    }
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new BadInput(`the body must be JSON, like {"kind":"status","status":503} or {"count":10}`)
  }
}

const sendJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" })
  response.end(`${JSON.stringify(body)}\n`)
}

export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const { fault = "none", port = 8081, profile = "demo", seed = 42, speed = 1 } = options
  const { latency = profiles[profile].latency } = options
  const world = new World(profile, seed)
  const due = makePace(makeDice(seed, "pace"), profiles[profile].swapsPerSecond * speed, () =>
    performance.now()
  )
  const catchUp = () => world.swap(due())
  const stop = new AbortController()
  const backend = new Backend({
    world,
    catchUp,
    dice: makeDice(seed, "latency"),
    latency,
    stopped: stop.signal
  })
  backend.fault = { kind: fault }
  const requests: { [path: string]: number } = {}

  const control = async (path: Path, request: IncomingMessage, response: ServerResponse) => {
    if (path === "/sim/fault") {
      backend.fault = parseFault(await readJson(request))
      return sendJson(response, 200, { fault: backend.fault })
    }
    catchUp()
    if (path === "/sim/swap") {
      const count = parseInteger(parseObject(await readJson(request), ["count"]), "count", 1, 100_000)
      world.swap(count)
      return sendJson(response, 200, { swaps: world.swaps })
    }
    sendJson(response, 200, {
      profile,
      seed,
      speed,
      pools: world.pools.length,
      assets: world.assets.length,
      swaps: world.swaps,
      requests,
      fault: backend.fault
    })
  }

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("Access-Control-Allow-Origin", "*")
    response.setHeader("Access-Control-Expose-Headers", "ETag, Retry-After")
    const path = request.url!.replace(/\?.*$/, "")
    if (!Object.hasOwn(routes, path)) {
      return sendJson(response, 404, { error: `nothing at ${path}`, paths: Object.keys(routes) })
    }
    const methods: ReadonlyArray<string> = routes[path as Path]
    if (request.method === "OPTIONS") {
      response.setHeader("Access-Control-Allow-Methods", methods.join(", "))
      response.setHeader("Access-Control-Allow-Headers", "Content-Type, If-None-Match")
      response.writeHead(204, { "Access-Control-Max-Age": 600 }).end()
      return
    }
    requests[path] = (requests[path] ?? 0) + 1
    if (!methods.includes(request.method!)) {
      response.setHeader("Allow", methods.join(", "))
      return sendJson(response, 405, { error: `${path} takes ${methods.join(" and ")}` })
    }
    const list = dataPaths.find((list) => list === path)
    await (list === undefined
      ? control(path as Path, request, response)
      : backend.answer(list, request, response))
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (error instanceof BadInput) {
        sendJson(response.setHeader("Connection", "close"), 400, { error: error.message })
      } else if (!stop.signal.aborted && !response.destroyed) {
        console.error(error)
        response.destroy()
      }
    })
  })
  // Longer than pollers pause: a connection that ends just as a request is sent would look like one more fault.
  server.keepAliveTimeout = 75_000

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    world,
    close: () => {
      stop.abort()
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    }
  }
}
