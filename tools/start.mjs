/**
 * `npm start`: the demo. A simulated DEX backend as a process of its own, and the daemon over it. The simulator ends with
 * this process, however that ends; it can be killed and started again by hand, to see what the daemon makes of it.
 * `npm start chat` and the like start another example, by its own `start.mjs`.
 */
import { existsSync, readdirSync } from "node:fs"
import module from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

import { startBackend } from "./backend.mjs"
import { assembleDemo, assemblePage } from "./page.mjs"
import { choosePorts } from "./ports.mjs"
import { announce, ownIn } from "./running.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { env } = process
const name = process.argv[2] ?? "dex"

if (Number(process.versions.node.split(".")[0]) < 22) {
  console.error(`Node ${process.version} is too old, and node_modules/.bin has none of its own; run: npm ci`)
  process.exit(1)
}

/** Where an example may write, also where it keeps nothing. */
const keptIn = (name) => (env.RATECAST_DATA === "none" ? join(root, "data", name) : env.RATECAST_DATA)
const startOf = (example) => join(root, "examples", example, "start.mjs")

const startDex = async (port) => {
  let simulator
  if (env.BASE_API_URL === undefined || env.ASSETS_API_URL === undefined) {
    env.SIMULATOR_PORT = String(port)
    simulator = await startBackend({
      name: "simulator",
      script: "examples/dex/simulator.ts",
      port,
      args: ["--profile", env.PROFILE ?? "demo"],
      again: `${port === 8081 ? "" : `SIMULATOR_PORT=${port} `}npm run simulator`
    })
  }
  env.RATECAST_DATA ??= join(root, "data", `demo-${env.PROFILE ?? "demo"}`)
  // Everybody who reaches the demo may read it.
  env.ANONYMOUS_READ ??= "*"
  env.ANONYMOUS_REFRESH ??= "*"
  env.PAGE ??= await assembleDemo(ownIn(keptIn(name), "page"), simulator)
}

const startExample = async (port) => {
  const { start } = await import(`../examples/${name}/start.mjs`)
  const backend = await start(port)
  env.RATECAST_DATA ??= join(root, "data", name)
  env.PAGE ??= await assemblePage(name, ownIn(keptIn(name), "page"), backend)
}

const examples = readdirSync(join(root, "examples")).filter(
  (example) => example === "dex" || existsSync(startOf(example))
)
if (!examples.includes(name)) {
  console.error(`there is no example ${JSON.stringify(name)}; there are: ${examples.join(", ")}`)
  process.exit(1)
}
const setting = name === "dex" ? "SIMULATOR_PORT" : "BACKEND_PORT"
const chosen = (variable) => (env[variable] === undefined ? undefined : Number(env[variable]))
const { backend, port } = await choosePorts({ port: chosen("PORT"), backend: chosen(setting) })
env.PORT ??= String(port)
await (name === "dex" ? startDex(backend) : startExample(backend))
announce(join(root, "data"), name, `http://127.0.0.1:${env.PORT}${env.BASE_PATH ?? ""}/`, env.PAGE)
// The examples are for people, also where their output is piped.
env.LOG_FORMAT ??= "pretty"
process.argv = [
  process.execPath,
  "ratecast",
  "serve",
  "--config",
  join(root, "examples", name, "ratecast.config.ts")
]
module.enableCompileCache?.()
await import("../src/Main.ts")
