/**
 * The two lists as the backend answers them: the same bytes for everybody until something changes, late by a
 * log-normal latency, and wrong in the way that the fault of the moment says.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

import { Body } from "./Body.ts"
import type { Dice } from "./Dice.ts"
import type { DataPath, Fault } from "./Fault.ts"
import { brokenPage, ruin } from "./Ruin.ts"
import type { World } from "./World.ts"

interface Built {
  readonly swaps: number
  readonly fault: Fault | undefined
  readonly body: Body
}

const takesGzip = (acceptEncoding: string | undefined): boolean =>
  (acceptEncoding ?? "")
    .split(",")
    .map((coding) =>
      coding
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/)
    )
    .some(([name, quality]) => (name === "gzip" || name === "*") && Number(quality ?? 1) > 0)

export class Backend {
  private readonly world: World
  private readonly catchUp: () => void
  private readonly latency: () => number
  private readonly stopped: AbortSignal
  private readonly built = new Map<DataPath, Built>()
  private wrong: Fault = { kind: "none" }
  /** Of requests since the fault, for the one that comes and goes. */
  private asked = 0

  constructor(options: {
    readonly world: World
    /** Brings the world up to now. */
    readonly catchUp: () => void
    readonly dice: Dice
    /** The median, ms. */
    readonly latency: number
    /** Who waits until then waits no longer. */
    readonly stopped: AbortSignal
  }) {
    const { catchUp, dice, latency, stopped, world } = options
    this.world = world
    this.catchUp = catchUp
    this.stopped = stopped
    // One in a hundred takes more than seven times the median: p50 120 ms, p99 900 ms.
    this.latency = () => (latency === 0 ? 0 : Math.min(latency * 20, dice.logNormal(latency, 0.86)))
  }

  get fault(): Fault {
    return this.wrong
  }

  set fault(fault: Fault) {
    this.wrong = fault
    this.asked = 0
  }

  async answer(path: DataPath, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { kind, ms, status }: Fault =
      this.fault.path === undefined || this.fault.path === path ? this.fault : { kind: "none" }
    const down = kind === "status" || (kind === "flapping" && this.asked++ % 2 === 0)
    if (kind === "timeout") {
      return
    }
    await sleep(kind === "slow" ? (ms ?? 3000) : this.latency(), undefined, { signal: this.stopped })
    if (response.destroyed) {
      return
    }
    if (down) {
      const code = status ?? 500
      if (code === 429 || code === 503) {
        response.setHeader("Retry-After", Math.ceil((ms ?? 5000) / 1000))
      }
      response.writeHead(code, { "Content-Type": "application/json" })
      response.end(JSON.stringify({ error: `the simulator was asked to fail with ${code}` }))
      return
    }
    if (kind === "html") {
      response.writeHead(status ?? 502, { "Content-Type": "text/html" }).end(brokenPage)
      return
    }

    const body = this.body(path)
    const gzipped = takesGzip(request.headers["accept-encoding"]) && kind !== "truncated"
    response.setHeader("ETag", body.etag(gzipped))
    response.setHeader("Last-Modified", body.modified)
    response.setHeader("Cache-Control", "no-cache")
    response.setHeader("Vary", "Accept-Encoding")
    if (kind === "truncated") {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.plain.length })
      response.write(body.plain.subarray(0, body.plain.length >>> 1), () => response.destroy())
      return
    }
    if (body.isHeldBy(request.headers["if-none-match"])) {
      response.writeHead(304).end()
      return
    }
    const bytes = gzipped ? await body.gzip() : body.plain
    if (gzipped) {
      response.setHeader("Content-Encoding", "gzip")
    }
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": bytes.length }).end(bytes)
  }

  private body(path: DataPath): Body {
    this.catchUp()
    const { built, fault, world } = this
    const last = built.get(path)
    const swaps = path === "/list.json" ? 0 : world.swaps
    if (last?.swaps === swaps && last.fault === fault) {
      return last.body
    }
    const affected = fault.path === undefined || fault.path === path
    const text = path === "/list.json" ? world.listText() : world.poolsText()
    const body = new Body(affected ? ruin(fault.kind, text) : text)
    built.set(path, { swaps, fault, body })
    return body
  }
}
