/** What `npm start menu` sets and starts: everybody may read; the backend alone, by its key, may write. */
import { randomBytes } from "node:crypto"

import { startBackend } from "../../tools/backend.mjs"

export const start = async (port) => {
  const { env } = process
  env.ANONYMOUS_READ ??= "menuEvents"
  env.API_KEY ??= randomBytes(32).toString("hex")
  env.RATECAST_URL ??= `http://127.0.0.1:${env.PORT}`
  return startBackend({
    name: "menu backend",
    script: "examples/menu/backend.ts",
    port,
    args: env.QUIET === undefined ? [] : ["--quiet"],
    again: "npm start menu"
  })
}
