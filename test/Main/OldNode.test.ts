/** The command on a Node that is too old for it. */
import { spawnSync } from "node:child_process"

import { assert, describe, it } from "@effect/vitest"

import { root } from "../Process.ts"

const pretends = `data:text/javascript,${encodeURIComponent(
  `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } })`
)}`

const on20 = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, ["--import", pretends, `${root}bin/ratecast.mjs`, ...args], {
    encoding: "utf8"
  })

describe("on Node 20", () => {
  it("says what to run instead, with the arguments that were given, to be pasted into a shell", () => {
    const { status, stderr } = on20("serve", "--config", "my config's.ts")
    assert.strictEqual(status, 1)
    assert.include(
      stderr,
      `: npx -p node@24 -p ratecast ratecast serve --config 'my config'\\''s.ts', or npx ratecast in a clone`
    )
    assert.include(on20().stderr, ": npx -p node@24 -p ratecast ratecast, or")
  })
})
