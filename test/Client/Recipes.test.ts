/** The code of docs/client, as a compiler of somebody who has copied it sees it. */
import { spawnSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { config, entries, filesOf, root } from "./Recipes.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-recipes-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** Whose files a page's own stand beside. */
const neighbours = (page: string) => (page === "testing.md" ? filesOf("react.md") : [])

/** What the compiler says of these pages. */
const compiled = (pages: ReadonlyArray<string>, spoil: (code: string) => string = (code) => code) => {
  rmSync(folder, { recursive: true })
  for (const page of pages) {
    mkdirSync(join(folder, page), { recursive: true })
    writeFileSync(join(folder, page, "ratecast.config.ts"), config)
    for (const [name, code] of [...neighbours(page), ...filesOf(page)])
      writeFileSync(join(folder, page, name), spoil(code))
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  const paths = { ...entries, ratecast: "src/Config.ts" }
  const options = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      lib: ["es2024", "esnext", "dom", "dom.iterable"],
      module: "esnext",
      moduleResolution: "bundler",
      jsx: "react-jsx",
      experimentalDecorators: true,
      allowImportingTsExtensions: true,
      paths: Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, [join(root, path)]]))
    },
    include: [`${folder}/*/*.ts`, `${folder}/*/*.tsx`]
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options))
  return spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" }).stdout
}

describe("the code of docs/client", () => {
  it("compiles as written", () => {
    const pages = readdirSync(join(root, "docs/client"))
    assert.isAbove(pages.length, 0)
    assert.strictEqual(compiled(pages), "")
  })

  it("is all in files with a name, so that none is left out", () => {
    for (const page of readdirSync(join(root, "docs/client"))) {
      const blocks = readFileSync(join(root, "docs/client", page), "utf8").match(/^```(ts|tsx|js)\n/gm) ?? []
      const names = [...filesOf(page).keys()].filter((name) => /\.(tsx?|js)$/.test(name))
      assert.strictEqual(names.length, blocks.length, page)
    }
  })

  it("says which config it reads, wherever it reads rates", () => {
    const pages = readdirSync(join(root, "docs/client"))
    const texts = pages.map((page) => [page, readFileSync(join(root, "docs/client", page), "utf8")] as const)
    const reading = texts.filter(([, text]) => /ratecast\.config|=rates/.test(text))
    assert.isAbove(reading.length, 9)
    assert.deepStrictEqual(
      reading.filter(([, text]) => !text.includes("client's page](../client.md)")).map(([page]) => page),
      []
    )
  })

  it("and this notices a field that no row has", () => {
    assert.include(
      compiled(["react.md"], (code) => code.replace("rate?.usd", "rate?.eur")),
      "'eur' does not exist"
    )
  })
})
