/** What is published, as whoever installs it finds it. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { type Cast, connect } from "../client/Cast.ts"
import { Browser, chromium, reason } from "./Browser.ts"
import { testsOfClientPage } from "./Client/Following.ts"
import { Backend, freePort, until } from "./Daemon.ts"
import { Packed } from "./Packed.ts"
import type { Process } from "./Process.ts"
import { bin, blocksOf, root } from "./Project.ts"
import { Tab } from "./Tab.ts"

const rootManifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string
  readonly exports: object
  readonly devDependencies: { readonly [name: string]: string }
}
const readme = readFileSync(join(root, "README.md"), "utf8")
/** At the version that is here, which is in the cache of npm. */
const asHere = (name: string) => `${name}@${rootManifest.devDependencies[name]}`

let packed: Packed
let app: string
beforeAll(() => {
  packed = new Packed()
  app = packed.install()
}, 240_000)
afterAll(() => packed.remove(), 120_000)

describe("the package", () => {
  it("is well formed, and its types are found by whoever resolves as ESM or for a bundler", () => {
    const manifest = JSON.parse(readFileSync(join(packed.package, "package.json"), "utf8"))
    assert.deepStrictEqual(Object.keys(manifest.exports), Object.keys(rootManifest.exports))
    for (const peer of Object.keys(manifest.peerDependencies))
      assert.isTrue(manifest.peerDependenciesMeta[peer].optional)
    const publint = packed.run(packed.path, bin("publint"), ["run", packed.tarball, "--strict"])
    assert.strictEqual(publint.status, 0, publint.text)
    const attw = packed.run(packed.path, bin("attw"), [packed.tarball, "--profile", "esm-only"])
    assert.strictEqual(attw.status, 0, attw.text)
  }, 120_000)

  it("has no source, no test and nothing of this machine, and brings no Node", () => {
    const { out } = packed.must(packed.path, "tar", ["-tzf", packed.tarball])
    const files = out.trim().split("\n")
    assert.isAbove(files.length, 100)
    assert.deepStrictEqual(
      files.filter(
        (file) => !/^package\/(bin|client|docs|page|src)\/|^package\/[^/]+\.(md|json)$|LICENSE$/.test(file)
      ),
      []
    )
    assert.deepStrictEqual(
      files.filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts")),
      []
    )
    for (const file of files.filter((file) => /\.(js|ts|map|json)$/.test(file)))
      assert.notInclude(readFileSync(join(packed.path, file), "utf8"), root, file)
    assert.isFalse(existsSync(join(app, "node_modules/.bin/node")))
  })

  it("is a command that starts, checks and says its version", () => {
    writeFileSync(
      join(app, "ratecast.config.ts"),
      `import { Schema } from "effect"
import { defineConfig, written } from "ratecast"
const row = Schema.Struct({ id: Schema.String, n: Schema.Int })
export default defineConfig({ collections: { notes: written({ key: "id", row }) } })
`
    )
    const command = join(app, "node_modules/.bin/ratecast")
    const ratecast = (args: ReadonlyArray<string>) => packed.run(app, process.execPath, [command, ...args])
    assert.include(ratecast(["--version"]).out, rootManifest.version)
    assert.include(ratecast(["check"]).out, "1 collection from 0 sources, all well")
    assert.include(ratecast(["types"]).out, "readonly notes: {")
  })

  it("is typed for a page that knows of no Node, without a look past its own types", () => {
    writeFileSync(join(app, "page.ts"), page)
    const options = ["--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false", "--noEmit"]
    const browser = ["--target", "es2022", "--lib", "es2022,dom", "--types", "", "--ignoreConfig"]
    for (const resolution of [
      ["--module", "esnext", "--moduleResolution", "bundler"],
      ["--module", "nodenext", "--moduleResolution", "nodenext"]
    ]) {
      const check = (file: string) =>
        packed.run(app, bin("tsc"), [...options, ...browser, ...resolution, file])
      const checked = check("page.ts")
      assert.strictEqual(checked.status, 0, checked.text)
      writeFileSync(join(app, "wrong.ts"), page.replace("?.usd", "?.eur"))
      assert.include(check("wrong.ts").text, "'eur' does not exist")
    }
  }, 60_000)

  it("has a client that runs in Node and in a worker of it, by every road", () => {
    const args = ["tools/runtimes.mjs", "--app", app, "node 24", "worker of node 24"]
    const { status, text } = packed.run(root, process.execPath, args)
    assert.strictEqual(status, 0, text)
    assert.deepStrictEqual(
      [...text.matchAll(/^ok .*: (.*)$/gm)].map(([, roads]) => roads),
      Array(2).fill("socket, stream, changes")
    )
  }, 60_000)

  it("tests a config without a daemon", () => {
    writeFileSync(
      join(app, "test.mjs"),
      `import { testing } from "ratecast/testing"
import config from "./ratecast.config.ts"
const cast = testing(config)
const client = await cast.stream("?collections=notes")
await cast.write({ op: "put", collection: "notes", key: "a", row: { id: "a", n: 1 } })
await cast.advance("1 second")
console.log(JSON.stringify(client.rows("notes")))
await cast.close()
`
    )
    assert.strictEqual(packed.must(app, process.execPath, ["test.mjs"]).out.trim(), '{"a":{"id":"a","n":1}}')
  })
})

const price = (usd: string) => ({ data: { items: [{ id: "ton", name: "Toncoin", usd }] } })
describe.skipIf(chromium === undefined)(`a newcomer${reason}`, () => {
  const backend = new Backend()
  let daemon: Process
  let browser: Browser
  let url: string
  let cast: Cast<{ readonly prices: object }>
  beforeAll(async () => {
    assert.isFalse(existsSync(join(app, "node_modules/react")))
    packed.add(app, ["react", "react-dom", "@types/react", "@types/react-dom"].map(asHere))
    backend.body = price("1.10")
    await backend.start()
    const config = blocksOf(readme)[0]!.replace("https://api.example.com/prices", backend.url)
    assert.include(config, backend.url)
    writeFileSync(join(app, "ratecast.config.ts"), config)
    mkdirSync(join(app, "page"))
    const port = await freePort()
    url = `http://127.0.0.1:${port}/`
    daemon = packed.serve(app, app, port, {
      ANONYMOUS_REFRESH: "*",
      // Each of its threads starts from a file of its own.
      RATECAST_DATA: join(app, "data"),
      RATECAST_THREADS: process.platform === "linux" ? "2" : "1",
      BODY_THREAD_BYTES: "1"
    })
    cast = connect(url, { collections: ["prices"] })
    await cast.ready()
    browser = new Browser(chromium!)
  }, 240_000)
  afterAll(async () => {
    cast?.close()
    await browser?.close()
    daemon?.child.kill("SIGTERM")
    await daemon?.exit
    await backend.close()
  })

  /** Within a second of another poll it would not be asked. */
  const costs = async (usd: string) => {
    backend.body = price(usd)
    await until("a refresh", async () => (await cast.prices.refresh()).refreshed)
  }
  /** Shows what the upstream has, and what it has next. */
  const shows = async (path: string) => {
    const tab = await Tab.open(browser, url + path)
    await tab.shows("#prices", "1.10", 30_000)
    assert.include(await tab.text("#prices"), "Toncoin")
    await costs("2.30")
    await tab.shows("#prices", "2.30", 30_000)
    await costs("1.10")
    // React says where its tools are.
    assert.deepStrictEqual(
      tab.complaints.filter((text) => !text.includes("React DevTools")),
      []
    )
    await tab.close()
  }

  it("has a live React table in under ten lines, by what the README says", async () => {
    const [table] = blocksOf(readme, "tsx")
    const [html] = blocksOf(readme, "html")
    assert.isBelow(table!.split("\n").filter((line) => !/^(\/\/.*)?$/.test(line)).length, 10)
    writeFileSync(join(app, "app.tsx"), table!)
    writeFileSync(join(app, "page/index.html"), html!)
    const checked = packed.typeCheck(app, ["app.tsx"])
    assert.strictEqual(checked.status, 0, checked.text)
    packed.bundle(app, "app.tsx", "app.js")
    await shows("")
  }, 120_000)
})

const page = `import { connect } from "ratecast/client"
export * as entries from "ratecast/client/inline"
export * from "ratecast/client/persist"
export * from "ratecast/client/share"
export * as testing from "ratecast/client/testing"
interface Api { readonly prices: { readonly id: string; readonly usd: string } }
const cast = connect<Api>("/", { collections: ["prices"] })
export const usd: string | undefined = cast.prices.get("a")?.usd
cast.prices.subscribe((keys) => document.title = String(keys.size))
`

testsOfClientPage(() => ({ app, packed }))
