/** docs/testing.md, as it stands: its files are put where a user would have them, type-checked, and run. */
import { spawnSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

const root = resolve(import.meta.dirname, "../..")
const bin = (name: string) => join(root, "node_modules/.bin", name)
const page = readFileSync(join(root, "docs/testing.md"), "utf8")
const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!)
const named = blocks.map((code) => ({ code, file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] }))

const folder = realpathSync(mkdtempSync(join(tmpdir(), "ratecast-page-")))

beforeAll(() => {
  for (const { code, file } of named) {
    if (file === undefined) continue
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    writeFileSync(join(folder, file), code)
  }
  mkdirSync(join(folder, "node_modules"))
  for (const name of ["effect", "@types"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  symlinkSync(root, join(folder, "node_modules/ratecast"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["*/*.ts"] })
  )
})

afterAll(() => rmSync(folder, { recursive: true }))

const run = (command: string, args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
    // A test runner that finds itself inside another one answers to that one.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, API: undefined }
  })
  return { status, text: stdout + stderr }
}

describe("the examples of docs/testing.md", () => {
  it("say which file they are", () => {
    assert.isAbove(blocks.length, 7)
    assert.deepStrictEqual(
      named.filter(({ file }) => file === undefined),
      []
    )
  })

  it("are type-checked as a user's are", { timeout: 60_000 }, () => {
    const { status, text } = run(bin("tsc"), ["--noEmit", "--project", "tsconfig.json"])
    assert.strictEqual(status, 0, text)
  })

  it("pass, and nothing is left running after them", { timeout: 60_000 }, () => {
    const { status, text } = run(bin("node"), ["--test", "--test-reporter=tap", "*/*.test.ts"])
    assert.strictEqual(status, 0, text)
    const tests = [...page.matchAll(/^test\(/gm)].length
    assert.include(text, `# pass ${tests}\n`)
  })

  it("and this notices one that fails", { timeout: 60_000 }, () => {
    const file = join(folder, "first/prices.test.ts")
    const text = readFileSync(file, "utf8")
    writeFileSync(file, text.replace('{ usd: "1.20" } } } }', '{ usd: "1.3" } } } }'))
    assert.strictEqual(run(bin("node"), ["--test", "first/*.test.ts"]).status, 1)
    writeFileSync(file, text)
  })

  it("name everything that there is to import", async () => {
    const names = Object.keys(await import("../../src/Testing.ts"))
    assert.deepStrictEqual(
      names.filter((name) => !page.includes(`\`${name}`)),
      []
    )
  })
})
