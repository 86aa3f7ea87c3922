/** First rows in the page: what is put there, and a real Chromium that goes on with them. */
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"

import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"

import { type Cast, connect, type SnapshotMessage } from "../../client/Cast.ts"
import { inline } from "../../client/Inline.ts"
import { snapshotOf } from "../../client/Snapshot.ts"
import { chromium, reason } from "../Browser.ts"
import { until } from "../Daemon.ts"
import type { Tab } from "../Tab.ts"
import { bundled, filesOf } from "./Recipes.ts"
import { snapshot } from "./Stage.ts"
import { type Api } from "./Site.ts"
import { siteOf } from "./SiteOf.ts"

const nasty = `</script><script>alert(1)</script><!-- --> ]]> \u2028 \u2029 & &amp; <!--<script> " ' \\ é \ud83d`

describe("inline", () => {
  it("is one element, whatever rows hold, and says the same", () => {
    const message = snapshot(1, { [nasty]: { id: nasty, usd: nasty } }) as SnapshotMessage
    const html = inline(message)
    const text = /^<script type="application\/json" id="ratecast">([^<>&\u2028\u2029]*)<\/script>$/.exec(
      html
    )![1]!
    assert.deepStrictEqual(JSON.parse(text), message)
  })

  it("takes no id that would need quoting", () => {
    const message = snapshot(1, {}) as SnapshotMessage
    for (const id of ["", "a b", `"`, "<", "a>"])
      assert.throws(() => inline(message, id), TypeError, "is no id")
    assert.include(inline(message, "ratecast-2"), `id="ratecast-2"`)
  })

  it("is nothing where a cast has no rows, and what it has where it has some", () => {
    const collections = ["pools"]
    assert.strictEqual(inline(connect("http://nobody.test/", { collections })), "")
    const from = snapshot(3, { a: { id: "a" } }) as SnapshotMessage
    const cast = connect("http://nobody.test/", { collections, from })
    assert.deepStrictEqual(snapshotOf(cast), { ...from, at: 0 })
    assert.include(inline(cast), `"cursor":"${from.cursor}"`)
  })
})

const files = filesOf("inline.md")
const load = async (file: string) =>
  import(`data:text/javascript,${encodeURIComponent(await bundled(files, file, "node"))}`)

describe.skipIf(chromium === undefined)(`a page with rows in it${reason}`, { timeout: 60_000 }, () => {
  const site = siteOf()
  let server: Server
  let cast: Cast<Api>
  let page: () => Promise<string>
  let script: string
  beforeAll(async () => {
    vi.stubEnv("RATECAST_URL", site.daemon.url)
    script = await bundled(files, "page.ts", "browser", "iife")
    ;({ page } = await load("request.ts"))
    const documented = (await load("server.ts")) as { readonly server: Server; readonly cast: typeof cast }
    cast = documented.cast
    await cast.ready()
    site.others = 1
    // What the docs leave to the reader: its script, and where the daemon is.
    const [render] = documented.server.listeners("request") as [(...args: ReadonlyArray<unknown>) => void]
    server = createServer((request, response) => {
      if (request.url === "/page.js")
        return void response.end(
          `document.documentElement.dataset.url = "${site.cable.url}"; ${traced}${script}`
        )
      response.setHeader("content-type", "text/html; charset=utf-8")
      if (request.url === "/request")
        return void page().then((html) => response.end(`${html}<p id="ton"></p>`))
      render(request, response)
    })
    await once(server.listen(0, "127.0.0.1"), "listening")
  }, 60_000)
  afterAll(async () => {
    vi.unstubAllEnvs()
    cast.close()
    await site.has(0)
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  })

  /** What the page is told over its WebSocket. */
  const traced = `globalThis.told = []; {
    const Socket = WebSocket
    globalThis.WebSocket = class extends Socket {
      constructor(...args) { super(...args); this.addEventListener("message", ({ data }) => told.push(JSON.parse(data).type)) }
    }
  };`
  const visit = async (path: string): Promise<Tab> => {
    const { port } = server.address() as AddressInfo
    return site.visit(path, `http://127.0.0.1:${port}`, undefined, "globalThis.told")
  }

  it.each(["/", "/request"])("at %s shows them at once, and is told only what is new", async (path) => {
    await site.change()
    await until("the server's own cast", () => cast.rates.get("TON")?.usd === site.price)
    const tab = await visit(path)
    await tab.holds("the first message", "told.length > 0")
    assert.strictEqual(await tab.text("#ton"), site.price)
    await site.change()
    await until("the next price", async () => (await tab.text("#ton")) === site.price)
    assert.notInclude(await tab.evaluate<ReadonlyArray<string>>("told"), "snapshot")
    // Its own and the server's, which has asked once for all pages.
    await site.has(2)
  })
})
