/** What happens to pages, in a real Chromium: each ends with the server's rows and one connection. */
import { assert, describe, it } from "@effect/vitest"

import { type RoadName } from "../../client/Cast.ts"
import { chromium, isThorough, reason } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { documented, missing, plain } from "../ProxyConfig.ts"
import { Proxy } from "../Proxy.ts"
import { sleep } from "../Http/Market.ts"
import type { Tab } from "../Tab.ts"
import { read, type Site } from "./Site.ts"
import { siteOf } from "./SiteOf.ts"

const roads: ReadonlyArray<RoadName> = ["socket", "stream", "changes"]
const only = (road: RoadName) => `roads: ["${road}"]`
const fixtures = new URL("../fixtures/", import.meta.url).pathname

const status = <A>(tab: Tab, of = "state") => tab.evaluate<A>(`cast.status.${of}`)
const snapshots = (tab: Tab) => tab.evaluate<number>("snapshots")
const offline = (tab: Tab, isOffline: boolean) =>
  tab.call("Network.emulateNetworkConditions", {
    offline: isOffline,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1
  })
const lifecycle = (tab: Tab, state: "frozen" | "active") => tab.call("Page.setWebLifecycleState", { state })

/** Of the origin, as the browser has it: all but WebSockets goes over one connection. */
const protocol = (tab: Tab) =>
  tab.evaluate<string>("performance.getEntriesByName(document.scripts[0].src)[0].nextHopProtocol")
const overTls =
  (config: ReturnType<typeof documented>): ReturnType<typeof documented> =>
  (port, daemon) =>
    config(port, daemon).replace(
      `listen 127.0.0.1:${port}`,
      `listen 127.0.0.1:${port} ssl http2; ssl_certificate ${fixtures}localhost.cert.pem; ssl_certificate_key ${fixtures}localhost.key.pem`
    )

const through = async (
  site: Site,
  config: ReturnType<typeof documented>,
  body: (proxy: Proxy) => Promise<void>
) => {
  const proxy = await Proxy.open("nginx", (port) => config(port, site.daemon.port))
  await body(proxy).finally(() => proxy.close())
}

describe.skipIf(chromium === undefined)(`a page${reason}`, { timeout: 60_000 }, () => {
  const site = siteOf()

  describe.each(isThorough ? roads : roads.slice(0, 1))("by %s", (road) => {
    it("is offline and back: it says so, and goes on from its cursor at once", async () => {
      const tab = await site.reading(only(road))
      await offline(tab, true)
      site.cable.pull()
      await until("offline", async () => (await status(tab)) === "offline")
      await site.change()
      site.cable.plug()
      await offline(tab, false)
      await site.isRight(tab, 1, 3_000)
      assert.strictEqual(await status(tab), "live")
      assert.strictEqual(await snapshots(tab), 1)
    })

    it("loses its connection without a word while the laptop sleeps, and is back within 2 s of waking", async () => {
      const tab = await site.reading(only(road))
      site.cable.deaden()
      await site.has(0)
      await site.change()
      await tab.evaluate("(() => { const { now } = Date; Date.now = () => now() + 3_600_000 })()")
      await site.isRight(tab, 1, 2_000)
      assert.strictEqual(await snapshots(tab), 1)
    })

    it("is frozen and thawed", async () => {
      const tab = await site.reading(only(road))
      await lifecycle(tab, "frozen")
      await site.has(0)
      for (let i = 0; i < 5; i++) await site.change()
      await sleep(1_000)
      await lifecycle(tab, "active")
      await site.isRight(tab, 1, 2_000)
      assert.strictEqual(await snapshots(tab), 1)
    })

    it("is left and gone back to: it comes out of the cache as it was, and goes on", async () => {
      const tab = await site.reading(only(road))
      await tab.evaluate(
        "globalThis.isKept = true; addEventListener('pageshow', (e) => { globalThis.persisted = e.persisted })"
      )
      await tab.call("Page.navigate", { url: `${site.cable.url}/other.html` })
      await tab.holds("the other page", `document.title === "other"`)
      await site.has(0)
      await site.change()
      await tab.evaluate("history.back()")
      await tab.holds("the page", `document.title === "index" && globalThis.persisted === true && isKept`)
      await site.isRight(tab, 1, 3_000)
      assert.strictEqual(await snapshots(tab), 1)
    })

    it("outlives the server's restart", async () => {
      const tab = await site.reading(only(road))
      await site.daemon.close()
      await sleep(500)
      await site.serve()
      await site.isRight(tab)
      assert.strictEqual(await snapshots(tab), 1)
    })
  })

  it("falls back where WebSockets are blocked, and says by what it goes", async () => {
    site.cable.refusesUpgrades = true
    const tab = await site.reading()
    assert.strictEqual(await status(tab, "road"), "stream")
    assert.strictEqual(await snapshots(tab), 1)
  })

  it("is sent its stream packed, and reads it as it comes", async () => {
    const tab = await site.reading(only("stream"))
    const stream = tab.responses.find(({ url }) => url.includes("/v1/stream"))
    assert.strictEqual(stream?.encoding, "gzip")
  })

  it.skipIf(!isThorough)(
    "rests when it has been hidden for 30 s, and goes on when it is looked at",
    { timeout: 90_000 },
    async () => {
      const tab = await site.reading()
      const other = await site.visit("/other.html", undefined, tab)
      await other.show()
      await tab.holds("a hidden page", "document.hidden")
      await sleep(20_000)
      await site.isRight(tab)
      await until("no connection", async () => (await site.readers()) === 0, 15_000)
      await site.change()
      await tab.show()
      await site.isRight(tab, 1, 2_000)
      assert.strictEqual(await snapshots(tab), 1)
    }
  )

  describe.skipIf(missing.length > 0)("behind nginx", () => {
    it.each(roads)("as the docs say goes by %s, also after nginx was restarted", (road) =>
      through(site, documented("nginx"), async (proxy) => {
        const tab = await site.reading(only(road), "/", proxy.url)
        await proxy.stop()
        await sleep(300)
        await proxy.start()
        await site.isRight(tab)
        assert.strictEqual(await snapshots(tab), 1)
        await tab.close()
      })
    )

    it("as it comes, which passes no upgrade on, goes by stream", () =>
      through(site, plain.nginx, async (proxy) => {
        const tab = await site.reading("", "/", proxy.url)
        assert.strictEqual(await status(tab, "road"), "stream")
        await tab.close()
      }))

    it("over HTTP/2 goes by stream", () =>
      through(site, overTls(documented("nginx")), async (proxy) => {
        const tab = await site.reading(only("stream"), "/", `https://localhost:${proxy.port}`)
        assert.strictEqual(await protocol(tab), "h2")
        await tab.close()
      }))

    it.skipIf(!isThorough)("that keeps a stream back goes by long poll", () =>
      through(
        site,
        (port, daemon) =>
          plain.nginx(port, daemon).replace("location", "proxy_ignore_headers X-Accel-Buffering; location"),
        async (proxy) => {
          const tab = await site.visit("/", proxy.url)
          await read(tab, `roads: ["stream", "changes"]`)
          await site.isRight(tab)
          assert.strictEqual(await status(tab, "road"), "changes")
          await tab.close()
        }
      )
    )
  })
})

describe.skipIf(chromium === undefined)(`a page over TLS${reason}`, { timeout: 60_000 }, () => {
  const site = siteOf({
    TLS_KEY_FILE: `${fixtures}localhost.key.pem`,
    TLS_CERT_FILE: `${fixtures}localhost.cert.pem`
  })

  it.each(roads)("goes by %s, over HTTP/2 where it is no WebSocket", async (road) => {
    const tab = await site.reading(only(road), "/", `https://localhost:${site.cable.port}`)
    if (road !== "socket") assert.strictEqual(await protocol(tab), "h2")
  })
})
