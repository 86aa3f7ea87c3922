import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

import { afterAll, expect, test } from "vitest"

import { freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
afterAll(() => folder.remove())

test("what was compiled at the first start is there for the next, though the daemon was killed", async () => {
  const cache = join(folder.path, "compiled")
  const bytes = () =>
    readdirSync(cache, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      // One that is being written has another name in a moment.
      .map(({ name, parentPath }) => statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size, 0)
  const config = folder.config("things.config.ts", "http://127.0.0.1:1", 'key: "id"')
  const run = ratecast(["serve", "--config", config], {
    PORT: String(await freePort()),
    LOG_FORMAT: "json",
    NODE_COMPILE_CACHE: cache
  })
  try {
    await until("up", () => run.out.includes("ratecast is up"), 20_000)
    await until("kept", () => bytes() > 1_000_000)
  } finally {
    run.kill()
  }
  expect(await run.exit).toBe("SIGKILL")
  expect(bytes()).toBeGreaterThan(1_000_000)
})
