/** docs/testing.md, as it stands: its files are put where a user would have them, type-checked, and run. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { blocksOf, Project, root } from "../Project.ts"

const page = readFileSync(join(root, "docs/testing.md"), "utf8")
const blocks = blocksOf(page)
const named = blocks.map((code) => ({ code, file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] }))

const project = new Project()
beforeAll(() => {
  for (const { code, file } of named) if (file !== undefined) project.write(file, code)
})
afterAll(() => project.remove())

describe("the examples of docs/testing.md", () => {
  it("say which file they are", () => {
    assert.isAbove(blocks.length, 7)
    assert.deepStrictEqual(
      named.filter(({ file }) => file === undefined),
      []
    )
  })

  it("are type-checked as a user's are", { timeout: 60_000 }, () => {
    const { status, text } = project.typeCheck()
    assert.strictEqual(status, 0, text)
  })

  it("pass, and nothing is left running after them", { timeout: 60_000 }, () => {
    const { status, text } = project.run("node", ["--test", "--test-reporter=tap", "*/*.test.ts"])
    assert.strictEqual(status, 0, text)
    const tests = [...page.matchAll(/^test\(/gm)].length
    assert.include(text, `# pass ${tests}\n`)
  })

  it("and this notices one that fails", { timeout: 60_000 }, () => {
    const file = "first/prices.test.ts"
    const text = readFileSync(join(project.path, file), "utf8")
    project.write(file, text.replace('{ usd: "1.20" } } } }', '{ usd: "1.3" } } } }'))
    assert.strictEqual(project.run("node", ["--test", "first/*.test.ts"]).status, 1)
    project.write(file, text)
  })

  it("name everything that there is to import", async () => {
    const names = Object.keys(await import("../../src/Testing.ts"))
    assert.deepStrictEqual(
      names.filter((name) => !page.includes(`\`${name}`)),
      []
    )
  })
})
