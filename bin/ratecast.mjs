#!/usr/bin/env node
import module from "node:module"

// Starting takes half as long where the modules have been compiled before.
module.enableCompileCache?.()
await import("../src/Main.ts")
