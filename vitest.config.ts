import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    // Real sockets and two cores: more workers only make timings worse.
    maxWorkers: 2
  }
})
