#!/usr/bin/env node
import { existsSync } from "node:fs"
import module from "node:module"

const has = (path) => existsSync(new URL(`../${path}`, import.meta.url))
// A clone, which npm has not been run in.
if (has("package-lock.json") && !has("node_modules/effect")) {
  console.error(
    "what this clone needs is not installed yet, Node 24 among it; run npm ci, and then this again"
  )
  process.exit(1)
}
const [major] = process.versions.node.split(".").map(Number)
if (major < 22) {
  const given = process.argv
    .slice(2)
    .map((each) => (/^[\w./:=@-]+$/.test(each) ? ` ${each}` : ` '${each.replaceAll("'", "'\\''")}'`))
    .join("")
  console.error(
    `Node ${process.version} is too old for the daemon, which needs 22.19: npx -p node@24 -p ratecast ratecast${given}, or npx ratecast in a clone, which brings one`
  )
  process.exit(1)
}
// Starting takes half as long where the modules have been compiled before.
module.enableCompileCache?.()
await import("../src/Main.ts")
