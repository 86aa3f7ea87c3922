/**
 * `npm run check:clean`: what is committed, cloned, installed without development's packages and without running anybody's
 * scripts, starts and answers.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = mkdtempSync(join(tmpdir(), "ratecast-clean-"))
const clone = join(folder, "ratecast")
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

const run = (command, args, cwd) => {
  const { status } = spawnSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })
  if (status === 0) return
  console.error(`FAILED  ${[command, ...args].join(" ")}`)
  process.exit(1)
}
run("git", ["clone", "--quiet", root, clone], folder)
run("npm", ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], clone)

writeFileSync(
  join(clone, "clean.config.ts"),
  `import { Schema } from "effect"
import { defineConfig, written } from "ratecast"
export default defineConfig({
  collections: { notes: written({ key: "id", row: Schema.Struct({ id: Schema.String }) }) }
})
`
)
const port = await new Promise((done) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address()
    server.close(() => done(port))
  })
})
const daemon = spawn(
  join(clone, "node_modules", ".bin", "node"),
  ["bin/ratecast.mjs", "serve", "--config", "clean.config.ts"],
  {
    cwd: clone,
    env: { ...process.env, PORT: String(port), RATECAST_DATA: "none", ANONYMOUS_READ: "*" },
    stdio: ["ignore", "ignore", "inherit"]
  }
)
const answered = async (url) => (await fetch(url).catch(() => undefined))?.status === 200
let isReady = false
for (let i = 0; i < 200 && !isReady && daemon.exitCode === null; i++) {
  await new Promise((done) => setTimeout(done, 100))
  isReady = await answered(`http://127.0.0.1:${port}/v1/snapshot`)
}
daemon.kill("SIGTERM")
await new Promise((done) => (daemon.exitCode === null ? daemon.once("exit", done) : done()))
console.log(`${isReady ? "ok" : "FAILED"}  a clean clone, installed without scripts, starts and answers`)
process.exit(isReady ? 0 : 1)
