#!/usr/bin/env node
import module from "node:module"

const [major] = process.versions.node.split(".").map(Number)
if (major < 22) {
  console.error(
    `Node ${process.version} is too old; use the one this package brings: npx ratecast, or node_modules/.bin/node`
  )
  process.exit(1)
}
// Starting takes half as long where the modules have been compiled before.
module.enableCompileCache?.()
await import("../src/Main.ts")
