import { gzipSync } from "node:zlib"

import { assert, it } from "@effect/vitest"
import { rolldown } from "rolldown"

/** What a page loads of it, in bytes: bundled, minified, gzip. */
const sizeOf = async (entry: string) => {
  const bundle = await rolldown({
    input: `client/${entry}.ts`,
    platform: "browser",
    // What a binding binds to is there already.
    external: /^[^./]/
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  return gzipSync(output[0].code, { level: 9 }).length
}

it("the client is at most 4 KB, gzip", async () => {
  assert.isAtMost(await sizeOf("Cast"), 4096)
})

it.each(["React", "Redux", "TanstackQuery", "Angular"])(
  "the binding %s is at most 1 KB, gzip",
  async (entry) => {
    assert.isAtMost(await sizeOf(entry), 1024)
  }
)
