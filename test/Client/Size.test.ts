import { gzipSync } from "node:zlib"

import { assert, it } from "@effect/vitest"
import { build } from "esbuild"

/** What a page loads of it, in bytes: bundled, minified, gzip. */
const sizeOf = async (entry: string) => {
  const { outputFiles } = await build({
    entryPoints: [`client/${entry}.ts`],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false
  })
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length
}

it("the client is at most 4 KB, gzip", async () => {
  assert.isAtMost(await sizeOf("Cast"), 4096)
})
