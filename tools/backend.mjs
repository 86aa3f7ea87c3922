/** The simulated backend of an example, as a process of its own that ends with this one, however that ends. */
import { spawn } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Returns where it is, when it says that it is there. */
export const startBackend = async ({ again, args = [], name, port, script }) => {
  const backend = spawn(
    process.execPath,
    [join(root, script), "--until-stdin-ends", "--port", String(port), ...args],
    { stdio: ["pipe", "pipe", "inherit"] }
  )
  await new Promise((resolve) => {
    backend.stdout.on("data", (data) => {
      process.stdout.write(data)
      resolve()
    })
    backend.once("exit", (code, signal) => {
      console.log(`the ${name} has ended (${signal ?? code}); start it again: ${again}`)
      resolve()
    })
  })
  return `http://127.0.0.1:${port}`
}
