#!/usr/bin/env node
import module from "node:module"

const [major] = process.versions.node.split(".").map(Number)
if (major < 22) {
  console.error(
    `Node ${process.version} is too old for the daemon, which needs 22.19: npx -p node@24 -p ratecast ratecast, or npx ratecast in a clone, which brings one`
  )
  process.exit(1)
}
// Starting takes half as long where the modules have been compiled before.
module.enableCompileCache?.()
await import("../src/Main.ts")
