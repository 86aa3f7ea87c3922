/** `/dashboard` of a daemon that anybody can reach: off until it is allowed, and to each what is theirs. */
import { request } from "node:http"

import { Schema } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { defineConfig, polled, source, written } from "../../src/Config.ts"
import { Browser, chromium, reason } from "../Browser.ts"
import { Backend, type Daemon, freePort, startDaemon, until } from "../Daemon.ts"
import { Tab } from "../Tab.ts"
import { grave } from "./Axe.ts"
import { buildPage } from "./Build.ts"

const key = "a key of the tests, long enough"
const backend = new Backend()
let daemon: Daemon
let admin: string

beforeAll(async () => {
  await backend.start()
  await buildPage()
  backend.body = [{ id: "open", value: 1 }]
  const things = (name: string) =>
    polled({
      source: source({ url: `${backend.url}/${name}`, every: "1 second" }),
      rows: (body: ReadonlyArray<{ readonly id: string }>) => body.map((row) => ({ key: row.id, row })),
      key: "id",
      row: Schema.Struct({ id: Schema.String, value: Schema.Finite })
    })
  const adminPort = await freePort()
  admin = `http://127.0.0.1:${adminPort}`
  daemon = await startDaemon(
    defineConfig({ collections: { open: things("open"), secret: things("secret") } }),
    {
      HOST: "0.0.0.0",
      ADMIN_PORT: String(adminPort),
      DASHBOARD: "true",
      BASE_PATH: "/live",
      ANONYMOUS_READ: "open",
      API_KEY: key
    }
  )
}, 30_000)
afterAll(async () => {
  await daemon.close()
  await backend.close()
})

const small = () =>
  defineConfig({
    collections: { notes: written({ key: "id", row: Schema.Struct({ id: Schema.String }) }) }
  })

const get = (path: string, token?: string) =>
  fetch(`${daemon.url}/live${path}`, {
    redirect: "manual",
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` }
  })

const script = (headers: { readonly [name: string]: string }) =>
  fetch(`${daemon.url}/live/dashboard/page.js`, { headers })

describe("the dashboard of a daemon that others can reach", () => {
  it("is not there until it is allowed", async () => {
    const other = await startDaemon(small(), {})
    for (const path of ["/dashboard", "/dashboard/", "/dashboard/page.js"])
      assert.strictEqual((await fetch(other.url + path)).status, 404, path)
    await other.close()
  })

  it("is a page that may ask nobody but its daemon, and stands in no frame", async () => {
    const moved = await get("/dashboard")
    assert.deepStrictEqual([moved.status, moved.headers.get("location")], [302, "/live/dashboard/"])
    const page = await get("/dashboard/")
    assert.strictEqual(page.status, 200)
    const policy = page.headers.get("content-security-policy")!
    assert.include(policy, "connect-src 'self';")
    assert.include(policy, "frame-ancestors 'none'")
    assert.include(await page.text(), `data-base="../"`)
    assert.strictEqual((await get("/dashboard/page%2Ejs")).status, 200)
  })

  it("has a file asked for again only where it is another, by one weak tag, packed or not", async () => {
    const packed = await script({ "accept-encoding": "gzip" })
    const plain = await script({ "accept-encoding": "identity" })
    assert.deepStrictEqual(
      [packed, plain].map(({ headers }) => headers.get("content-encoding")),
      ["gzip", null]
    )
    assert.strictEqual(await packed.text(), await plain.text())
    const tag = packed.headers.get("etag")!
    assert.match(tag, /^W\/"[\w-]{16}"$/)
    assert.strictEqual(plain.headers.get("etag"), tag)
    // As a proxy may send them: several, and strong after all.
    for (const known of [tag, `"another", ${tag}`, tag.slice(2)])
      assert.strictEqual((await script({ "if-none-match": known })).status, 304, known)
    for (const known of [`W/"another"`, tag.slice(3, -1)])
      assert.strictEqual((await script({ "if-none-match": known })).status, 200, known)
  })

  it("gives out its own files by name, and no other", async () => {
    for (const path of ["..%2fpackage.json", "%2e%2e/package.json", "nothing.js", "..%2f..%2fpackage.json"]) {
      const status = await new Promise((done, failed) => {
        const { hostname, port } = new URL(daemon.url)
        request({ hostname, port, path: `/live/dashboard/${path}` }, (answer) => {
          answer.resume()
          done(answer.statusCode)
        })
          .on("error", failed)
          .end()
      })
      assert.strictEqual(status, 404, path)
    }
  })

  it("tells operators' figures to the API key alone, where operators have a listener of their own", async () => {
    assert.strictEqual((await get("/metrics")).status, 401)
    assert.strictEqual((await get("/metrics", "wrong")).status, 401)
    const answer = await get("/metrics", key)
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(answer.headers.get("cache-control"), "private, no-store")
    assert.include(await answer.text(), `upstream_polls_total{source="secret"`)
    assert.strictEqual((await fetch(`${admin}/metrics`)).status, 200)
    for (const path of ["/docs", "/openapi.json"])
      assert.strictEqual((await get(path, key)).status, 404, path)
  })
})

describe.skipIf(chromium === undefined)(`the dashboard in a browser${reason}`, () => {
  let browser: Browser
  beforeAll(() => {
    browser = new Browser(chromium!)
  })
  afterAll(() => browser.close())

  it("shows what may be read without a token; with the API key all of it, and the operators' figures", async () => {
    const tab = await Tab.open(browser, `${daemon.url}/live/dashboard/`)
    await tab.shows("#connection-state", "Live")
    assert.deepStrictEqual(await tab.texts("#tabs .label"), ["open"])
    await tab.shows("#sources-why", "API key")
    assert.notInclude(await tab.evaluate<string>("document.body.innerText"), "secret")
    assert.isFalse(await tab.isVisible("#systems"))
    assert.isFalse(await tab.isVisible("#simulator"))
    assert.deepStrictEqual(await grave(tab), [])

    await tab.click("#token-open")
    await tab.fill("#token-text", key)
    await tab.click("#token-form .main")
    await tab.shows("#tabs", "secret")
    await tab.shows("#sources-list", "secret")
    await tab.shows("#connection-more", "by SSE")
    await tab.click("#tab-secret")
    await tab.shows("#grid-body", "open")

    // Of another's rows nothing is left when it is taken back.
    await tab.click("#token-open")
    await tab.click("#token-form .main")
    await until("gone", async () => (await tab.texts("#tabs .label")).join() === "open")
    await tab.shows("#sources-why", "API key")
    assert.deepStrictEqual(
      new Set(tab.responses.map(({ url }) => new URL(url).origin)),
      new Set([daemon.url])
    )
    assert.isTrue(tab.responses.every(({ url }) => !url.includes(encodeURIComponent(key))))
    assert.deepStrictEqual(tab.complaints, [])
    await tab.close()
  }, 40_000)

  it("shows where to show a token where nothing may be read without one", async () => {
    const closed = await startDaemon(small(), {
      DASHBOARD: "true",
      ANONYMOUS_READ: "",
      ANONYMOUS_REFRESH: "",
      API_KEY: key
    })
    const tab = await Tab.open(browser, `${closed.url}/dashboard/`)
    await tab.shows("#empty", "whoever may read them")
    assert.deepStrictEqual(await grave(tab), [])
    await tab.click("#empty-token")
    await tab.shows("#token-text")
    await tab.close()
    await closed.close()
  }, 40_000)
})
