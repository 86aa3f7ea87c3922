/** The daemon as it is shipped, with a config file and an upstream over HTTP. */
import { join } from "node:path"

import { Child, cores } from "./Child.ts"
import { freePort, type Server, startShipped } from "./Contestants.ts"
import { pause } from "./Report.ts"

export interface Upstream {
  readonly url: string
  readonly ask: Child["ask"]
  readonly kill: () => void
}

export const startUpstream = async (file: string, args: ReadonlyArray<string>): Promise<Upstream> => {
  const child = Child.start("upstream", cores.load, [
    process.execPath,
    join(import.meta.dirname, "servers", file),
    ...args
  ])
  const { port } = await child.answer()
  return { url: `http://127.0.0.1:${port}/`, ask: (command) => child.ask(command), kill: () => child.kill() }
}

const readyWithin = 60_000

/** Starts it and waits until every collection has been read once. */
export const startDaemon = async (
  config: string,
  upstream: Upstream,
  every: number,
  environment: NodeJS.ProcessEnv = {}
): Promise<Server> => {
  const port = await freePort()
  const main = join(import.meta.dirname, "../src/Main.ts")
  const args = [main, "serve", "--config", join(import.meta.dirname, "servers", config)]
  const server = startShipped(args, port, {
    HOST: "127.0.0.1",
    LOG_LEVEL: "error",
    LOG_FORMAT: "json",
    RATECAST_DATA: "none",
    BENCH_UPSTREAM: upstream.url,
    BENCH_EVERY: String(every),
    ...environment
  })
  const until = Date.now() + readyWithin
  while (!(await isReady(port))) {
    if (Date.now() > until) throw new Error("the daemon is not ready within a minute")
    await pause(20)
  }
  return server
}

const isReady = async (port: number): Promise<boolean> => {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    // It does not listen yet.
    return false
  }
}
