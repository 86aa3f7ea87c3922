import { defineConfig, source } from "../../src/Config.ts"
import { curve } from "../Curve.ts"

export default defineConfig({
  collections: curve(
    source({
      url: process.env["BENCH_UPSTREAM"]!,
      every: "1 hour",
      idleEvery: "1 hour",
      refreshEvery: "1 millis",
      retries: 0
    })
  )
})
