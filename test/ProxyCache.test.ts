/** A real nginx that caches: what a token was shown for is given to nobody else, and what everybody may read is asked for anew. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { apiKey, bearer, Club, mint } from "./Http/Auth/Club.ts"
import { sleep } from "./Http/Market.ts"
import { programs, Proxy } from "./Proxy.ts"

const unless = programs.nginx === undefined ? ": nginx is not installed" : ""
type Headers = { readonly [name: string]: string }

/** `more`: what is set beside the cache itself. */
const caching = (club: Club, more: string) => {
  const folder = mkdtempSync(join(tmpdir(), "ratecast-cache-"))
  let proxy: Proxy
  beforeAll(async () => {
    proxy = await Proxy.open(
      "nginx",
      (port) => `
proxy_cache_path ${folder} keys_zone=answers:1m;
server {
  listen 127.0.0.1:${port};
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_cache answers;
  add_header X-Cache $upstream_cache_status always;
  ${more}
  location / { proxy_pass http://127.0.0.1:${club.daemon.port}; }
}`
    )
  })
  afterAll(async () => {
    await proxy.close()
    rmSync(folder, { recursive: true, force: true })
  })
  /** Whether it came from the cache, its status, and the rest. */
  return async (path: string, headers: Headers = {}) => {
    const answer = await fetch(`${proxy.url}${path}`, { headers })
    const text = await answer.text()
    return { is: `${answer.headers.get("x-cache")} ${answer.status}`, text, tag: answer.headers.get("etag")! }
  }
}

const snapshot = "/v1/snapshot?collections=ledger"
const everybodys = "/v1/snapshot?collections=pools"
const cookie = (token: string): Headers => ({ cookie: `ratecast_token=${token}` })

describe.skipIf(unless !== "")(`behind nginx with proxy_cache${unless}`, () => {
  const club = new Club({ ORIGINS: "https://app.example.com" })
  const ask = caching(club, "proxy_cache_valid 1m;")

  it("nothing comes from the cache: neither what a token was shown for, nor a refusal, nor what changes", async () => {
    const token = await mint({ read: ["ledger"] })
    for (const headers of [bearer(token), cookie(token)])
      for (let i = 0; i < 2; i++) {
        const { is, text } = await ask(snapshot, headers)
        assert.strictEqual(is, "MISS 200")
        assert.include(text, '"ledger"')
      }
    for (let i = 0; i < 2; i++) assert.strictEqual((await ask(snapshot)).is, "MISS 401")
    assert.strictEqual((await ask(snapshot, bearer(await mint({ read: ["chat"] })))).is, "MISS 403")
    for (const path of [
      everybodys,
      "/v1/rows/pools/a",
      "/v1/collections",
      "/v1/changes?collections=pools&wait=0s"
    ])
      for (let i = 0; i < 2; i++) assert.strictEqual((await ask(path)).is, "MISS 200", path)
  })
})

describe.skipIf(unless !== "")(`behind one that is told to cache whatever we say${unless}`, () => {
  const club = new Club({ ORIGINS: "https://app.example.com" })
  const ask = caching(
    club,
    "proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1s; proxy_cache_revalidate on;"
  )

  it("what everybody may read is cached by its tag, and asked for anew by it", async () => {
    const first = await ask(everybodys)
    assert.strictEqual(first.is, "MISS 200")
    const second = await ask(everybodys)
    assert.deepStrictEqual(second, { ...first, is: "HIT 200" })
    await sleep(2_100)
    assert.deepStrictEqual(await ask(everybodys), { ...first, is: "REVALIDATED 200" })
    club.backend.body = [{ id: "a", n: 2 }]
    await club.ask("POST", "/v1/refresh/pools", bearer(apiKey))
    await sleep(2_100)
    const changed = await ask(everybodys)
    assert.strictEqual(changed.is, "EXPIRED 200")
    assert.include(changed.text, '"n":2')
    assert.notStrictEqual(changed.tag, first.tag)
  })

  it("what a token was shown for is given to nobody who does not show the same", async () => {
    const path = "/v1/snapshot"
    const seven = await mint({ sub: "7", read: ["ledger"] })
    const eight = await mint({ sub: "8", read: ["chat"] })
    for (const show of [bearer, cookie])
      for (let i = 0; i < 3; i++) {
        const own = await ask(path, show(seven))
        assert.strictEqual(own.is, i === 0 ? "MISS 200" : "HIT 200")
        assert.include(own.text, '"ledger":')
        const others = await ask(path, show(eight))
        assert.include(others.text, '"chat":')
        assert.notInclude(others.text, '"ledger":')
        for (const headers of [{}, bearer("x"), cookie("x"), { authorization: "Basic x" }])
          assert.notInclude((await ask(path, headers as Headers)).text, '"ledger":')
      }
  })

  it("nor is what one page may read told to another", async () => {
    const path = "/v1/rows/pools/a"
    const allowed = { origin: "https://app.example.com" }
    const allows = async (headers: Headers) => {
      const { is, text } = await ask(path, headers)
      return `${is} ${text.includes('"n"')}`
    }
    assert.strictEqual(await allows(allowed), "MISS 200 true")
    assert.strictEqual(await allows(allowed), "HIT 200 true")
    assert.strictEqual(await allows({ origin: "https://evil.example" }), "MISS 200 true")
  })
})
