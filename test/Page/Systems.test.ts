/** The tabs of the example systems: the demo's page knows which of them run, and of the others how they start. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, written } from "../../src/Config.ts"
import { Browser, chromium, isThorough, reason } from "../Browser.ts"
import { type Daemon, startDaemon, until } from "../Daemon.ts"
import { root } from "../Process.ts"
import { Tab } from "../Tab.ts"
import { grave } from "./Axe.ts"

const { assembleDemo } = (await import(join(root, "tools/page.mjs"))) as {
  readonly assembleDemo: (folder: string) => Promise<string>
}
const folder = mkdtempSync(join(tmpdir(), "ratecast-systems-"))
const data = join(folder, "data")
const page = join(folder, "page")

/** A process that says what `npm start NAME` does. */
const announce = (name: string, url: string) =>
  spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { announce } from ${JSON.stringify(join(root, "tools/running.mjs"))}
announce(...${JSON.stringify([data, name, url, page])})
process.on("SIGTERM", () => process.exit())
setInterval(() => {}, 1_000)`
    ],
    { stdio: ["ignore", "ignore", "inherit"] }
  )

describe.skipIf(chromium === undefined || !isThorough)(`the tabs of the example systems${reason}`, () => {
  let browser: Browser
  let daemon: Daemon
  const started: Array<ReturnType<typeof announce>> = []
  const start = (name: string, url: string) => {
    const process = announce(name, url)
    started.push(process)
    return process
  }

  beforeAll(async () => {
    await assembleDemo(page)
    daemon = await startDaemon(
      defineConfig({
        collections: { notes: written({ key: "id", row: Schema.Struct({ id: Schema.String }) }) }
      }),
      { PAGE: page }
    )
    browser = new Browser(chromium!)
    start("dex", `${daemon.url}/`)
    await until("it tells", () => existsSync(join(page, "examples.json")), 20_000)
  }, 40_000)
  afterAll(async () => {
    for (const process of started) process.kill("SIGKILL")
    await browser.close()
    await daemon.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it("say how a system starts while it does not run, and are links while it does", async () => {
    const tab = await Tab.open(browser, `${daemon.url}/`)
    const links = () => tab.texts("#systems [data-url]")
    await tab.shows("#systems", "Menu")
    assert.deepStrictEqual(await tab.texts("#systems a"), [
      "DEX",
      "Chat",
      "Support",
      "Sharing centre",
      "Menu"
    ])
    assert.deepStrictEqual(await links(), [])
    await tab.click("[data-system=sharing-centre]")
    await tab.shows("#start-title", "Sharing centre")
    await tab.shows("#start-command", "npm start sharing-centre")
    assert.deepStrictEqual(await grave(tab), [])
    await tab.press("Escape", 27)
    await until("closed", async () => !(await tab.isVisible("#start")))

    const chat = start("chat", "http://127.0.0.1:9/")
    await until("a link", async () => (await links()).join() === "Chat", 20_000)
    assert.strictEqual(await tab.attribute("[data-system=chat]", "href"), "http://127.0.0.1:9/")
    assert.strictEqual(await tab.attribute("[data-system=chat]", "target"), "_blank")
    await tab.shows("[data-system=chat] .dot")

    // Started once more, it is there after the first has ended.
    const again = start("chat", "http://127.0.0.1:99/")
    const isAt = async () => (await tab.attribute("[data-system=chat]", "href")) === "http://127.0.0.1:99/"
    await until("the second", isAt, 20_000)
    const ended = new Promise((done) => chat.once("exit", done))
    chat.kill("SIGTERM")
    await ended
    await new Promise((done) => setTimeout(done, 6_000))
    assert.isTrue(await isAt())

    // However it dies.
    again.kill("SIGKILL")
    await until("no link", async () => (await links()).length === 0, 20_000)
    assert.strictEqual(await tab.attribute("[data-system=chat]", "target"), null)
    await tab.click("[data-system=chat]")
    await tab.shows("#start-command", "npm start chat")
    assert.deepStrictEqual(tab.complaints, [])
    await tab.close()
  }, 90_000)
})
