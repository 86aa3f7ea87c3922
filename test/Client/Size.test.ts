/** What a page loads, in bytes: bundled, minified, gzip. What is bound is weighed beyond the client, and without its peers. */
import { readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { gzipSync } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import { rolldown } from "rolldown"

const root = resolve(import.meta.dirname, "../..")
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: { readonly [entry: string]: string }
}

const limits: { readonly [entry: string]: number } = {
  "./client": 4096,
  "./client/react": 1024,
  "./client/redux": 1024,
  "./client/tanstack-query": 1024,
  "./client/angular": 1024,
  "./client/share": 1536,
  "./client/persist": 1536,
  "./client/inline": 640,
  "./client/snapshot": 512
}
/** What no page loads. */
const unweighed = new Set(["./client/testing"])

const bundled = async (file: string, without: ReadonlySet<string> = new Set()) => {
  const bundle = await rolldown({
    input: join(root, file),
    platform: "browser",
    external: (id, from) =>
      !/^[./]/.test(id) || (from !== undefined && without.has(resolve(dirname(from), id)))
  })
  const { output } = await bundle.generate({ format: "esm", minify: true, comments: false })
  await bundle.close()
  const [{ code, moduleIds }] = output
  return { bytes: gzipSync(code, { level: 9 }).length, modules: new Set(moduleIds) }
}

describe("gzip,", () => {
  for (const [entry, file] of Object.entries(exports)) {
    if (!entry.startsWith("./client") || unweighed.has(entry)) continue
    it(`${entry.replace(".", "ratecast")} is at most ${limits[entry]} bytes`, async () => {
      const core = await bundled(exports["./client"]!)
      const { bytes } = entry === "./client" ? core : await bundled(file, core.modules)
      assert.isAbove(bytes, 100)
      assert.isAtMost(bytes, limits[entry]!)
    })
  }

  it("and this weighs neither the client nor peers with what is bound to it", async () => {
    const { bytes, modules } = await bundled(exports["./client"]!)
    assert.isAbove(modules.size, 5)
    const without = await bundled(exports["./client"]!, new Set([...modules].slice(1)))
    assert.isBelow(without.bytes, bytes)
  })
})
