/** What `npm start sharing-centre` sets and starts: everybody may read; the backend alone, by its key, may write. */
import { randomBytes } from "node:crypto"

import { backendPort, startBackend } from "../../tools/backend.mjs"

export const start = async () => {
  const { env } = process
  env.ANONYMOUS_READ ??= "jobs"
  env.API_KEY ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT ?? 8080}`
  const port = await backendPort("BACKEND_PORT")
  await startBackend({
    name: "jobs backend",
    script: "examples/sharing-centre/backend.ts",
    parameter: "backend",
    port,
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: `npm start sharing-centre`
  })
}
