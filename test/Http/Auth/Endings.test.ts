/** Connections that end with their token: by its time or by a revocation; and those that are renewed. */
import { generateKeyPairSync } from "node:crypto"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { SignJWT } from "jose"

import { EventClient, SocketClient, Wire } from "../../Clients.ts"
import { until } from "../../Daemon.ts"
import { apiKey, bearer, type Claims, Club, mint } from "./Club.ts"

const club = new Club()

const byToken = (token: string) => ["ratecast.v1", `ratecast.token.${token}`]
const streamBy = (token: string, search = "") =>
  EventClient.open(`${club.url}/v1/stream${search}`, { headers: bearer(token) })
const socketBy = (token: string | undefined, search = "") =>
  SocketClient.open(`${club.url}/v1/socket${search}`, token === undefined ? [] : byToken(token))

const reader: Claims = { read: ["chat", "support:{sub}"], write: ["chat"] }
const revoke = async (body: object) => {
  const { status, text } = await club.ask("POST", "/v1/revocations", bearer(apiKey), body)
  assert.strictEqual(status, 204, text)
}

/** Whole seconds, as claims have them: one that ends within so many at most. */
const soon = 2

describe("a token that expires ends within a second", () => {
  it("a stream, with a goodbye, and nobody comes back with it", async () => {
    const token = await mint({ ...reader, for: soon })
    const end = Math.floor(Date.now() / 1000 + soon) * 1000
    const stream = await streamBy(token)
    assert.strictEqual((await stream.first()).type, "snapshot")
    assert.strictEqual(await stream.ended, "clean")
    assert.isBelow(Math.abs(Date.now() - end), 1_000)
    assert.strictEqual(stream.goodbye!["code"], "expired")
    const again = await club.refused("GET", "/v1/stream", {
      ...bearer(token),
      "last-event-id": stream.cursor!
    })
    assert.strictEqual(again, "401 unauthenticated")
  })

  it("a socket, with 4401", async () => {
    const token = await mint({ ...reader, for: soon })
    const end = Math.floor(Date.now() / 1000 + soon) * 1000
    const socket = await socketBy(token, "?collections=chat")
    assert.deepStrictEqual(await socket.closed, { code: 4401, reason: "expired" })
    assert.isBelow(Math.abs(Date.now() - end), 1_000)
    assert.strictEqual(socket.goodbye!["code"], "expired")
  })

  it("a socket without a subscription, too", async () => {
    const socket = await socketBy(await mint({ ...reader, for: soon }))
    assert.deepStrictEqual(await socket.closed, { code: 4401, reason: "expired" })
  })

  it("a long poll that waits", async () => {
    const headers = bearer(await mint({ ...reader, for: soon }))
    const { json } = await club.ask("GET", "/v1/changes?collections=chat", headers)
    const asked = Date.now()
    const poll = await club.ask(
      "GET",
      `/v1/changes?collections=chat&wait=30s&since=${String(json["cursor"])}`,
      headers
    )
    assert.strictEqual(`${poll.status} ${String(poll.json["detail"])}`, "401 the token has expired")
    assert.isBelow(Date.now() - asked, soon * 1_000 + 1_000)
  })
})

const readBack = async (iat: number) =>
  (
    await club.ask(
      "GET",
      "/v1/snapshot?collections=chat",
      bearer(await mint({ ...reader, sub: "back", more: { iat } }))
    )
  ).status

describe("a revocation ends within a second", () => {
  for (const by of ["sub", "jti"] as const)
    it(`whatever is read with it, by ${by}, and nothing of others; the token counts no more`, async () => {
      const [sub, jti] = [`${by}-1`, `t-${by}`]
      const token = await mint({ ...reader, sub, more: { jti } })
      const other = await mint({ ...reader, sub: `${by}-2`, more: { jti: `${jti}2` } })
      const [stream, socket, theirs] = [
        await streamBy(token),
        await socketBy(token, "?collections=chat"),
        await streamBy(other)
      ]
      const poll = club.ask("GET", "/v1/changes?collections=chat&since=now&wait=30s", bearer(token))
      await until("all there", () => stream.messages.length > 0 && socket.messages.length > 0)
      await until("four readers", () => club.daemon.hub.readers() === 4)
      const asked = Date.now()
      await revoke({ [by]: by === "sub" ? sub : jti })
      assert.strictEqual(await stream.ended, "clean")
      assert.strictEqual(stream.goodbye!["code"], "revoked")
      assert.deepStrictEqual(await socket.closed, { code: 4401, reason: "revoked" })
      assert.strictEqual((await poll).json["detail"], "the token has been revoked")
      assert.isBelow(Date.now() - asked, 1_000)
      assert.strictEqual(
        await club.refused("GET", "/v1/snapshot?collections=chat", bearer(token)),
        "401 unauthenticated"
      )
      const again = await socketBy(token, "?collections=chat")
      assert.deepStrictEqual(await again.closed, { code: 4401, reason: "unauthenticated" })
      assert.isUndefined(theirs.goodbye)
      assert.strictEqual((await club.ask("GET", "/v1/snapshot?collections=chat", bearer(other))).status, 200)
      theirs.close()
    })

  it("a stream, too, whose request was waiting for a revision meanwhile", async () => {
    const token = await mint({ ...reader, sub: "waits" })
    const ahead = `${club.daemon.hub.epoch}-${club.daemon.hub.revision() + 1_000}`
    const opening = EventClient.open(`${club.url}/v1/stream?collections=chat`, {
      headers: { ...bearer(token), "ratecast-min-revision": ahead }
    })
    await new Promise((done) => setTimeout(done, 300))
    await revoke({ sub: "waits" })
    const stream = await opening
    assert.strictEqual(await stream.ended, "clean")
    assert.strictEqual(stream.goodbye!["code"], "revoked")
  })

  it("no token of the same subject that is made later: they may come back", async () => {
    await revoke({ sub: "back" })
    const now = Math.floor(Date.now() / 1000)
    assert.strictEqual(await readBack(now - 100), 401)
    // The clock of whoever made it may be ahead of ours.
    assert.strictEqual(await readBack(now + 10), 401)
    assert.strictEqual(await readBack(now + 60), 200)
  })

  it("and is for a backend alone, in words that it can mend", async () => {
    const all = bearer(await mint({ read: ["*"], write: ["*"], refresh: ["*"] }))
    assert.strictEqual(await club.refused("POST", "/v1/revocations", {}, { sub: "7" }), "401 unauthenticated")
    assert.strictEqual(await club.refused("POST", "/v1/revocations", all, { sub: "7" }), "403 forbidden")
    for (const body of [{}, { sub: 7 }, { sub: "7", jti: "7" }, { sub: "7", all: true }, [], "7"])
      assert.strictEqual(
        await club.refused("POST", "/v1/revocations", bearer(apiKey), body),
        "400 bad_request",
        JSON.stringify(body)
      )
  })
})

describe("a socket", () => {
  it("learns by goodbye and code what an HTTP status would hide from a browser", async () => {
    const cases: ReadonlyArray<
      readonly [what: string, token: string | undefined, search: string, end: string]
    > = [
      ["no token", undefined, "?collections=chat", "4401 unauthenticated"],
      ["a bad one", "x", "?collections=pools", "4401 unauthenticated"],
      ["a bad one, without a query", "x", "", "4401 unauthenticated"],
      ["an expired one", await mint({ ...reader, for: -60 }), "?collections=chat", "4401 unauthenticated"],
      ["no right to it", await mint({ read: ["pools"] }), "?collections=chat", "4403 forbidden"],
      ["a token in the URL", undefined, `?token=${await mint(reader)}`, "4400 bad_message"]
    ]
    for (const [what, token, search, end] of cases) {
      const socket = await socketBy(token, search)
      const { code, reason } = await socket.closed
      assert.strictEqual(`${code} ${reason}`, end, what)
      assert.strictEqual(socket.goodbye!["code"], reason)
      assert.isString((socket.goodbye!["problem"] as { readonly detail: string }).detail)
      assert.isUndefined(socket.cursor)
    }
  })

  it("is refused what it may not subscribe to or write, and keeps what it has", async () => {
    const socket = await socketBy(await mint(reader), "?collections=chat")
    await socket.first()
    socket.say({ type: "subscribe", ref: "s", collections: ["support:8"] })
    socket.say({
      type: "write",
      ref: "w",
      op: "append",
      collection: "support:7",
      row: { to: "7", text: "x" }
    })
    socket.say({
      type: "write",
      ref: "g",
      op: "append",
      collection: "chat",
      row: { to: "all", text: "hello" }
    })
    for (const ref of ["s", "w"]) {
      const { problem, type } = await socket.answer(ref)
      assert.strictEqual(`${type} ${(problem as { readonly code: string }).code}`, "error forbidden")
    }
    assert.strictEqual((await socket.answer("g")).type, "ack")
    await until("its own", () =>
      [...socket.rows.get("chat")!.values()].some((row) => row.get("text") === "hello")
    )
    socket.close()
  })

  it("goes on with another token of its subject, past the end of the first one", async () => {
    const socket = await socketBy(await mint({ ...reader, for: soon }), "?collections=chat")
    await socket.first()
    socket.say({ type: "token", ref: "t", token: await mint({ ...reader, for: 60 }) })
    assert.strictEqual((await socket.answer("t")).type, "ack")
    await new Promise((done) => setTimeout(done, soon * 1_000 + 500))
    assert.isUndefined(socket.goodbye)
    socket.close()
  })

  it("reads and writes by the new token from the next message on", async () => {
    const socket = await socketBy(await mint(reader), "?collections=chat")
    await socket.first()
    socket.say({ type: "token", token: await mint({ ...reader, read: ["chat", "ledger"], write: [] }) })
    socket.say({ type: "write", ref: "w", op: "append", collection: "chat", row: { to: "all", text: "x" } })
    socket.say({ type: "subscribe", ref: "s", collections: ["ledger"] })
    assert.strictEqual((await socket.answer("w")).type, "error")
    assert.strictEqual((await socket.answer("s")).type, "ack")
    socket.close()
  })

  it("ends with 4403 where the new token does not cover what is read", async () => {
    const socket = await socketBy(await mint(reader), "?collections=chat")
    await socket.first()
    socket.say({ type: "token", ref: "t", token: await mint({ read: ["pools"] }) })
    assert.deepStrictEqual(await socket.closed, { code: 4403, reason: "forbidden" })
    assert.strictEqual((await socket.answer("t")).type, "ack")
  })

  it("is not renewed by a token of another, nor by a wrong one: it stays as it was", async () => {
    const socket = await socketBy(await mint(reader), "?collections=chat")
    const nobody = await socketBy(undefined, "?collections=pools")
    const cases: ReadonlyArray<readonly [client: SocketClient, token: unknown, code: string]> = [
      [socket, await mint({ ...reader, sub: "8" }), "forbidden"],
      [socket, await mint({ ...reader, for: -60 }), "unauthenticated"],
      [socket, "x", "unauthenticated"],
      [socket, 7, "bad_message"],
      [nobody, await mint(reader), "forbidden"]
    ]
    for (const [i, [client, token, code]] of cases.entries()) {
      client.say({ type: "token", ref: `t${i}`, token })
      const { problem, type } = await client.answer(`t${i}`)
      assert.strictEqual(`${type} ${(problem as { readonly code: string }).code}`, `error ${code}`)
    }
    socket.say({ type: "subscribe", ref: "s", collections: ["support:7"] })
    assert.strictEqual((await socket.answer("s")).type, "ack")
    socket.close()
    nobody.close()
  })

  it("by a cookie is for pages of a named origin alone, before the upgrade", async () => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      cookie: `ratecast_token=${await mint(reader)}`
    }
    for (const [origin, status] of [
      [undefined, 403],
      ["https://evil.com", 403],
      [club.url, 101]
    ] as const) {
      const wire = await Wire.open(club.daemon.port)
      wire.request("GET /v1/socket?collections=chat HTTP/1.1", {
        ...headers,
        ...(origin === undefined ? {} : { origin })
      })
      await until("an answer", () => wire.text.includes("\r\n\r\n"))
      assert.match(wire.text, new RegExp(`^HTTP/1.1 ${status} `))
      wire.socket.destroy()
    }
  })
})

describe("keys that cannot be fetched", () => {
  const club = new Club({
    JWT_SECRET: "",
    JWKS_URL: "http://127.0.0.1:1/keys",
    AUTH_FAILURES_PER_MINUTE: "10"
  })

  it("are not the token's fault: nobody is told to throw it away", async () => {
    const { privateKey } = generateKeyPairSync("ed25519")
    const token = await new SignJWT({ exp: Math.floor(Date.now() / 1000) + 60 } as never)
      .setProtectedHeader({ alg: "EdDSA", kid: "k" })
      .sign(privateKey)
    const { headers, json, status } = await club.ask("GET", "/v1/snapshot", bearer(token))
    assert.strictEqual(`${status} ${String(json["code"])}`, "503 unavailable")
    assert.strictEqual(headers.get("retry-after"), "5")
    const stream = await EventClient.open(`${club.url}/v1/stream`, { headers: bearer(token) })
    await stream.ended
    assert.strictEqual(`${stream.status} ${String(stream.goodbye!["code"])}`, "200 too_many")
    const socket = await SocketClient.open(`${club.url}/v1/socket`, byToken(token))
    assert.deepStrictEqual(await socket.closed, { code: 4429, reason: "too_many" })
  })

  it("leave guesses at the API key what they are: so many a minute, and no more", async () => {
    const statuses: Array<number> = []
    for (let i = 0; i < 30; i++)
      statuses.push((await club.ask("GET", "/v1/snapshot", bearer(`a guess ${i}`))).status)
    assert.deepStrictEqual([...new Set(statuses.slice(0, 10))], [401])
    assert.deepStrictEqual([...new Set(statuses.slice(12))], [429])
  })
})

describe("when everybody has left", () => {
  it("nothing of them is kept", async () => {
    const { daemon } = club
    await until("no readers", () => daemon.hub.readers() === 0)
    const clients = await Promise.all(
      Array.from({ length: 15 }, async () => [
        await streamBy(await mint({ ...reader, sub: "left", more: { jti: "left" } })),
        await socketBy(await mint({ ...reader, sub: "left" }), "?collections=chat")
      ])
    )
    for (const client of clients.flat()) client.close()
    await until("no readers", () => daemon.hub.readers() === 0)
    assert.strictEqual(watched(), 0)
  })
})

/** Everybody who is watched, found as they are put in. */
let watched = () => -1
beforeAll(async () => {
  const { Watches } = await import("../../../src/Http/Auth/Watches.ts")
  const { add } = Watches.prototype
  const found = new Set<InstanceType<typeof Watches>>()
  Watches.prototype.add = function (...of) {
    found.add(this)
    return add.apply(this, of)
  }
  watched = () => [...found].reduce((sum, watches) => sum + watches["watches"].size, 0)
  afterAll(() => {
    Watches.prototype.add = add
  })
})
