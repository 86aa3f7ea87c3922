/** What `npm start menu` sets and starts: everybody may read; the backend alone, by its key, may write. */
import { randomBytes } from "node:crypto"

import { backendPort, startBackend } from "../../tools/backend.mjs"

export const start = async () => {
  const { env } = process
  env.ANONYMOUS_READ ??= "menuEvents"
  env.API_KEY ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT ?? 8080}`
  const port = await backendPort("BACKEND_PORT")
  await startBackend({
    name: "menu backend",
    script: "examples/menu/backend.ts",
    parameter: "backend",
    port,
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: "npm start menu"
  })
}
