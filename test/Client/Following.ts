/** docs/client.md, followed from its first line on by somebody who has installed the package: tests of Package.test.ts. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Browser, chromium, reason } from "../Browser.ts"
import { freePort, until } from "../Daemon.ts"
import type { Packed } from "../Packed.ts"
import type { Process } from "../Process.ts"
import { blocksOf, root } from "../Project.ts"
import { Tab } from "../Tab.ts"
import { filesOf } from "./Recipes.ts"

/** What a command is told on a line of a page that begins with `$`. */
const commandsOf = (page: string) => [...page.matchAll(/^\$ ((?:.*\\\n)*.*)$/gm)].map(([, line]) => line!)

/** An example that goes on from the one before. */
const given = (code: string) => `import type { Cast } from "ratecast/client"
import type { Api } from "./api.ts"
declare const cast: Cast<Api>
${code}
export {}
`

const followed = (installed: () => { readonly packed: Packed; readonly app: string }) => () => {
  const clientPage = readFileSync(join(root, "docs/client.md"), "utf8")
  const files = filesOf("../client.md")
  let packed: Packed
  let app: string
  let folder: string
  let daemon: Process
  let url: string
  beforeAll(async () => {
    ;({ app, packed } = installed())
    folder = join(app, "client")
    mkdirSync(join(folder, "page"), { recursive: true })
    for (const [name, code] of files)
      writeFileSync(
        join(folder, name),
        code.includes("cast = ") || name === "ratecast.config.ts" ? code : given(code)
      )
    const port = await freePort()
    url = `http://127.0.0.1:${port}/`
    // A page does not write so much.
    const patient = { WRITES_PER_SECOND: "1000", WRITE_BURST: "1000" }
    daemon = packed.serve(app, folder, port, { ANONYMOUS_WRITE: "*", ...patient })
    await until(
      "the daemon",
      async () => (await fetch(`${url}v1/snapshot`).catch(() => undefined))?.ok === true,
      30_000
    )
    for (const command of commandsOf(clientPage).filter((line) => line.startsWith("curl -X PUT")))
      packed.must(folder, "sh", ["-c", `${command.replace("localhost:8080", `127.0.0.1:${port}`)} --fail`])
  }, 240_000)
  afterAll(async () => {
    daemon?.child.kill("SIGTERM")
    await daemon?.exit
  })

  const written = async (usd: string) => {
    const body = JSON.stringify({ symbol: "TON", usd })
    const headers = { "content-type": "application/json" }
    assert.isTrue((await fetch(`${url}v1/rows/rates/TON`, { method: "PUT", headers, body })).ok)
  }

  it("finds every example well typed, by what `ratecast types` writes", () => {
    const command = join(app, "node_modules/.bin/ratecast")
    writeFileSync(join(folder, "api.ts"), packed.must(folder, process.execPath, [command, "types"]).out)
    const names = [...files.keys()].filter((name) => name !== "ratecast.config.ts")
    assert.isAbove(names.length, 8)
    assert.strictEqual(files.size, blocksOf(clientPage).length)
    const { status, text } = packed.typeCheck(folder, names)
    assert.strictEqual(status, 0, text)
    writeFileSync(join(folder, "wrong.ts"), given(files.get("rows.ts")!.replace("asOf", "asof")))
    assert.include(packed.typeCheck(folder, ["wrong.ts"]).text, "'asof' does not exist")
    const config = join(folder, "ratecast.config.ts")
    writeFileSync(config, `console.log(process.env["API"])\n${files.get("ratecast.config.ts")}`)
    assert.include(packed.typeCheck(folder, ["rates.ts"]).text, "Cannot find name 'process'")
    writeFileSync(config, files.get("ratecast.config.ts")!)
  }, 60_000)

  /** One of the examples, and what is said then of the rows. */
  const run = (name: string, before = "") => {
    // It is given what it imports, and may say the same names again.
    const code = files.get(name)!.replace(/^import .*$/m, "")
    writeFileSync(
      join(folder, "run.ts"),
      `import { CastError, connect } from "ratecast/client"
const cast = connect<any>(${JSON.stringify(url)}, { collections: ["rates", "chat"] })
cast.subscribe(() => {})
await cast.ready()
const lines = (of: string) => console.log(of, JSON.stringify(cast.collection(of).rows))
${before}
{
${code}
}
lines("rates")
lines("chat")
process.exit()
`
    )
    return packed.must(folder, process.execPath, ["run.ts"]).out
  }

  it("reads, writes, is refused, and pages through history as it says", async () => {
    await written("3.12")
    assert.include(run("rows.ts"), `"TON","usd":"3.12"`)
    assert.include(run("write.ts"), "chat []")
    assert.match(run("refused.ts"), /^400 invalid_row "text" does not fit.*500/m)
    const many = `for (let i = 0; i < 120; i++) await cast.chat.append({ text: "line " + i })`
    const history = run("history.ts", many)
    assert.strictEqual(
      [...history.matchAll(/ line (\d+)$/gm)].map(([, i]) => i).join(),
      Array.from({ length: 120 }, (_, i) => 119 - i).join()
    )
    assert.include(run("status.ts"), "chat [")
  }, 60_000)

  describe.skipIf(chromium === undefined)(`in a browser${reason}`, () => {
    const browser = chromium === undefined ? undefined : new Browser(chromium)
    afterAll(() => browser?.close())

    const shows = async (path: string, id: string) => {
      await written("3.12")
      const tab = await Tab.open(browser!, url + path)
      await tab.shows(id, "ETH 2890.5\nTON 3.12", 30_000)
      await written("4.00")
      await tab.shows(id, "ETH 2890.5\nTON 4.00", 30_000)
      assert.deepStrictEqual(tab.complaints, [])
      await tab.close()
    }

    it("has live rows without a framework, and without a bundler", async () => {
      packed.bundle(folder, "rates.ts", "rates.js")
      const head = '<!doctype html><pre id="rates"></pre>'
      writeFileSync(join(folder, "page/plain.html"), `${head}<script type="module" src="rates.js"></script>`)
      await shows("plain.html", "#rates")
      writeFileSync(join(folder, "page/global.html"), blocksOf(clientPage, "html")[0]!)
      const script = "ratecast.global.js"
      cpSync(join(app, "node_modules/ratecast/client", script), join(folder, "page", script))
      await shows("global.html", "#list")
    }, 120_000)
  })
}

/** `installed`: when the tests run. */
export const testsOfClientPage = (installed: Parameters<typeof followed>[0]): void => {
  const hasCurl = spawnSync("curl", ["--version"]).status === 0
  describe.skipIf(!hasCurl)("whoever follows docs/client.md", followed(installed))
}
