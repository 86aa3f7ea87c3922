/**
 * `npm run check:runtimes`: the client as it is published, on every road, against the daemon as it is published, in Node 24
 * and 20, in a worker of Node, in Deno and in Bun, which npm brings. Names as arguments are those alone:
 * `npm run check:runtimes -- bun`. `--app folder`: where the package is installed already.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"

import { build } from "./build.mjs"

const { positionals, values } = parseArgs({ allowPositionals: true, options: { app: { type: "string" } } })

const platform = `${process.platform}-${process.arch}`
const runtimes = {
  "node 24": { command: [process.execPath] },
  "worker of node 24": { command: [process.execPath], script: "worker.mjs" },
  "node 20": { packages: [`node-${platform}@20`], command: [`node-${platform}/bin/node`] },
  deno: {
    packages: ["deno"],
    command: [`@deno/${platform}${process.platform === "linux" ? "-glibc" : ""}/deno`, "run", "--allow-net"]
  },
  bun: { packages: ["bun"], command: [`@oven/bun-${platform}/bin/bun`, "run"] }
}

/** Before Node 22 there is no WebSocket: then the next road is taken, and it is said. */
const client = `import { connect } from "ratecast/client"

export const check = async (url, write) => {
  for (const road of ["socket", "stream", "changes"]) {
    const cast = connect(url, { collections: ["notes"], roads: road === "socket" ? [road, "stream"] : [road] })
    const seen = new Promise((done) => {
      cast.notes.subscribe(() => cast.notes.rows.some(({ text }) => text === road) && done())
    })
    await cast.ready()
    const { key } = await cast.notes.append({ text: road })
    await seen
    if (cast.notes.get(key)?.text !== road) throw new Error("another row is at " + key)
    write(road + (cast.status.road === road ? "" : " (by " + cast.status.road + ")"))
    cast.close()
  }
}
`
const main = `import { check } from "./client.mjs"
const url = globalThis.Deno?.args[0] ?? process.argv[2]
await check(url, (text) => console.log(text))
`
const worker = `import { Worker, isMainThread, workerData } from "node:worker_threads"
import { check } from "./client.mjs"
if (isMainThread) new Worker(new URL(import.meta.url), { workerData: process.argv[2] })
else await check(workerData, (text) => console.log(text))
`
const config = `import { Schema } from "effect"
import { defineConfig, written } from "ratecast"
const row = Schema.Struct({ id: Schema.String, text: Schema.String })
export default defineConfig({ collections: { notes: written({ key: "id", row }) } })
`

const npm = (cwd, ...args) => {
  const { status, stderr, stdout } = spawnSync("npm", args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(`npm ${args.join(" ")} ended with ${status}: ${stderr}`)
  return stdout
}
const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--no-save"]

const folder = mkdtempSync(join(tmpdir(), "ratecast-runtimes-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

const install = async () => {
  await build(join(folder, "package"))
  const [{ filename }] = JSON.parse(npm(folder, "pack", "--json", "./package"))
  const app = join(folder, "app")
  mkdirSync(app)
  writeFileSync(join(app, "package.json"), '{"type":"module"}')
  npm(app, "install", ...quiet, join(folder, filename))
  return app
}

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })

const app = values.app ?? (await install())
for (const [name, text] of Object.entries({ "client.mjs": client, "main.mjs": main, "worker.mjs": worker }))
  writeFileSync(join(app, name), text)
writeFileSync(join(app, "runtimes.config.ts"), config)

const port = await freePort()
const daemon = spawn(
  process.execPath,
  [join(app, "node_modules/ratecast/bin/ratecast.mjs"), "serve", "--config", "runtimes.config.ts"],
  {
    cwd: app,
    env: {
      ...process.env,
      PORT: String(port),
      RATECAST_DATA: "none",
      ANONYMOUS_READ: "*",
      ANONYMOUS_WRITE: "*"
    },
    stdio: ["ignore", "ignore", "inherit"]
  }
)
const url = `http://127.0.0.1:${port}/`
for (let i = 0; i < 200 && daemon.exitCode === null; i++) {
  if ((await fetch(`${url}readyz`).catch(() => undefined))?.ok) break
  await new Promise((done) => setTimeout(done, 100))
}

const chosen = positionals.length > 0 ? positionals : Object.keys(runtimes)
let failed = 0
for (const name of chosen) {
  const { command, packages = [], script = "main.mjs" } = runtimes[name] ?? { command: [] }
  let text = `there is no ${name}; there are: ${Object.keys(runtimes).join(", ")}`
  let isWell = false
  if (command.length > 0) {
    const own = join(folder, name.replaceAll(" ", "-"))
    if (packages.length > 0) {
      mkdirSync(own)
      npm(own, "install", ...quiet, ...packages)
    }
    const [path, ...args] = command
    const file = packages.length > 0 ? join(own, "node_modules", path) : path
    if (!existsSync(file)) throw new Error(`${file} is not there: ${readdirSync(own)}`)
    const { error, status, stderr, stdout } = spawnSync(file, [...args, script, url], {
      cwd: app,
      encoding: "utf8",
      timeout: 60_000
    })
    const version = spawnSync(file, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0]
    isWell = status === 0 && stdout.trim().split("\n").length === 3
    text = `${version}: ${stdout.trim().replaceAll("\n", ", ")}${isWell ? "" : `\n${error ?? stderr}`}`
  }
  if (!isWell) failed++
  console.log(`${isWell ? "ok" : "FAILED"}  ${name}  ${text}`)
}
daemon.kill("SIGTERM")
await new Promise((done) => (daemon.exitCode === null ? daemon.once("exit", done) : done()))
process.exit(failed === 0 ? 0 : 1)
