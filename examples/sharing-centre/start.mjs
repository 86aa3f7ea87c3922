/** What `npm start sharing-centre` sets and starts: everybody may read; the backend alone, by its key, may write. */
import { randomBytes } from "node:crypto"

import { startBackend } from "../../tools/backend.mjs"

export const start = async (port) => {
  const { env } = process
  env.ANONYMOUS_READ ??= "jobs"
  env.API_KEY ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT}`
  return startBackend({
    name: "jobs backend",
    script: "examples/sharing-centre/backend.ts",
    port,
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: `npm start sharing-centre`
  })
}
