/** docs/config.md and the config of the README, as they stand, type-checked where a user would have them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { blocksOf, Project, root } from "../Project.ts"

const examplesOf = (page: string) => blocksOf(readFileSync(join(root, page), "utf8"))

/** One module: what a block imports and declares is there for all that follow it, and may be declared anew. */
const moduleOf = (blocks: ReadonlyArray<string>): string => {
  const imports = new Map<string, Set<string>>()
  const bodies = blocks.map((block) =>
    block
      .replace(/^import \{ (.*) \} from "(.*)"$/gm, (_, names: string, from: string) => {
        const known = imports.get(from) ?? new Set()
        imports.set(from, known)
        for (const name of names.split(", ")) known.add(name)
        return ""
      })
      .replace(/^export default /m, "void ")
  )
  const head = [...imports].map(([from, names]) => `import { ${[...names].join(", ")} } from "${from}"`)
  return [...head, ...bodies.flatMap((body) => ["{", body]), ...bodies.map(() => "}")].join("\n")
}

const project = new Project()
afterAll(() => project.remove())
const check = (blocks: ReadonlyArray<string>) => {
  project.write("config/page.ts", moduleOf(blocks))
  const { status, text } = project.run("tsc", ["--noEmit", "--project", ".", "--noUnusedLocals", "false"])
  return { status, text }
}

describe("the examples of docs/config.md", () => {
  it(
    "are type-checked as a user's are, with nothing imported that the page does not import",
    { timeout: 60_000 },
    () => {
      const blocks = examplesOf("docs/config.md")
      assert.isAbove(blocks.length, 7)
      const [first] = examplesOf("README.md")
      project.write("readme/ratecast.config.ts", first!)
      const { status, text } = check(blocks)
      assert.strictEqual(status, 0, text)
    }
  )

  it("and this notices an import that is missing, and an option that is none", { timeout: 60_000 }, () => {
    const blocks = examplesOf("docs/config.md")
    const { status, text } = check(
      blocks.map((block) =>
        block.replace('import { HttpClient } from "effect/http"\n', "").replace("size: 100", "sice: 100")
      )
    )
    assert.notStrictEqual(status, 0)
    assert.include(text, "Cannot find name 'HttpClient'")
    assert.include(text, "'sice' does not exist")
  })
})
