/** "Nothing comes" of docs/client.md: each cause, and that the page says of it what a cast says. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"

import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Schema } from "effect"

import { connect, type Options, type Status } from "../../client/Cast.ts"
import { defineConfig, polled, source } from "../../src/Config.ts"
import { chromium, isThorough, patience, reason } from "../Browser.ts"
import { Backend, freePort, startDaemon, until } from "../Daemon.ts"
import { firefox, Firefox } from "../Firefox.ts"
import { Frontend } from "./Frontend.ts"
import { bundled, root } from "./Recipes.ts"

const table = readFileSync(join(root, "docs/client.md"), "utf8")
  .split("## Nothing comes")[1]!
  .split("\n## ")[0]!

/** What a cast says of `url` as soon as it says something. */
const told = async (url: string, options: Partial<Options<string>> = {}) => {
  const cast = connect(url, { collections: ["rates"], roads: ["stream"], ...options })
  cast.subscribe(() => {})
  await until("an error", () => cast.status.error !== undefined, patience)
  const { status } = cast
  cast.close()
  return status
}

/** The first of them is a line of the page. */
const isSaid = (line: string, { error, state }: Status, message: string | RegExp = line.split(": ")[1]!) => {
  assert.include(table, `| \`${line.replace(": ", "`: `")}`)
  assert.strictEqual(state, line.split(":")[0])
  if (typeof message === "string") assert.include(error!.message, message)
  else assert.match(error!.message, message)
}

/** Answers all that is asked like this. */
const server = async (status: number) => {
  const answers = createServer((_, response) => {
    response.writeHead(status, { "content-type": "text/html" }).end("<!doctype html>")
  })
  await once(answers.listen(0, "127.0.0.1"), "listening")
  const { port } = answers.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      answers.closeAllConnections()
      answers.close()
    }
  }
}

describe("where nothing comes", () => {
  const frontend = Frontend.of()

  it("a server of pages, or another server, has answered", async () => {
    const [pages, other] = [await server(200), await server(404)]
    isSaid(
      "connecting: /v1/stream?…: 200 text/html",
      await told(pages.url),
      /\/v1\/stream\?.*: 200 text\/html$/
    )
    isSaid(
      "connecting: http://…/v1/stream?…: 404 …",
      await told(other.url),
      /\/v1\/stream\?.*: 404 text\/html$/
    )
    // The way of a cast that begins by WebSocket.
    const roads = ["socket", "stream"] as const
    const cast = connect(pages.url, { collections: ["rates"], roads })
    cast.subscribe(() => {})
    await until("the reason", () => !!cast.status.error?.message.includes("200 text/html"), patience)
    cast.close()
    pages.close()
    other.close()
  })

  it("Ratecast is at another path, has no such collection, or shows it to others", async () => {
    const line = `failed: there is nothing at /live/v1/stream; did you mean "/v1/stream"?`
    isSaid(line, await told(`${frontend.url}live/`))
    isSaid(`failed: there is no collection "rate"`, await told(frontend.url, { collections: ["rate"] }))
    const closed = await startDaemon(frontend.config, {
      ANONYMOUS_READ: "",
      ANONYMOUS_REFRESH: "",
      JWT_SECRET: "x".repeat(32)
    })
    const status = await told(closed.url)
    assert.strictEqual(status.error!.code, "unauthenticated")
    isSaid("failed: unauthenticated", status, "token")
    await closed.close()
  })

  it("what is read while the page is hidden has none of the fields that are asked for", async () => {
    // What a cast with this `keepAlive` asks for then.
    const query = { fields: "usd" }
    assert.deepInclude(await told(frontend.url, { collections: ["chat"], query }), { state: "failed" })
    const cast = connect(frontend.url, { collections: ["rates", "chat"], query, keepAlive: ["chat"] })
    await cast.ready()
    assert.strictEqual(cast.status.state, "live")
    cast.close()
  })

  it("nobody is there", async () => {
    const status = await told(`http://127.0.0.1:${await freePort()}/`)
    isSaid("connecting: Failed to fetch", status, "fetch failed")
    assert.include(table, "Node: `fetch failed`")
  })

  it("there is no token", async () => {
    const refusal = new Error("nobody has logged in")
    const status = await told(frontend.url, { token: async () => Promise.reject(refusal) })
    assert.strictEqual(status.error!.message, "nobody has logged in")
    assert.strictEqual(status.state, "connecting")
    assert.include(table, "| `connecting`: what your function threw |")
  })

  it("the upstream has never answered", async () => {
    const backend = await new Backend().start()
    backend.handler = (_, response) => void response.writeHead(503).end()
    const row = Schema.Struct({ symbol: Schema.String })
    const rates = polled({ source: source({ url: backend.url, retries: 0 }), key: "symbol", row })
    const daemon = await startDaemon(defineConfig({ collections: { rates } }) as never)
    const cast = connect(daemon.url, { collections: ["rates"] })
    cast.subscribe(() => {})
    await until("its error", () => cast.rates.status.error !== undefined, patience)
    assert.strictEqual(cast.rates.status.error!.code, "upstream_status")
    assert.deepInclude(cast.status, { state: "connecting", error: undefined })
    assert.include(table, "| `connecting`, no error, `cast.rates.status.error` |")
    cast.close()
    await daemon.close()
    await backend.close()
  })

  describe.skipIf(chromium === undefined)(`in a browser${reason}`, () => {
    let script: string
    beforeAll(async () => {
      const code = `import { connect } from "ratecast/client"\nglobalThis.read = (url) => (globalThis.cast = connect(url, { collections: ["rates"], roads: ["stream"] })).subscribe(() => {})`
      script = await bundled(new Map([["page.ts", code]]), "page.ts", "browser", "iife")
    })

    it("the page is of an origin that is not in ORIGINS, and rows come where it is", async () => {
      const tab = await frontend.visit(script)
      const { origin } = new URL(frontend.url)
      const others = [
        await startDaemon(frontend.config),
        await startDaemon(frontend.config, { ORIGINS: origin })
      ]
      await tab.evaluate(`void read("${others[0]!.url}")`)
      await tab.holds("an error", "cast.status.error !== undefined")
      isSaid("connecting: Failed to fetch", {
        ...(await tab.evaluate<Status>("cast.status")),
        error: { message: await tab.evaluate<string>("cast.status.error.message") } as never
      })
      await tab.evaluate(`void (cast.close(), read("${others[1]!.url}"))`)
      await tab.holds("rows", `cast.status.state === "live"`)
      await tab.evaluate("void cast.close()")
      for (const daemon of others) await daemon.close()
    })
  })

  it.skipIf(firefox === undefined || !isThorough)("the same in Firefox", async () => {
    const browser = await Firefox.open(firefox!)
    const tab = await browser.visit(`${frontend.url}v1/health`)
    const message = await tab.evaluate<string>(
      `fetch("http://127.0.0.1:${await freePort()}/").catch(({ message }) => message)`
    )
    assert.match(message, /^NetworkError /)
    assert.include(table, "Firefox: `NetworkError …`")
    await browser.close()
  })
})
