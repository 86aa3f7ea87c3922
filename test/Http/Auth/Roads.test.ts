/** Who may, on every road and endpoint, over real sockets. */
import { assert, describe, it } from "@effect/vitest"

import { EventClient, SocketClient } from "../../Clients.ts"
import { until } from "../../Daemon.ts"
import { apiKey, bearer, type Claims, Club, mint } from "./Club.ts"

const club = new Club()

interface Road {
  readonly what: string
  readonly method: string
  readonly path: (collection: string) => string
  readonly body?: unknown
  /** What it takes. */
  readonly deed: "read" | "write" | "refresh"
  /** To whom it is allowed, and where nothing may come in its way. */
  readonly collection: string
  readonly good: number
}

const row = { to: "all", text: "x" }
const roads: ReadonlyArray<Road> = [
  {
    what: "a snapshot",
    method: "GET",
    path: (name) => `/v1/snapshot?collections=${name}`,
    deed: "read",
    collection: "ledger",
    good: 200
  },
  {
    what: "a long poll",
    method: "GET",
    path: (name) => `/v1/changes?collections=${name}&wait=0s`,
    deed: "read",
    collection: "ledger",
    good: 200
  },
  {
    what: "a stream",
    method: "GET",
    path: (name) => `/v1/stream?collections=${name}`,
    deed: "read",
    collection: "ledger",
    good: 200
  },
  {
    what: "a row",
    method: "GET",
    path: (name) => `/v1/rows/${name}/a`,
    deed: "read",
    collection: "ledger",
    good: 200
  },
  {
    what: "history",
    method: "GET",
    path: (name) => `/v1/history/${name}`,
    deed: "read",
    collection: "chat",
    good: 200
  },
  {
    what: "a put",
    method: "PUT",
    path: (name) => `/v1/rows/${name}/k`,
    body: row,
    deed: "write",
    collection: "chat",
    good: 200
  },
  {
    what: "a patch",
    method: "PATCH",
    path: (name) => `/v1/rows/${name}/m1`,
    body: { set: { text: "y" } },
    deed: "write",
    collection: "chat",
    good: 200
  },
  {
    what: "an append",
    method: "POST",
    path: (name) => `/v1/rows/${name}`,
    body: row,
    deed: "write",
    collection: "chat",
    good: 201
  },
  {
    what: "a delete",
    method: "DELETE",
    path: (name) => `/v1/rows/${name}/k`,
    deed: "write",
    collection: "chat",
    good: 200
  },
  {
    what: "a refresh",
    method: "POST",
    path: (name) => `/v1/refresh/${name}`,
    deed: "refresh",
    collection: "ledger",
    good: 200
  }
]

const allBut = (deed: Road["deed"]): Claims => ({ read: ["*"], write: ["*"], refresh: ["*"], [deed]: [] })

describe("a collection is", () => {
  for (const { body, collection, deed, good, method, path, what } of roads) {
    const ask = (name: string, headers = {}) => club.ask(method, path(name), headers, body)
    const refused = (name: string, headers = {}) => club.refused(method, path(name), headers, body)

    it(`given by ${what} to whom a token allows it, and to nobody else`, async () => {
      // A put before a put replaces; before a delete there has to be something.
      await club.ask("PUT", "/v1/rows/chat/k", bearer(apiKey), row)
      const right = await ask(collection, bearer(await mint({ [deed]: [collection] })))
      assert.strictEqual(right.status, good, right.text)
      assert.include(right.headers.get("cache-control"), "private")

      const missing = await ask(collection)
      assert.strictEqual(missing.status, 401)
      assert.strictEqual(missing.json["code"], "unauthenticated")
      assert.strictEqual(missing.headers.get("www-authenticate"), "Bearer")
      assert.strictEqual(await refused(collection, bearer("nonsense")), "401 unauthenticated")
      const expired = await ask(collection, bearer(await mint({ ...allBut(deed), [deed]: ["*"], for: -180 })))
      assert.strictEqual(expired.status, 401)
      assert.include(expired.json["detail"], "expired 3 min ago")
      assert.strictEqual(expired.headers.get("www-authenticate"), "Bearer")
      assert.strictEqual(await refused(collection, bearer(await mint(allBut(deed)))), "403 forbidden")
      assert.strictEqual(
        await refused(collection, bearer(await mint({ [deed]: [`${collection}x`] }))),
        "403 forbidden"
      )
    })

    it(`refused by ${what} in the same words whether or not it is there`, async () => {
      const mine = bearer(await mint({ [deed]: ["support:{sub}"] }))
      for (const headers of [{}, mine]) {
        const there = await ask("support:8", headers)
        const nowhere = await ask("absent:8", headers)
        assert.strictEqual(there.status, nowhere.status)
        assert.strictEqual(there.text.replaceAll("support", "absent"), nowhere.text)
      }
    })
  }
})

const namesRead = async (headers = {}) =>
  Object.keys((await club.ask("GET", "/v1/snapshot", headers)).json["collections"] as object)

describe("without collections= a caller reads", () => {
  it("all they may that are no families, and the members that their patterns name", async () => {
    assert.deepStrictEqual(await namesRead(), ["pools"])
    assert.deepStrictEqual(await namesRead(bearer(await mint({ read: ["pools", "support:{sub}"] }))), [
      "pools",
      "support:7"
    ])
    assert.deepStrictEqual(await namesRead(bearer(await mint({ read: ["*"] }))), ["chat", "ledger", "pools"])
    assert.deepStrictEqual(await namesRead(bearer(apiKey)), ["chat", "ledger", "pools"])
    assert.deepStrictEqual(await namesRead(bearer(await mint({ read: ["chat", "gone", "gone:1"] }))), [
      "chat"
    ])
  })

  it("nothing where they may read nothing by its name", async () => {
    for (const claims of [{}, { read: ["support:*"] }, { read: ["gone"] }])
      assert.strictEqual(
        await club.refused("GET", "/v1/snapshot", bearer(await mint(claims))),
        "403 forbidden"
      )
  })
})

const namesListed = async (headers = {}) =>
  (
    (await club.ask("GET", "/v1/collections", headers)).json["collections"] as ReadonlyArray<{
      readonly name: string
      readonly rows: number
    }>
  ).map(({ name, rows }) => `${name} ${rows}`)

describe("GET /v1/collections", () => {
  it("lists what the caller may read, and counts no rows of others", async () => {
    assert.deepStrictEqual(await namesListed(), ["pools 1"])
    assert.deepStrictEqual(await namesListed(bearer(await mint({ read: ["support:{sub}"] }))), [
      "support:7 1"
    ])
    assert.deepStrictEqual(await namesListed(bearer(await mint({ read: ["support:*"] }))), ["support:* 2"])
    assert.strictEqual(await club.refused("GET", "/v1/collections", bearer(await mint())), "403 forbidden")
  })
})

const cookie = (token: string) => ({ cookie: `a=b; ratecast_token=${token}` })

describe("what shows who asks", () => {
  it("is the first that is there, and a wrong one is never nobody", async () => {
    const good = await mint({ read: ["ledger"] })
    const path = "/v1/snapshot?collections=ledger"
    assert.strictEqual((await club.ask("GET", path, cookie(good))).status, 200)
    assert.strictEqual((await club.ask("GET", path, { ...cookie("x"), ...bearer(good) })).status, 200)
    assert.strictEqual(
      await club.refused("GET", path, { ...cookie(good), ...bearer("x") }),
      "401 unauthenticated"
    )
    for (const headers of [bearer("x"), bearer(""), cookie("x"), cookie(""), { authorization: "bearer" }])
      assert.strictEqual(
        await club.refused("GET", "/v1/snapshot?collections=pools", headers),
        "401 unauthenticated"
      )
    // A password for a proxy is not for us.
    const basic = { authorization: "Basic dTpw" }
    assert.strictEqual((await club.ask("GET", "/v1/snapshot?collections=pools", basic)).status, 200)
  })

  it("is never a token in a URL, which is told so with the way out, and not repeated", async () => {
    const token = await mint({ read: ["*"] })
    for (const name of ["token", "access_token", "jwt"])
      for (const path of ["/v1/snapshot", "/v1/stream", "/v1/collections", "/v1/rows/pools/a"]) {
        const { json, status, text } = await club.ask("GET", `${path}?${name}=${token}`)
        assert.strictEqual(status, 400)
        assert.include(json["detail"], "/v1/tickets")
        assert.notInclude(text, token)
      }
  })

  it("is no cookie that somebody else may have planted beside ours", async () => {
    const twice = `ratecast_token=${await mint({ read: ["ledger"] })}; ratecast_token=${await mint({ read: ["*"], sub: "evil" })}`
    assert.strictEqual(
      await club.refused("GET", "/v1/snapshot?collections=ledger", { cookie: twice }),
      "401 unauthenticated"
    )
  })

  it("is an API key to the last character, and only as a bearer", async () => {
    const path = "/v1/snapshot?collections=ledger,support:*"
    assert.strictEqual((await club.ask("GET", path, bearer(apiKey))).status, 200)
    for (const key of [apiKey.slice(0, -1), `${apiKey}x`, apiKey.toUpperCase()])
      assert.strictEqual(await club.refused("GET", path, bearer(key)), "401 unauthenticated")
    assert.strictEqual(
      await club.refused("GET", path, { cookie: `ratecast_token=${apiKey}` }),
      "401 unauthenticated"
    )
  })
})

const cookieOfAll = async () => ({
  cookie: `ratecast_token=${await mint({ read: ["*"], write: ["*"], refresh: ["*"] })}`
})

describe("a cookie", () => {
  const club = new Club({ ORIGINS: "https://app.example.com,*" })
  const own = () => ({ origin: club.url })
  const foreign = [
    "null",
    "https://app.example.com.evil.com",
    "https://evil-app.example.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://app.example.co",
    "https://xn--pp-eka.example.com",
    "https://evil.com",
    "*",
    "file://",
    "javascript://127.0.0.1",
    "",
    "https://app.example.com/",
    "https://app.example.com.",
    "https://app.example.com:443",
    "https://APP.example.com",
    "https://aрp.example.com",
    "https://sub.app.example.com",
    "https://example.com",
    "https://app.example.com@evil.com",
    "https://evil.com/app.example.com",
    "https://evil.com?https://app.example.com",
    "https://app.example.com,https://evil.com",
    "https://app.example.com https://evil.com",
    "ftp://app.example.com",
    "wss://app.example.com",
    "chrome-extension://app.example.com",
    "app.example.com",
    "//app.example.com",
    "https://app.example.com%00.evil.com"
  ].map((origin) => Buffer.from(origin).toString("latin1"))

  for (const [what, method, path, body] of [
    ["a write", "PUT", "/v1/rows/chat/c", row],
    ["a refresh", "POST", "/v1/refresh/pools", undefined],
    ["a ticket", "POST", "/v1/tickets", undefined]
  ] as const)
    it(`allows ${what} to pages of an origin that is named, though others may read`, async () => {
      const sent = await cookieOfAll()
      for (const headers of [own(), { origin: "https://app.example.com" }]) {
        const { status, text } = await club.ask(method, path, { ...sent, ...headers }, body)
        assert.include([200, 201], status, text)
      }
      assert.strictEqual(await club.refused(method, path, sent, body), "403 forbidden")
      for (const origin of foreign)
        assert.strictEqual(
          await club.refused(method, path, { ...sent, origin }, body),
          "403 forbidden",
          origin
        )
    })

  it("reads for a page of our own, which sends no origin, and not for one of another", async () => {
    const sent = await cookieOfAll()
    const path = "/v1/snapshot?collections=ledger"
    assert.strictEqual((await club.ask("GET", path, sent)).status, 200)
    assert.strictEqual((await club.ask("GET", path, { ...sent, ...own() })).status, 200)
    for (const origin of foreign)
      assert.strictEqual(await club.refused("GET", path, { ...sent, origin }), "403 forbidden", origin)
    // Without the cookie `*` is meant for them.
    const pools = "/v1/snapshot?collections=pools"
    assert.strictEqual((await club.ask("GET", pools, { origin: "https://evil.com" })).status, 200)
  })
})

const write = async (sub: string, text: string) =>
  club.ask(
    "POST",
    "/v1/rows/chat",
    { ...bearer(await mint({ sub, write: ["chat"] })), "idempotency-key": "same" },
    { to: "all", text }
  )

const path = (search: string) => `/v1/snapshot?${search}`

describe("nobody reads what is another's", () => {
  it("by a filter, a field, a key, a pattern or a form of its own", async () => {
    const mine = bearer(await mint({ read: ["support:{sub}"] }))
    for (const search of [
      "collections=support:7,support:8",
      "collections=support:*",
      "collections=support:7*",
      "collections=*",
      "collections=support:8&where=to:7",
      "collections=support:8&keys=s1",
      "collections=support:8&fields=id"
    ])
      assert.strictEqual(await club.refused("GET", path(search), mine), "403 forbidden", search)
    const filtered = await club.ask("GET", path("collections=support:7&where=to:8"), mine)
    assert.notInclude(filtered.text, "s2")
    const own = await club.ask("GET", path("support:8.keys=s2"), mine)
    assert.strictEqual(own.status, 400)
    assert.notInclude(own.text.replaceAll('\\"support:8\\" has', ""), "support:8")
  })

  it("by a subject that would be a pattern", async () => {
    for (const sub of ["*", "{sub}", "", "7*", "\n", "8,*"]) {
      const token = bearer(await mint({ sub, read: ["support:{sub}"], write: ["support:{sub}"] }))
      for (const name of ["support:7", "support:8", "support:*"])
        assert.strictEqual(
          await club.refused("GET", path(`collections=${encodeURIComponent(name)}`), token),
          "403 forbidden"
        )
      assert.strictEqual(await club.refused("PUT", "/v1/rows/support:8/x", token, row), "403 forbidden")
    }
    assert.strictEqual(
      await club.refused("GET", path("collections=support:7"), bearer(await mint({ sub: 7, read: ["*"] }))),
      "401 unauthenticated"
    )
  })

  it("by the cursor of another: it is none of theirs, and what follows is their own", async () => {
    const eight = await EventClient.open(`${club.url}/v1/stream?collections=support:8`, {
      headers: bearer(await mint({ sub: "8", read: ["support:{sub}"] }))
    })
    const { cursor } = await eight.first()
    const seven = bearer(await mint({ read: ["support:{sub}"] }))
    assert.strictEqual(
      await club.refused("GET", `/v1/changes?collections=support:8&since=${cursor}&wait=0s`, seven),
      "403 forbidden"
    )
    const { json, text } = await club.ask("GET", `/v1/changes?since=${cursor}&wait=0s`, seven)
    assert.strictEqual(json["type"], "snapshot")
    assert.strictEqual(json["reason"], "query")
    assert.notInclude(text, "s2")
    eight.close()
  })

  it("by names that are near what they ask for", async () => {
    const { json, status } = await club.ask(
      "GET",
      path("collections=ledge"),
      bearer(await mint({ read: ["ledge"] }))
    )
    assert.strictEqual(status, 404)
    assert.notInclude(json["detail"], "ledger")
  })

  it("by a patch that changes nothing", async () => {
    const writer = bearer(await mint({ write: ["chat"] }))
    const { headers, status, text } = await club.ask("PATCH", "/v1/rows/chat/m1", writer, { set: {} })
    assert.strictEqual(status, 200)
    assert.notInclude(text, "to all")
    assert.isNull(headers.get("etag"))
  })

  it("by the Idempotency-Key of another", async () => {
    const one = await write("1", "of one")
    assert.strictEqual((await write("1", "of one")).text, one.text)
    const two = await write("2", "of one")
    assert.strictEqual(two.status, 201)
    assert.notStrictEqual(two.json["key"], one.json["key"])
  })
})

describe("staff", () => {
  it("reads a whole family by its pattern, on a stream and on a socket", async () => {
    const token = await mint({ sub: "staff", read: ["support:*"], write: ["support:*"] })
    const stream = await EventClient.open(`${club.url}/v1/stream?collections=support:*`, {
      headers: bearer(token)
    })
    const socket = await SocketClient.open(`${club.url}/v1/socket?collections=support:*`, [
      "ratecast.v1",
      `ratecast.token.${token}`
    ])
    assert.strictEqual(socket.ws.protocol, "ratecast.v1")
    for (const client of [stream, socket])
      await until("both threads", () => client.rows.has("support:7") && client.rows.has("support:8"))
    await club.ask("POST", "/v1/rows/support:9", bearer(token), row)
    for (const client of [stream, socket])
      await until("a new thread", () => client.rows.get("support:9")?.size === 1)
    stream.close()
    socket.close()
  })
})
