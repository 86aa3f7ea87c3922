/** What `npm start support` sets and starts: nobody may anything without a token, and the accounts backend gives them out. */
import { randomBytes } from "node:crypto"

import { backendPort, startBackend } from "../../tools/backend.mjs"

export const start = async () => {
  const { env } = process
  env.JWT_SECRET ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT ?? 8080}`
  await startBackend({
    name: "accounts backend",
    script: "examples/support/backend.ts",
    parameter: "backend",
    port: await backendPort("BACKEND_PORT"),
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: "npm start support"
  })
}
