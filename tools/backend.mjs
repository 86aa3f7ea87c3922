/** The simulated backend of an example, as a process of its own that ends with this one, however that ends. */
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

const first = 8081

/** `setting` names the environment variable that chooses a port. */
export const backendPort = async (setting) => {
  if (process.env[setting] !== undefined) return Number(process.env[setting])
  for (let port = first; port < first + 100; port++)
    if (port !== Number(process.env.PORT) && (await isFree(port))) return port
  throw new Error(`no free port from ${first} to ${first + 99}; choose one with ${setting}`)
}

/** Returns when it says where it is. `parameter`: by which a page is told, where it is elsewhere than pages expect. */
export const startBackend = async ({ again, args = [], name, parameter, port, script }) => {
  const backend = spawn(
    process.execPath,
    [join(root, script), "--until-stdin-ends", "--port", String(port), ...args],
    { stdio: ["pipe", "pipe", "inherit"] }
  )
  await new Promise((resolve) => {
    backend.stdout.on("data", (data) => {
      process.stdout.write(data)
      if (port !== first)
        console.log(`its switches on the page: add ?${parameter}=http://127.0.0.1:${port} to the address`)
      resolve()
    })
    backend.once("exit", (code, signal) => {
      console.log(`the ${name} has ended (${signal ?? code}); start it again: ${again}`)
      resolve()
    })
  })
}
