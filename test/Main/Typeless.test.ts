/** A config in a folder as `npm i` makes it, whose package.json says of no type. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Backend, freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
const backend = new Backend()
beforeAll(async () => {
  await backend.start()
  backend.body = [{ id: "a", n: 1 }]
  writeFileSync(join(folder.path, "package.json"), '{ "dependencies": {} }')
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const file = () => folder.config("ratecast.config.ts", backend.url, 'key: "id"')

describe("a config whose package.json has no type", () => {
  it("is loaded without a warning of Node's, in every thread", { timeout: 30_000 }, async () => {
    const run = ratecast(["serve", "--config", file()], {
      PORT: String(await freePort()),
      ADMIN_PORT: String(await freePort()),
      RATECAST_THREADS: "2",
      BODY_THREAD_BYTES: "1"
    })
    try {
      await until("things to be live", () => run.out.includes("things is live"), 20_000)
      run.child.kill("SIGTERM")
      assert.strictEqual(await run.exit, 0)
      assert.strictEqual(run.err, "")
    } finally {
      run.kill()
    }
  })

  it("has its own warnings told as ever", async () => {
    const own = join(folder.path, "warns.config.ts")
    writeFileSync(
      own,
      `process.emitWarning("mind this", { code: "OWN" })\nexport * from ${JSON.stringify(file())}\nexport { default } from ${JSON.stringify(file())}\n`
    )
    const run = ratecast(["check", "--config", own])
    assert.strictEqual(await run.exit, 0)
    assert.match(run.err, /\[OWN\] Warning: mind this/)
    assert.notInclude(run.err, "MODULE_TYPELESS")
  })
})
