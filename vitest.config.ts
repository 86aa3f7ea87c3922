import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // Real sockets and two cores: most tests wait for most of their time, and a fourth worker would only make timings worse.
    maxWorkers: 3
  }
})
