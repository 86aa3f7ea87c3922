/** The code of docs/client, as a compiler of somebody who has copied it sees it. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { entries, filesOf, root } from "./Recipes.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-recipes-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** What all pages speak of. */
const config = `
import { Schema } from "effect"
import { defineConfig, polled, source, written } from "ratecast"

const row = Schema.Struct({ symbol: Schema.String, usd: Schema.String })
export default defineConfig({
  collections: {
    rates: polled({ source: source({ url: "http://127.0.0.1:8081/rates", every: "1 second" }), key: "symbol", row }),
    chat: written({ key: "id", row: Schema.Struct({ id: Schema.String, text: Schema.String }) })
  }
})
`

/** What the compiler says of these pages. */
const compiled = (pages: ReadonlyArray<string>, spoil: (code: string) => string = (code) => code) => {
  rmSync(folder, { recursive: true })
  for (const page of pages) {
    mkdirSync(join(folder, page), { recursive: true })
    writeFileSync(join(folder, page, "ratecast.config.ts"), config)
    for (const [name, code] of filesOf(page)) writeFileSync(join(folder, page, name), spoil(code))
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

  it("and this notices a field that no row has", () => {
    assert.include(
      compiled(["react.md"], (code) => code.replace("rate?.usd", "rate?.eur")),
      "'eur' does not exist"
    )
  })
})
