/** What `npm start support` sets and starts: nobody may anything without a token, and the accounts backend gives them out. */
import { randomBytes } from "node:crypto"

import { startBackend } from "../../tools/backend.mjs"

export const start = async (port) => {
  const { env } = process
  env.JWT_SECRET ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT}`
  return startBackend({
    name: "accounts backend",
    script: "examples/support/backend.ts",
    port,
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: "npm start support"
  })
}
