/**
 * Installs what is missing, before anything else runs: a fresh clone needs no command of its own. Plain JavaScript, since
 * the Node that runs it may be older than the one it installs.
 */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const mark = join(root, "node_modules", ".installed")
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .update(`${process.platform}-${process.arch}`)
  .digest("hex")

if (!existsSync(mark) || readFileSync(mark, "utf8") !== wanted) {
  console.error("installing what is missing, Node 24 among it (once, about half a minute) …")
  const npm = process.platform === "win32" ? "npm.cmd" : "npm"
  const { error, status } = spawnSync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (status !== 0) {
    console.error(
      `npm ci failed${error === undefined ? "" : `: ${error.message}`}; is the npm registry reachable?`
    )
    process.exit(1)
  }
  writeFileSync(mark, wanted)
}
