/**
 * `npm start`: the demo. A simulated DEX backend as a process of its own, and the daemon over it. The simulator ends with
 * this process, however that ends; it can be killed and started again by hand, to see what the daemon makes of it.
 */
import { spawn } from "node:child_process"
import module from "node:module"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { env } = process

if (Number(process.versions.node.split(".")[0]) < 22) {
  console.error(`Node ${process.version} is too old, and node_modules/.bin has none of its own; run: npm ci`)
  process.exit(1)
}

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

const simulatorPort = async () => {
  if (env.SIMULATOR_PORT !== undefined) return Number(env.SIMULATOR_PORT)
  for (let port = 8081; port < 8181; port++)
    if (port !== Number(env.PORT) && (await isFree(port))) return port
  throw new Error("no free port for the simulator from 8081 to 8180; choose one with SIMULATOR_PORT")
}

const startSimulator = async () => {
  const port = await simulatorPort()
  env.SIMULATOR_PORT = String(port)
  const again = `${port === 8081 ? "" : `SIMULATOR_PORT=${port} `}npm run simulator`
  const simulator = spawn(
    process.execPath,
    [
      join(root, "examples/dex/simulator.ts"),
      "--until-stdin-ends",
      "--port",
      String(port),
      "--profile",
      env.PROFILE ?? "demo"
    ],
    { stdio: ["pipe", "pipe", "inherit"] }
  )
  await new Promise((resolve) => {
    simulator.stdout.on("data", (data) => {
      process.stdout.write(data)
      if (port !== 8081)
        console.log(`its switches on the page: add ?simulator=http://127.0.0.1:${port} to the address`)
      resolve()
    })
    simulator.once("exit", (code, signal) => {
      console.log(`the simulator has ended (${signal ?? code}); start it again: ${again}`)
      resolve()
    })
  })
}

if (env.BASE_API_URL === undefined || env.ASSETS_API_URL === undefined) await startSimulator()
// The demo is for people, also where its output is piped.
env.LOG_FORMAT ??= "pretty"
env.RATECAST_DATA ??= join(root, "data", `demo-${env.PROFILE ?? "demo"}`)
// Everybody who reaches the demo may read it.
env.ANONYMOUS_READ ??= "*"
env.ANONYMOUS_REFRESH ??= "*"
env.PAGE ??= join(root, "examples/dex/page")
process.argv = [
  process.execPath,
  "ratecast",
  "serve",
  "--config",
  join(root, "examples/dex/ratecast.config.ts")
]
module.enableCompileCache?.()
await import("../src/Main.ts")
