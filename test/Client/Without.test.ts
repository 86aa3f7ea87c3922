/** docs/client/without.md as written: a page with an EventSource, curl in a shell, Python. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as http from "node:http"

import { afterEach, assert, describe, it } from "@effect/vitest"

import { chromium, patience, reason } from "../Browser.ts"
import { freePort, until as untilWithin } from "../Daemon.ts"
import { filesOf } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"

const until = (what: string, check: () => boolean | Promise<boolean>) => untilWithin(what, check, patience)

const files = filesOf("without.md")
const has = (command: string) => spawnSync(command, ["--version"]).status === 0

/** Whoever follows the rows is told of births, deaths, edits, and fields that come and go. */
const live = async (frontend: Frontend, holds: () => Promise<unknown>) => {
  const steps: ReadonlyArray<() => void> = [
    () => frontend.price("TON", "2.00"),
    () => frontend.price("SOL", "3.00", "new"),
    () => frontend.price("SOL", "4.00"),
    () => frontend.remove("SOL"),
    () => frontend.price("TON", "1.00")
  ]
  for (const step of steps) {
    step()
    const told = JSON.stringify(Object.entries(frontend.truth).toSorted())
    await until(told, async () => {
      const rows = (await holds()) as object
      return JSON.stringify(Object.entries(rows).toSorted()) === told
    })
  }
}

describe("without a client", () => {
  const frontend = Frontend.of()
  let child: ChildProcess | undefined
  afterEach(() => {
    if (child?.exitCode === null) process.kill(-child.pid!, "SIGKILL")
  })

  /** What a command has said so far. */
  const started = (command: string, args: ReadonlyArray<string>) => {
    let said = ""
    child = spawn(command, args, {
      env: { ...process.env, RATECAST: frontend.daemon.url },
      stdio: ["ignore", "pipe", "pipe"],
      // With what it starts.
      detached: true
    })
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    return () => said
  }

  describe.skipIf(chromium === undefined)(`in a page${reason}`, () => {
    it("an EventSource holds the rows in twelve lines", async () => {
      const code = files.get("rates.js")!
      assert.strictEqual(code.trim().split("\n").length, 12)
      const tab = await frontend.visit(
        `const show = (rows) => (window.shown = Object.fromEntries(rows))\n${code}`
      )
      await live(frontend, async () => (await tab.evaluate("window.shown")) ?? {})
      assert.deepStrictEqual(tab.complaints, [])
    })

    it("and another is opened where a proxy has answered", async () => {
      let asked = 0
      const answers = http.createServer((_, response) => {
        response.setHeader("access-control-allow-origin", "*")
        if (++asked < 3) return response.writeHead(502).end()
        response.writeHead(200, { "content-type": "text/event-stream" }).write("event: change\ndata: 1\n\n")
      })
      const port = await freePort()
      answers.listen(port)
      const tab = await frontend.visit(
        `${files.get("again.js")!}\nfollow("http://127.0.0.1:${port}/", { change: () => (window.isBack = true) }, 50)`
      )
      await tab.holds("a change", "window.isBack === true")
      assert.strictEqual(asked, 3)
      answers.closeAllConnections()
      answers.close()
    })
  })

  describe.skipIf(!has("curl"))("with curl", () => {
    it("all rows, or one", async () => {
      const rows = started("sh", ["-c", files.get("rows.sh")!])
      await until("all rows", () => rows().endsWith("}"))
      assert.deepStrictEqual(JSON.parse(rows()).collections.rates.rows, frontend.truth)
      const row = started("sh", ["-c", files.get("row.sh")!])
      await until("a row", () => row().endsWith("}"))
      await until("its end", () => child!.exitCode === 0)
      assert.deepStrictEqual(JSON.parse(row()).row, { symbol: "TON", usd: "1.00" })
    })

    it("what happens, as it does", async () => {
      const said = started("sh", ["-c", files.get("stream.sh")!])
      await until("a snapshot", () => /event: ?snapshot/.test(said()))
      frontend.price("TON", "6.00")
      await until("a change", () => /event: ?change[^]*"6.00"/.test(said()))
      frontend.price("TON", "1.00")
    })

    it("by long polling, each from the cursor of the one before", async () => {
      const said = started("sh", ["-c", files.get("changes.sh")!])
      const messages = () =>
        said()
          .split("\n")
          .filter((line) => line.startsWith("{"))
      await until("a snapshot", () => messages().length === 1)
      for (const usd of ["7.00", "8.00", "1.00"]) {
        frontend.price("TON", usd)
        await until(usd, () => messages().at(-1)!.includes(usd))
      }
      const { [0]: first, ...more } = messages().map((text) => JSON.parse(text))
      assert.strictEqual(first.type, "snapshot")
      let at = first.cursor
      for (const message of Object.values(more)) {
        assert.deepInclude(message, { type: "change", from: at })
        at = message.cursor
      }
    })
  })

  it.skipIf(!has("python3"))("in Python", async () => {
    const said = started("python3", ["-c", files.get("rates.py")!])
    await until("rows", () => said().includes("\n"))
    await live(frontend, async () => JSON.parse(said().trim().split("\n").at(-1)!))
  })
})
